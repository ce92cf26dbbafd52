/** What intake and the log tell whoever watches: numbers for metrics, a frame for the batch's span. Nothing personal passes here. */
import type { EnvelopeFlag } from "../core/event.ts";
import type { Src } from "../core/ids.ts";
import type { OutcomeCounts, RejectReason } from "../core/outcome.ts";
import type { SwitchName } from "../core/switches.ts";
import type { SourceBatch } from "./event-source.ts";

export type BatchReport = {
  readonly src: Src;
  readonly partition: number;
  readonly counts: OutcomeCounts;
  /** Deliveries of offsets whose record was in the store already; contained in `counts.stored`. */
  readonly redelivered: number;
  readonly rejections: ReadonlyMap<RejectReason | "CONFLICT", number>;
  readonly flags: ReadonlyMap<EnvelopeFlag, number>;
  readonly unkeyed: number;
  readonly hints: { readonly hits: number; readonly misses: number; readonly unavailable: boolean };
  readonly storeLookups: number;
  /** Offsets of the partition that have no outcome yet. */
  readonly lag: number;
  readonly durationMs: number;
  /** recorded_at − Kafka's timestamp of the first and the last stored event; absent when nothing was stored. */
  readonly delaysMs: readonly number[];
  /** recorded_at − the event's own timestamp, of the same; negative where its producer's clock is ahead. */
  readonly eventDelaysMs: readonly number[];
};

/** Points of the way at which a fault test may end the process. */
export const intakePoints = [
  "received",
  "prepared",
  "hinted",
  "appended",
  "lettered",
  "accounted",
  "remembered",
  "draining",
] as const;
export type IntakePoint = (typeof intakePoints)[number];

/** Steps of the sequencer at which a fault test may end the process or hold it: each is reached after what it names. */
export const logPoints = [
  "log_read",
  "log_gathered",
  "log_appended",
  "log_read_back",
  "log_tiled",
  "log_moved",
  "log_signed",
  "log_published",
] as const;
export type LogPoint = (typeof logPoints)[number];

export type LogPassReport = {
  /** Leaves of the head. */
  readonly size: number;
  /** Accounted offsets that no coverage entry names yet; undefined when the pass only finished what another had begun. */
  readonly lag: number | undefined;
  readonly durationMs: number;
  /** From `recorded_at` to publication of a checkpoint: oldest and newest record of each source. */
  readonly delaysMs: readonly number[];
};

export type WitnessReport = {
  /** Leaves of the checkpoint that enough witnesses cosigned; undefined: too few did this time. */
  readonly witnessedSize: number | undefined;
  /** By the name of the witness's key: whether it cosigned. */
  readonly hasCosigned: ReadonlyMap<string, boolean>;
};

export type AnchorReport = {
  /** Leaves of the checkpoint that the anchors were to keep. */
  readonly size: number;
  /** By the name of the anchor. */
  readonly hasKept: ReadonlyMap<string, boolean>;
};

export type IndexPassReport = {
  /** Entries of the log that the search index holds. */
  readonly size: number;
  /** Entries that the log's head covers and the index does not. */
  readonly lag: number;
  readonly durationMs: number;
};

/** By what each serves. */
export type ListenerName = "grpc" | "rest" | "http";

export type PartitionState = "running" | "waiting" | "stopped" | "released";

export type Observer = {
  /** Runs `work` inside the batch's span, linked to the producers' trace contexts in the headers. */
  aroundBatch<T>(batch: SourceBatch, work: () => Promise<T>): Promise<T>;
  batchDone(report: BatchReport): void;
  reached(point: IntakePoint | LogPoint): void;
  partition(src: Src, partition: number, state: PartitionState): void;
  breaker(open: boolean): void;
  /** A pure station threw: a bug of ours. */
  internalError(): void;
  entityIdSourceChanged(entityType: string): void;
  /** A pass of the sequencer in this process. */
  logPass(report: LogPassReport): void;
  /** Another process extends the log, which has this many leaves. */
  logStandby(size: number): void;
  /** The log is neither extended nor signed until a restart. */
  logHalted(): void;
  /** The witnesses were asked about a checkpoint. */
  witnessesAsked(report: WitnessReport): void;
  /** The anchors were asked to keep a checkpoint. */
  anchorsAsked(report: AnchorReport): void;
  /** A connection was one too many: it was not taken, or ended the oldest. */
  connectionOverLimit(listener: ListenerName): void;
  /** Somebody's identity was not accepted. */
  callerRefused(): void;
  /** What became of events of our own about what callers did. */
  selfAudit(outcome: "published" | "dropped", events: number): void;
  /** What is switched off for everybody; `isCurrent`: the file of switches could be used as it is. */
  switches(off: readonly SwitchName[], isCurrent: boolean): void;
  /** Somebody was answered that what they asked for is switched off. */
  switchedOff(name: SwitchName): void;
  /** A pass of the search index in this process. */
  indexPass(report: IndexPassReport): void;
};
