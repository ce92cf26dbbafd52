/** Where events come from: a partitioned, ordered log with offsets (Kafka). At-least-once; the store's mark decides where to read. */
import type { LastroError } from "../core/errors.ts";
import type { SourceEvent } from "../core/event.ts";
import type { Src, TopicId } from "../core/ids.ts";

/** A partition of one incarnation of the topic. `logStart` ≤ offsets < `logEnd` are there to be read. */
export type SourcePartition = {
  readonly src: Src;
  readonly topicId: TopicId;
  readonly partition: number;
  readonly logStart: number;
  readonly logEnd: number;
};

/** Events of one partition in offset order. Offsets in [from, to) without an event were never delivered (control, aborted, compacted). */
export type SourceBatch = {
  readonly src: Src;
  readonly topicId: TopicId;
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  readonly to: number;
  readonly events: readonly SourceEvent[];
  readonly logEnd: number;
};

export type BatchControl = {
  /** Keeps the membership alive through long work that never yields; while the handler awaits, the source beats by itself. Throws nothing: see `isStale`. */
  heartbeat(): Promise<void>;
  /** True once the partition was taken away, paused or moved: stop before the next write. */
  isStale(): boolean;
  /** Aborted on shutdown after the drain budget, and when the partition is lost. */
  readonly signal: AbortSignal;
};

export type SourceHandler = {
  /** The partition is ours now. It stays paused until `resume`. A call for a partition that is already ours announces a new incarnation the operator accepted. */
  assigned(partition: SourcePartition): void;
  /** One call at a time per partition; partitions in parallel. Returns the next offset to read: everything below it has its outcome. Never throws. */
  batch(batch: SourceBatch, control: BatchControl): Promise<number>;
  /** The partition is given away. Running batches of it have ended, or their signal was aborted. */
  revoked(src: Src): void;
  /** The source paused the partition by itself and will not go on: SOURCE_CHANGED, OFFSET_OUT_OF_RANGE, CORRUPT_BATCH, BATCH_TOO_LARGE. */
  stopped(src: Src, error: LastroError): void;
  /** The client ended and cannot be mended inside this process; the process must end and be restarted. */
  crashed(error: LastroError): void;
};

/**
 * Contract. Assigned partitions deliver nothing before `resume`. A batch starts exactly at the offset last asked for (`resume`, or the
 * number `batch` returned); never earlier, never later. Nothing resets by itself: an offset out of range stops the partition.
 * All Kafka codecs are read. Aborted and control records are not delivered.
 */
export type EventSource = AsyncDisposable & {
  /** Joins the group and delivers to `handler` until closed. Resolves when joined. */
  start(handler: SourceHandler): Promise<void>;
  /** Reads `src` from `from` on. Ignored when the partition is not ours. */
  resume(src: Src, from: number): void;
  /** Stops delivering `src`; the running batch goes stale. */
  pause(src: Src): void;
  /** Notes the position for lag tools: coalesced, one commit in flight, failures are harmless and retried with the next. */
  commit(src: Src, next: number): void;
  /** All partitions of the topic as it is now. Throws SOURCE_UNAVAILABLE. */
  partitions(signal: AbortSignal): Promise<readonly SourcePartition[]>;
  /** Takes a re-created topic for the stopped partition: leads to `assigned` with the new incarnation. */
  acceptIncarnation(partition: number): Promise<void>;
  /** Id of the Kafka cluster. */
  clusterId(signal: AbortSignal): Promise<string>;
  /** Whether the membership is alive and the broker answers. */
  isConnected(): boolean;
};
