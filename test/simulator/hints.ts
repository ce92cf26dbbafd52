/** Hints that all processes of a world share: ours in memory, behind calls. They may be away, and forget. */
import type { Uid } from "../../src/core/ids.ts";
import type { DedupHints } from "../../src/ports/dedup-hints.ts";
import type { Call } from "./calls.ts";

export type HintFaults = { readonly isAway: () => boolean; readonly isForgotten: () => boolean };

export const hintsBehind = (
  hints: DedupHints,
  call: Call,
  { isAway, isForgotten }: HintFaults,
): DedupHints => ({
  ...hints,
  known(uids, signal) {
    const answer = async (): Promise<ReadonlySet<Uid> | "unavailable"> =>
      isAway()
        ? "unavailable"
        : hints.known(
            uids.filter(() => !isForgotten()),
            signal,
          );
    return call("hints.known", signal, answer).catch(() => "unavailable" as const);
  },
  remember(uids, signal) {
    const kept = (): Promise<void> =>
      hints.remember(
        uids.filter(() => !isAway()),
        signal,
      );
    return call("hints.remember", signal, kept).catch(() => undefined);
  },
});
