/** Remembers opened keys for a few seconds: long enough to spare look-ups, short enough that a destroyed key is soon out of memory. */
import type { Clock } from "../ports/clock.ts";

/** Counted from the start of the read that gave the key. */
const openedKeyAgeMaxMs = 5000;
const openedKeysMax = 50_000;

export type FreshCache<V> = {
  get(id: string): V | undefined;
  put(id: string, value: V, readAtMs: number): void;
};

export function freshCache<V>(now: Clock): FreshCache<V> {
  const entries = new Map<string, { readonly value: V; readonly readAtMs: number }>();
  const isFresh = (readAtMs: number): boolean => {
    const ageMs = now() - readAtMs;
    // A clock that went back makes the age unknown: then it counts as too old.
    return ageMs >= 0 && ageMs <= openedKeyAgeMaxMs;
  };
  return {
    get(id) {
      const entry = entries.get(id);
      if (entry === undefined) return undefined;
      if (isFresh(entry.readAtMs)) return entry.value;
      entries.delete(id);
      return undefined;
    },
    put(id, value, readAtMs) {
      entries.delete(id);
      entries.set(id, { value, readAtMs });
      for (const [oldest, entry] of entries) {
        if (entries.size <= openedKeysMax && isFresh(entry.readAtMs)) break;
        entries.delete(oldest);
      }
    },
  };
}
