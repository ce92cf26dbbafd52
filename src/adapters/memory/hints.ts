/** Dedup hints in this process: bounded, the oldest go first, gone with the process. Never decides anything. */
import type { Uid } from "../../core/ids.ts";
import type { DedupHints } from "../../ports/dedup-hints.ts";

type MemoryHintsOptions = {
  /** Uids kept; about 120 bytes each. */
  readonly uidsMax: number;
};

export function memoryHints({ uidsMax }: MemoryHintsOptions): DedupHints {
  const uids = new Set<Uid>();
  return {
    async known(asked) {
      return new Set(asked.filter((uid) => uids.has(uid)));
    },
    async remember(stored) {
      for (const uid of stored) {
        uids.delete(uid);
        uids.add(uid);
      }
      for (const oldest of uids) {
        if (uids.size <= uidsMax) break;
        uids.delete(oldest);
      }
    },
    isConnected: () => true,
    async [Symbol.asyncDispose]() {
      uids.clear();
    },
  };
}
