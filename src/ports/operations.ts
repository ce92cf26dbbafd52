/** What operators may see and do of intake while it runs. */
import type { ErrorCode } from "../core/errors.ts";
import type { Src } from "../core/ids.ts";
import type { DeadLetterPosition, OutcomeRow } from "../core/outcome.ts";
import type { ReplayVerdict } from "./dead-letters.ts";
import type { PartitionState } from "./observer.ts";
import type { IntakeCounts, OutcomeQuery } from "./record-store.ts";
import type { BreakerState } from "./store-state.ts";

export type PartitionIntake = {
  readonly src: Src;
  readonly partition: number;
  readonly state: PartitionState;
  /** Why it does not run, and what to do next. */
  readonly why: { readonly code: ErrorCode; readonly message: string } | undefined;
  readonly mark: number | undefined;
  /** Undefined while the source is away. */
  readonly lag: number | undefined;
  readonly counted: IntakeCounts;
};

export type Intake = {
  readonly partitions: readonly PartitionIntake[];
  readonly breaker: BreakerState | undefined;
};

export type IntakeQuery = {
  /** None: all partitions that are known. */
  readonly srcs: readonly Src[];
  readonly from: number;
  /** Exclusive; undefined: up to the mark. */
  readonly to: number | undefined;
};

/** Contract. Every call ends at the signal. An act that does not fit the state of the partition throws FAILED_PRECONDITION, a partition nobody knows NOT_FOUND. */
export type Operations = {
  intake(query: IntakeQuery, signal: AbortSignal): Promise<Intake>;
  outcomes(query: OutcomeQuery, signal: AbortSignal): Promise<readonly OutcomeRow[]>;
  /** Accounts for [from, to) as `gap`, cause `skipped`; the partition must be stopped or wait, and `from` be its mark. Nothing of it is read before it is known what became of the call. Gives the new mark. */
  skip(src: Src, from: number, to: number, reason: string, signal: AbortSignal): Promise<number>;
  /** `acceptIncarnation` takes a re-created topic for the partition. */
  resume(
    target: { readonly src: Src } | { readonly partition: number },
    options: { readonly acceptIncarnation: boolean },
    signal: AbortSignal,
  ): Promise<void>;
  resumeBreaker(signal: AbortSignal): Promise<void>;
  /** Verdicts in the order of the positions. */
  replay(positions: readonly DeadLetterPosition[], signal: AbortSignal): Promise<readonly ReplayVerdict[]>;
};
