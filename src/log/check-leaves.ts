/** Reads the log in order, run by run: the records of a run, what accounts for them, and the entry that closes it. */
import { parseRid, type Src, srcOf } from "../core/ids.ts";
import { leafHash } from "../core/leaf.ts";
import { type CoverageEntry, type LogEntry, parseLogEntry } from "../core/log-entries.ts";
import { equalHashes } from "../core/merkle.ts";
import { controlKey, coverageKey, type LogKey, type LogRow, logRowsMax } from "../ports/log-store.ts";
import { checkCoveredOutcomes, readOutcomes } from "./check-outcomes.ts";
import { type CheckPass, goneMax, leavesObject, pushLeaf, recordObject } from "./check-pass.ts";
import { type CheckedRecord, checkRecord, type Gone } from "./check-record.ts";
import { alignRun, areInStep, checkSlot } from "./check-run.ts";

const rowsPerRead = 5_000;
const recordsPerRead = 1_000;
/** The sequencer's runs are no longer than a batch; what is longer lacks the entry that closed it. */
const runRowsMax = 2 * logRowsMax;

type Rows = readonly (LogRow | undefined)[];

/** `onRun` is called where the check could be taken up again. */
export async function checkLeaves(pass: CheckPass, onRun: (next: number) => Promise<void>): Promise<void> {
  let start = pass.trees.size() + pass.block.length;
  let run: (LogRow | undefined)[] = [];
  for (let at = start; at < pass.size; at += rowsPerRead) {
    const end = Math.min(at + rowsPerRead, pass.size);
    for (const [offset, row] of (await readRows(pass, at, end)).entries()) {
      const closing = row === undefined ? undefined : closingOf(row);
      if (row !== undefined && closing !== undefined) {
        await closeRun(pass, start, run, row, closing);
        [start, run] = [at + offset + 1, []];
        await onRun(start);
      } else run.push(row);
      if (run.length <= runRowsMax) continue;
      await checkRun(pass, start, run, undefined);
      [start, run] = [at + offset + 1, []];
    }
  }
  if (run.length > 0) await checkRun(pass, start, run, undefined);
}

async function readRows({ deps, signal }: CheckPass, from: number, to: number): Promise<Rows> {
  const rows: (LogRow | undefined)[] = Array.from({ length: to - from }, () => undefined);
  for (const row of await deps.log.rows(from, to, signal)) rows[row.index - from] = row;
  return rows;
}

type Closing = { readonly entry: LogEntry | undefined };

/** A row that is no record's, by its key or by what it holds. */
function closingOf(row: LogRow): Closing | undefined {
  const entry = row.entry === undefined ? undefined : parseLogEntry(row.entry);
  const isNamed = row.key.startsWith("cov:") || row.key.startsWith("ctl:");
  return isNamed || (entry !== undefined && entry.t !== "record") ? { entry } : undefined;
}

async function closeRun(
  pass: CheckPass,
  start: number,
  run: Rows,
  row: LogRow,
  { entry }: Closing,
): Promise<void> {
  const { report } = pass.findings;
  const computed = row.entry === undefined ? undefined : leafHash(pass.deps.crypto.sha256, row.entry);
  const isTrue = computed !== undefined && equalHashes(computed, row.leafHash);
  if (entry?.t === "coverage" && isTrue && entry.first >= start && entry.first + entry.n === row.index) {
    await checkHead(pass, start, run.slice(0, entry.first - start));
    await checkRun(pass, entry.first, run.slice(entry.first - start), entry);
  } else if (run.length > 0) await checkRun(pass, start, run, undefined);
  const object = leavesObject(row.index);
  if (entry === undefined || entry.t === "record")
    report({ code: "ENTRY_INVALID", object, detail: "its row holds no coverage or control entry" });
  else if (row.key !== keyOf(entry))
    report({ code: "LEAF_CHANGED", object, detail: "its row has another key than its entry says" });
  await pushLeaf(pass, { computed, indexed: row.leafHash, entry, object });
}

const keyOf = (entry: Exclude<LogEntry, { t: "record" }>): LogKey =>
  entry.t === "coverage" ? coverageKey(entry.src, entry.from) : controlKey(entry.id);

/** What lies before a run and after the entry that closed the one before: that of a run whose own entry is gone. */
async function checkHead(pass: CheckPass, start: number, rows: Rows): Promise<void> {
  if (rows.length === 0) return;
  const isClosed = rows.at(-1) === undefined;
  await checkRun(pass, start, isClosed ? rows.slice(0, -1) : rows, undefined);
  if (isClosed) await pushMissing(pass, start + rows.length - 1);
}

async function pushMissing(pass: CheckPass, index: number): Promise<void> {
  const object = leavesObject(index);
  pass.findings.report({ code: "LEAF_MISSING", object, detail: "log_index has no row there" });
  await pushLeaf(pass, { computed: undefined, indexed: undefined, entry: undefined, object });
}

type Range = { readonly src: Src; readonly from: number; readonly to: number };

async function checkRun(
  pass: CheckPass,
  start: number,
  rows: Rows,
  coverage: CoverageEntry | undefined,
): Promise<void> {
  const range = coverage ?? rangeOf(rows);
  if (range === undefined) {
    for (let at = 0; at < rows.length; at++) await pushMissing(pass, start + at);
    return;
  }
  const { report } = pass.findings;
  const records = await readRecords(pass, range, rows.length + logRowsMax);
  const { slots, left } = alignRun(start, rows, records);
  for (const slot of slots) {
    const { computed, indexed, entry, object } = checkSlot(slot, report);
    await pushLeaf(pass, { computed, indexed, entry: entry && { t: "record", ...entry }, object });
  }
  for (const { rid } of left) {
    const detail = "its offset is logged, and it has no index";
    report({ code: "LOG_UNAUDITED", object: recordObject(rid), detail });
  }
  if (coverage === undefined) return;
  const found = await readOutcomes(pass.deps.audit, coverage.src, coverage.from, coverage.to, pass.signal);
  checkCoveredOutcomes(coverage, storedOffsets(rows, records), found, pass.deps.crypto.sha256, report);
}

/** Offsets that either side holds a record for: one that is gone is a finding of its own. */
function storedOffsets(rows: Rows, records: readonly CheckedRecord[]): readonly number[] {
  if (areInStep(rows, records)) return records.map(({ offset }) => offset);
  const offsets = new Set(records.map(({ offset }) => offset));
  for (const row of rows) {
    const position = row && parseRid(row.key);
    if (position !== undefined) offsets.add(position.offset);
  }
  return [...offsets].toSorted((a, b) => a - b);
}

function rangeOf(rows: Rows): Range | undefined {
  const positions = rows.flatMap((row) => (row && parseRid(row.key)) ?? []);
  const [first] = positions;
  if (first === undefined) return undefined;
  const src = srcOf(first.topicId, first.partition);
  const offsets = positions
    .filter((at) => srcOf(at.topicId, at.partition) === src)
    .map(({ offset }) => offset);
  return {
    src,
    from: offsets.reduce((a, b) => Math.min(a, b)),
    to: offsets.reduce((a, b) => Math.max(a, b)) + 1,
  };
}

async function readRecords(pass: CheckPass, range: Range, max: number): Promise<readonly CheckedRecord[]> {
  const { deps, findings, signal } = pass;
  const records: CheckedRecord[] = [];
  for (let at = range.from; at < range.to && records.length < max; ) {
    const page = await deps.audit.records(range.src, at, range.to, recordsPerRead, signal);
    const last = page.at(-1);
    if (last === undefined) break;
    for (const record of page) records.push(checkOne(pass, record));
    if (deps.openBodies !== undefined) {
      for (const finding of await deps.openBodies(page, signal)) findings.report(finding);
      pass.bodies.opened += page.length;
    }
    at = last.offset + 1;
  }
  return records;
}

function checkOne(pass: CheckPass, record: Parameters<typeof checkRecord>[0]): CheckedRecord {
  const { report } = pass.findings;
  return checkRecord(record, pass.deps.crypto.sha256, report, (gone) => {
    if (pass.gone.length < goneMax) pass.gone.push(gone);
    else reportGone(report, gone);
  });
}

/** Nothing in the log accounts for what is gone. */
export const reportGone = (report: CheckPass["findings"]["report"], { rid, what }: Gone): void =>
  report({
    code: what === "body" ? "BODY_MISSING" : "COLUMN_CHANGED",
    object: recordObject(rid),
    detail: `its ${what} ${what === "body" ? "is" : "are"} gone, and no erasure in the log names the keys`,
  });
