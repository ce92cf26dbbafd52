/** Hot records in a map, for tests of what is kept and of who alters it. */
import type { HotRecords } from "../../src/ports/hot-records.ts";

export type KeptInMap = HotRecords & { readonly values: Map<string, Uint8Array> };

export function keptInMap(): KeptInMap {
  const values = new Map<string, Uint8Array>();
  return {
    values,
    find: async (keys) => keys.map((key) => values.get(key)),
    async keep(entries) {
      for (const { key, value } of entries) values.set(key, value);
    },
    [Symbol.asyncDispose]: async () => {},
  };
}
