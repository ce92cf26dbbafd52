/** A hint which uids are durably stored, keyed by store. Forgetting costs a look-up; a hit is confirmed in the store; it never decides. */
import type { Uid } from "../core/ids.ts";

/** Contract. Neither call throws or waits longer than its budget: trouble is `unavailable`, and `remember` is then without effect. */
export type DedupHints = AsyncDisposable & {
  /** Those of `uids` that were remembered. */
  known(uids: readonly Uid[], signal: AbortSignal): Promise<ReadonlySet<Uid> | "unavailable">;
  /** Called only with uids that are durably stored and accounted for. */
  remember(uids: readonly Uid[], signal: AbortSignal): Promise<void>;
  /** Whether it helps, as far as is known: it is there, and refused nothing lately. */
  isConnected(): boolean;
};
