/** The partitions this process holds, and how each of them fares. */
import type { ErrorCode } from "../core/errors.ts";
import type { Src } from "../core/ids.ts";
import type { SourcePartition } from "../ports/event-source.ts";

export type PartitionCondition =
  | { readonly kind: "opening" }
  | { readonly kind: "running" }
  /** Infrastructure trouble or an open breaker: goes on by itself, or when the breaker closes. */
  | { readonly kind: "waiting"; readonly code: ErrorCode; readonly message: string }
  /** An operator has to decide. */
  | { readonly kind: "stopped"; readonly code: ErrorCode; readonly message: string };

export type HeldPartition = {
  source: SourcePartition;
  condition: PartitionCondition;
  /** Since the last batch that succeeded. */
  failures: number;
  /** Resolves when the batch that is worked on has ended. */
  running: Promise<void>;
  /** An operator's act is under way: nothing is read before it has ended. */
  isHeld: boolean;
  /** Next offset without an outcome, as last seen here. */
  mark: number | undefined;
  /** Newest end of the partition seen here. */
  logEnd: number;
};

export type HeldPartitions = Map<Src, HeldPartition>;
