/** Reads the log in order, run by run: the records of a run, what accounts for them, and the entry that closes it. */
import { parseRid, srcOf } from "../core/ids.ts";
import { leafHash } from "../core/leaf.ts";
import { type CoverageEntry, type LogEntry, parseLogEntry } from "../core/log-entries.ts";
import { equalHashes } from "../core/merkle.ts";
import { controlKey, coverageKey, type LogKey, type LogRow, logRowsMax } from "../ports/log-store.ts";
import { checkCoveredOutcomes, readOutcomes } from "./check-outcomes.ts";
import { type CheckPass, leavesObject, pushLeaf, recordObject, takeGone } from "./check-pass.ts";
import type { CheckedRange, Range } from "./check-range.ts";
import type { CheckedRecord } from "./check-record.ts";
import { alignRun, areInStep, checkSlot } from "./check-run.ts";

const rowsPerRead = 5_000;
/** The sequencer's runs are no longer than a batch; what is longer lacks the entry that closed it. */
const runRowsMax = 2 * logRowsMax;
/** Runs whose records are being read and checked while those before them are laid beside the log. */
const runsAhead = 2;

type Rows = readonly (LogRow | undefined)[];

/** `onRun` is called where the check could be taken up again. */
export async function checkLeaves(pass: CheckPass, onRun: (next: number) => Promise<void>): Promise<void> {
  const ahead: (() => Promise<void>)[] = [];
  for await (const { start, rows, closing } of runsOf(pass)) {
    if (closing === undefined) {
      const run = openRun(pass, start, rows, undefined);
      ahead.push(() => checkRun(pass, run));
    } else {
      const close = openClosedRun(pass, start, rows, closing);
      ahead.push(async () => {
        await close();
        await onRun(start + rows.length + 1);
      });
    }
    if (ahead.length > runsAhead) await ahead.shift()?.();
  }
  for (const check of ahead) await check();
}

/** Rows from index `start` on, up to the entry that closed them; undefined: none did. */
type RowsOfRun = { readonly start: number; readonly rows: Rows; readonly closing: Closing | undefined };

async function* runsOf(pass: CheckPass): AsyncGenerator<RowsOfRun> {
  let start = pass.trees.size() + pass.block.length;
  let rows: (LogRow | undefined)[] = [];
  for (let at = start; at < pass.size; at += rowsPerRead) {
    const end = Math.min(at + rowsPerRead, pass.size);
    for (const [offset, row] of (await readRows(pass, at, end)).entries()) {
      const closing = row && closingOf(row);
      if (closing === undefined) rows.push(row);
      if (closing === undefined && rows.length <= runRowsMax) continue;
      yield { start, rows, closing };
      [start, rows] = [at + offset + 1, []];
    }
  }
  if (rows.length > 0) yield { start, rows, closing: undefined };
}

async function readRows({ deps, signal }: CheckPass, from: number, to: number): Promise<Rows> {
  const rows: (LogRow | undefined)[] = Array.from({ length: to - from }, () => undefined);
  for (const row of await deps.log.rows(from, to, signal)) rows[row.index - from] = row;
  return rows;
}

type Closing = { readonly row: LogRow; readonly entry: LogEntry | undefined };

/** A row that is no record's, by its key or by what it holds. */
function closingOf(row: LogRow): Closing | undefined {
  const entry = row.entry === undefined ? undefined : parseLogEntry(row.entry);
  const isNamed = row.key.startsWith("cov:") || row.key.startsWith("ctl:");
  return isNamed || (entry !== undefined && entry.t !== "record") ? { row, entry } : undefined;
}

/** Begins to read the records; what is returned checks them and the entry. */
function openClosedRun(pass: CheckPass, start: number, rows: Rows, closing: Closing): () => Promise<void> {
  const { row, entry } = closing;
  const computed = row.entry === undefined ? undefined : leafHash(pass.deps.crypto.sha256, row.entry);
  const isTrue = computed !== undefined && equalHashes(computed, row.leafHash);
  const isCovered =
    entry?.t === "coverage" && isTrue && entry.first >= start && entry.first + entry.n === row.index;
  const first = isCovered ? entry.first : start;
  const run = openRun(pass, first, rows.slice(first - start), isCovered ? entry : undefined);
  return async () => {
    await checkHead(pass, start, rows.slice(0, first - start));
    await checkRun(pass, run);
    await checkClosing(pass, closing, computed);
  };
}

async function checkClosing(
  pass: CheckPass,
  { row, entry }: Closing,
  computed: Uint8Array | undefined,
): Promise<void> {
  const { report } = pass.findings;
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
  await checkRun(pass, openRun(pass, start, isClosed ? rows.slice(0, -1) : rows, undefined));
  if (isClosed) await pushMissing(pass, start + rows.length - 1);
}

async function pushMissing(pass: CheckPass, index: number): Promise<void> {
  const object = leavesObject(index);
  pass.findings.report({ code: "LEAF_MISSING", object, detail: "log_index has no row there" });
  await pushLeaf(pass, { computed: undefined, indexed: undefined, entry: undefined, object });
}

type Run = {
  readonly start: number;
  readonly rows: Rows;
  readonly coverage: CoverageEntry | undefined;
  /** What was asked for ahead; undefined: no row tells of a range. */
  readonly checked: Promise<CheckedRange> | undefined;
};

function openRun(pass: CheckPass, start: number, rows: Rows, coverage: CoverageEntry | undefined): Run {
  const range = coverage === undefined ? rangeOf(rows) : rangeIn(coverage);
  const checked = range && pass.checkRange(range, rows.length + logRowsMax, pass.signal);
  // Who waits for it hears of a failure; a check that ended before needs not.
  checked?.catch(() => undefined);
  return { start, rows, coverage, checked };
}

async function checkRun(pass: CheckPass, { start, rows, coverage, checked }: Run): Promise<void> {
  if (checked === undefined) {
    for (let at = 0; at < rows.length; at++) await pushMissing(pass, start + at);
    return;
  }
  const { report } = pass.findings;
  const { records, findings, gone, opened } = await checked;
  for (const finding of findings) report(finding);
  for (const one of gone) takeGone(pass, one);
  pass.bodies.opened += opened;
  const { slots, left } = alignRun(start, rows, records);
  for (const slot of slots) {
    await pushLeaf(pass, checkSlot(slot, report));
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

const rangeIn = ({ src, from, to }: CoverageEntry): Range => ({ src, from, to });

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
