/** The records at a range of indexes of the log: whole, or what is counted of each. */
import type { Rid } from "../core/ids.ts";
import type { RecordRow } from "../core/record.ts";
import { countedRecord } from "../core/summary.ts";
import { type CountedRecord, countedFields } from "../core/summary-cells.ts";
import { type HistoryReader, ridsMax } from "../ports/history-reader.ts";
import { isRecordKey, type LogStore } from "../ports/log-store.ts";

type LogRows = { readonly log: Pick<LogStore, "rows"> };

/** Of the records there, in the order of the log. */
export const ridsBetween = async (
  { log }: LogRows,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<readonly Rid[]> => (await log.rows(from, to, signal)).map(({ key }) => key).filter(isRecordKey);

/** In the order of the log; those that are not stored any more are left out. */
export async function recordsBetween(
  { history, ...deps }: LogRows & { readonly history: Pick<HistoryReader, "byRids"> },
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<readonly RecordRow[]> {
  const rids = await ridsBetween(deps, from, to, signal);
  const records: RecordRow[] = [];
  for (let at = 0; at < rids.length; ) {
    const some = rids.slice(at, at + ridsMax);
    const { rows, looked } = await history.byRids(some, signal);
    records.push(...some.map((rid) => rows.get(rid)).filter((row) => row !== undefined));
    at += looked;
  }
  return records;
}

/** The same of what is counted. */
export const countedBetween = async (
  { history, ...deps }: LogRows & { readonly history: Pick<HistoryReader, "values"> },
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<readonly CountedRecord[]> => countedOf(history, await ridsBetween(deps, from, to, signal), signal);

export async function countedOf(
  history: Pick<HistoryReader, "values">,
  rids: readonly Rid[],
  signal: AbortSignal,
): Promise<readonly CountedRecord[]> {
  const counted: CountedRecord[] = [];
  for (let at = 0; at < rids.length; at += ridsMax)
    counted.push(
      ...(await history.values(rids.slice(at, at + ridsMax), countedFields, signal)).map(countedRecord),
    );
  return counted;
}
