/** Heads of the streams last written here. A guess like any cache: a stale head loses at the unique index and is read again. */
import type { Head } from "../core/record.ts";
import type { HeadKey, RecordStore } from "../ports/record-store.ts";

export type HeadCache = {
  /** Heads of the streams with these `headKeyText`s; absent where no record is known. */
  read(streams: ReadonlyMap<string, HeadKey>, signal: AbortSignal): Promise<ReadonlyMap<string, Head>>;
  /** Called only with heads that are durable. */
  set(key: string, head: Head): void;
  forget(keys: Iterable<string>): void;
  clear(): void;
};

/** In two generations: what was not written during a whole generation goes. Moving each entry to the end at each write costs more. */
export function headCache(records: Pick<RecordStore, "heads">, entriesMax: number): HeadCache {
  let young = new Map<string, Head>();
  let old = new Map<string, Head>();
  const set = (key: string, head: Head): void => {
    young.set(key, head);
    if (young.size < entriesMax / 2) return;
    old = young;
    young = new Map();
  };
  return {
    async read(streams, signal) {
      const found = new Map<string, Head>();
      const missing: HeadKey[] = [];
      for (const [text, key] of streams) {
        const head = young.get(text) ?? old.get(text);
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
      for (const key of keys) {
        young.delete(key);
        old.delete(key);
      }
    },
    clear() {
      young.clear();
      old.clear();
    },
  };
}
