/** Copies near at hand of records that were stored or read lately. They shorten a look-up and never decide: the store is the authority. */

export type HotEntry = { readonly key: string; readonly value: Uint8Array };

/** Contract. Neither call throws or waits longer than its budget: trouble is a miss, and `keep` is then without effect. What was kept is gone after the time to live, or earlier. */
export type HotRecords = AsyncDisposable & {
  /** The newest value kept under each key, in the order of the keys; undefined: a miss. */
  find(keys: readonly string[], signal: AbortSignal): Promise<readonly (Uint8Array | undefined)[]>;
  keep(entries: readonly HotEntry[], signal: AbortSignal): Promise<void>;
};
