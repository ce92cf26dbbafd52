/** Where the log stands, read from `log_index` alone: its last entry, and the open run of records that no coverage entry follows yet. */
import { parseRid, type Src, srcOf } from "../core/ids.ts";
import { type LogEntry, parseLogEntry } from "../core/log-entries.ts";
import { type LogRow, type LogStore, logRowsMax } from "../ports/log-store.ts";
import { LogHalted } from "./halt.ts";

export type OpenRun = { readonly src: Src; readonly rows: readonly LogRow[] };

export type Tail = {
  /** Rows after the last coverage or control entry. */
  readonly open: OpenRun | undefined;
  /** When the last coverage or control entry was written. */
  readonly lastAtMs: number;
};

export const isRecordRow = ({ key }: LogRow): boolean => !key.startsWith("cov:") && !key.startsWith("ctl:");

/** The coverage or control entry that the row holds. */
export function entryOf(row: LogRow): Exclude<LogEntry, { t: "record" }> {
  const entry = row.entry === undefined ? undefined : parseLogEntry(row.entry);
  if (entry === undefined || entry.t === "record")
    throw new LogHalted("RUN_BROKEN", `index ${row.index} (${row.key}) holds no coverage or control entry`);
  return entry;
}

/** Of a log that has begun. */
export async function readTail(log: LogStore, size: number, signal: AbortSignal): Promise<Tail> {
  const [last] = await log.rows(size - 1, size, signal);
  if (last === undefined) throw new LogHalted("INDEX_ABSENT", `index ${size - 1}`);
  if (!isRecordRow(last)) return { open: undefined, lastAtMs: entryOf(last).atMs };
  // A run is never longer than a batch, so the entry before it lies within this reach.
  const rows = await log.rows(Math.max(0, size - logRowsMax), size, signal);
  const before = rows.findLast((row) => !isRecordRow(row));
  if (before === undefined)
    throw new LogHalted("RUN_BROKEN", `more than ${logRowsMax} records before index ${size} are not covered`);
  return {
    open: openRun(rows.slice(rows.indexOf(before) + 1), before.index + 1),
    lastAtMs: entryOf(before).atMs,
  };
}

function openRun(rows: readonly LogRow[], first: number): OpenRun {
  let [src, offset]: [Src | undefined, number] = [undefined, -1];
  for (const [at, row] of rows.entries()) {
    const position = parseRid(row.key);
    if (row.index !== first + at) throw new LogHalted("INDEX_ABSENT", `index ${first + at}`);
    if (position === undefined) throw new LogHalted("RUN_BROKEN", `index ${row.index} holds no rid`);
    const own = srcOf(position.topicId, position.partition);
    if ((src ?? own) !== own || position.offset <= offset)
      throw new LogHalted("RUN_BROKEN", `index ${row.index} is of another source or out of order`);
    [src, offset] = [own, position.offset];
  }
  if (src === undefined) throw new LogHalted("RUN_BROKEN", `the run at index ${first} is empty`);
  return { src, rows };
}
