/** What becomes of each offset of a batch while it is being worked on; accounting makes it an outcome. */
import type { Rid } from "../core/ids.ts";
import type { Rejection } from "../core/outcome.ts";
import type { DeadLetterStage } from "../ports/dead-letters.ts";

export type Fate =
  | { readonly kind: "stored"; readonly redelivered: boolean; readonly recordedAtMs: number | undefined }
  | { readonly kind: "duplicate"; readonly original: Rid }
  | { readonly kind: "conflict"; readonly original: Rid }
  | { readonly kind: "rejected"; readonly rejection: Rejection; readonly stage: DeadLetterStage };

/** By offset. An offset of the batch without a fate is a gap. */
export type Fates = ReadonlyMap<number, Fate>;

export const needsDeadLetter = (fate: Fate): boolean => fate.kind === "conflict" || fate.kind === "rejected";
