/** What the sequencer is given. */
import type { Sha256 } from "../core/merkle.ts";
import type { CheckpointSigner } from "../ports/checkpoint-signer.ts";
import type { Clock, Randomness } from "../ports/clock.ts";
import type { LogStore } from "../ports/log-store.ts";
import type { LogPoint } from "../ports/observer.ts";
import type { RecordStore } from "../ports/record-store.ts";

export type SequencerLimits = {
  /** Rows of one pass: records, their coverage entries, control entries. */
  readonly batchMax: number;
  /** A log to which nothing was appended for this long gets a heartbeat. */
  readonly heartbeatMs: number;
  /** How long both keys sign during a rotation. */
  readonly keyOverlapMs: number;
};

export type SequencerDeps = {
  readonly log: LogStore;
  readonly records: Pick<RecordStore, "sources" | "mark" | "outcomes">;
  /** Reads the keys anew, so that a rotation needs no restart. Throws KEY_MISSING and CONFIG_INVALID. */
  readonly openSigner: (origin: string) => Promise<CheckpointSigner>;
  /** Sizes that the witnesses are known to have seen; after a start, and after another instance may have extended the log, it waits until they were asked, or their time is over. */
  readonly witnessSizes: () => Promise<readonly number[]>;
  /** First part of the origin of a log that has still to begin. */
  readonly logName: string;
  readonly sha256: Sha256;
  readonly limits: SequencerLimits;
  readonly now: Clock;
  readonly random: Randomness;
  /** Told at each step; the pass goes on once it resolves. */
  readonly reached: (point: LogPoint) => void | Promise<void>;
};
