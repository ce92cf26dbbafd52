/** Places outside the store that keep checkpoints for good: below one that an anchor gave back, the log cannot be rewritten unseen. */
import type { Checkpoint } from "../core/checkpoint.ts";

export type AnchoredNote = Pick<Checkpoint, "origin" | "size" | "root"> & {
  /** The signed note, verbatim. */
  readonly note: string;
};

/** Contract. `keep` ends at the signal, but for a call to a file system that does not answer; throws ANCHOR_UNAVAILABLE when it cannot be known to be kept. */
export type Anchor = {
  /** Names it in metrics and lines. */
  readonly name: string;
  /** Resolves once the checkpoint is kept; again is no change. `differs`: another tree of this log and size was kept before. */
  keep(checkpoint: AnchoredNote, signal: AbortSignal): Promise<"kept" | "differs">;
};
