/** Heads of the streams last written here. A guess like any cache: a stale head loses at the unique index and is read again. */
import type { Head } from "../core/record.ts";
import { type HeadKey, headKeyText, type RecordStore } from "../ports/record-store.ts";

export type HeadCache = {
  /** Heads of these streams; absent where no record is known. */
  read(keys: readonly HeadKey[], signal: AbortSignal): Promise<ReadonlyMap<string, Head>>;
  /** Called only with heads that are durable. */
  set(key: string, head: Head): void;
  forget(keys: Iterable<string>): void;
  clear(): void;
};

export function headCache(records: Pick<RecordStore, "heads">, entriesMax: number): HeadCache {
  const cached = new Map<string, Head>();
  const set = (key: string, head: Head): void => {
    cached.delete(key);
    cached.set(key, head);
    if (cached.size > entriesMax) cached.delete(cached.keys().next().value ?? key);
  };
  return {
    async read(keys, signal) {
      const found = new Map<string, Head>();
      const missing: HeadKey[] = [];
      for (const key of keys) {
        const text = headKeyText(key);
        const head = cached.get(text);
        if (head === undefined) missing.push(key);
        else found.set(text, head);
      }
      if (missing.length > 0) {
        for (const [text, head] of await records.heads(missing, signal)) found.set(text, head);
      }
      return found;
    },
    set,
    forget(keys) {
      for (const key of keys) cached.delete(key);
    },
    clear: () => cached.clear(),
  };
}
