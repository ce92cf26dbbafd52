/** Records in the order of the log: a stretch of the published leaves, with what the store holds for each. Judges nothing. */
import { setImmediate } from "node:timers/promises";
import { parseRid, type Rid } from "../core/ids.ts";
import type { RecordRow } from "../core/record.ts";
import type { HistoryReader } from "../ports/history-reader.ts";
import { logDamaged, type PublishedLog } from "./published-log.ts";

export type LogRecord = {
  readonly index: number;
  readonly rid: Rid;
  /** Undefined: the log has it, and the store has not. */
  readonly row: RecordRow | undefined;
};
/** Leaves [from, to); those that are no records are left out. */
export type LogStretch = {
  readonly from: number;
  readonly to: number;
  readonly records: readonly LogRecord[];
};

export type LogRecordReads = {
  readonly log: Pick<PublishedLog, "store">;
  readonly history: Pick<HistoryReader, "byRids">;
};

/** Few enough that other calls need not wait for long. */
const leavesMax = 256;

/** Leaves from `from` on, below `to`: one at least, as many as one look-up of records gives. The leaves must be published. */
export async function readStretch(
  { log, history }: LogRecordReads,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<LogStretch> {
  // A store in this process answers at once: between two stretches others get their turn.
  await setImmediate();
  const leaves = await log.store.rows(from, Math.min(to, from + leavesMax), signal);
  for (const [at, { index }] of leaves.entries())
    if (index !== from + at) throw logDamaged(`leaf ${from + at} is gone from the log`);
  if (leaves.length === 0) throw logDamaged(`leaf ${from} is gone from the log`);
  const logged = leaves.flatMap(({ index, key }) => {
    const rid = key as Rid;
    return parseRid(rid) === undefined ? [] : [{ index, rid }];
  });
  if (logged.length === 0) return { from, to: from + leaves.length, records: [] };
  const { rows, looked } = await history.byRids(
    logged.map(({ rid }) => rid),
    signal,
  );
  const records = logged.slice(0, looked).map((leaf) => ({ ...leaf, row: rows.get(leaf.rid) }));
  return { from, to: logged[looked]?.index ?? from + leaves.length, records };
}
