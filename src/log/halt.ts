/** Why the log stops being extended and signed: what is stored contradicts what was committed to. An operator decides; intake never waits for it. */
import { LastroError } from "../core/errors.ts";

/** Closed list, each with what the operator does. */
const remedies = {
  ROOT_MISMATCH:
    "tiles or rows of log_index below the head were changed; run `lastro check`, restore what differs from a backup, restart",
  HEAD_BEYOND_LOG: "log_index lost rows that the head counts; restore the store from a newer copy, restart",
  INDEX_ABSENT:
    "the store lost rows of log_index that it had acknowledged; check its replication and disk, restore a whole copy, restart",
  RECORD_ABSENT:
    "the store lost a record that accounting or the log names; restore it from a backup or another replica, restart",
  LEAF_MISMATCH: "an entry was changed after it was stored; restore it from a backup, restart",
  COLUMNS_DIFFER: "a column repeats another value than its entry; restore the row from a backup, restart",
  TILE_DIFFERS: "a full tile holds other hashes than the log; remove the tile after a backup of it, restart",
  ROLLED_BACK:
    "the store is an older copy than what was signed or published; restore a newer one. If there is none, keep this store for the record and begin a new log with a new key in another LASTRO_LOG_KEY_FILE",
  WITNESS_AHEAD:
    "a witness has seen a larger log than the store holds: the store is an older copy; restore a newer one",
  DOUBLE_OUTCOME: "an offset has two outcomes; run `lastro check`, and ask who wrote to the store",
  LOG_UNAUDITED:
    "a record appeared below offsets that the log has passed; run `lastro check`, and ask who wrote to the store",
  RUN_BROKEN: "rows of log_index do not follow each other as a sequencer writes them; run `lastro check`",
  COVERAGE_BROKEN: "the last coverage entry cannot be what a sequencer wrote; run `lastro check`",
  MARK_BEHIND_LOG:
    "accounting ends below what the log covers: accounts are older than the log; restore the store as a whole",
  CONTROL_INVALID: "a control entry in line cannot be read; run `lastro check`",
  GENESIS_INVALID: "index 0 of the log is not its genesis; restore it from a backup, restart",
  KEY_UNKNOWN:
    "the signing key is not one of this log's; put the right key file in place, or add the new key behind the old one to rotate, restart",
  CHECKPOINT_DIFFERS:
    "another root was published at this size: somebody else signs this log; keep both checkpoints, find out who has the key, and begin a new log with a new one in another LASTRO_LOG_KEY_FILE",
} as const;
export type HaltReason = keyof typeof remedies;
export const haltReasons = Object.keys(remedies) as readonly HaltReason[];

export type Halt = {
  readonly reason: HaltReason;
  /** Which object: an index, a rid, a tile, sizes. Nothing personal. */
  readonly where: string;
};

/** What happened, and what to do. */
export const haltSentence = ({ reason, where }: Halt): string => `${where}: ${remedies[reason]}`;

export class LogHalted extends LastroError {
  readonly halt: Halt;
  constructor(reason: HaltReason, where: string, cause?: unknown) {
    super("LOG_HALTED", `${reason}: ${haltSentence({ reason, where })}`, { cause });
    this.halt = { reason, where };
  }
}

/** What others (store, signer, tree reader) refuse with LOG_HALTED, under the reason it has here. */
export async function haltingAs<T>(reason: HaltReason, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof LogHalted || !(cause instanceof LastroError) || cause.code !== "LOG_HALTED")
      throw cause;
    throw new LogHalted(reason, cause.message, cause);
  }
}
