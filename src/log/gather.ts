/** What enters the log next from one source: its records in offset order, and the coverage entry that accounts for every offset among them. */
import type { Src } from "../core/ids.ts";
import { leafHash, parseRecordEntry } from "../core/leaf.ts";
import { coverageEntry, outcomeList } from "../core/log-entries.ts";
import { type OutcomeCounts, type OutcomeRow, outcomeKinds } from "../core/outcome.ts";
import { coverageKey, type LoggableRecord, type LogRow, logRowsMax } from "../ports/log-store.ts";
import type { SequencerDeps } from "./deps.ts";
import { LogHalted } from "./halt.ts";
import { namesRid } from "./read-back.ts";
import { entryOf, type OpenRun } from "./tail.ts";

export type Source = { readonly src: Src; readonly begin: number; readonly mark: number };

export type Covered = {
  readonly rows: readonly LogRow[];
  /** `recorded_at` of the first and the last record that this pass adds. */
  readonly recordedAtMs: readonly number[];
  /** Where the coverage entry ends. */
  readonly to: number;
};

/** Outcome rows of one coverage entry. */
const outcomesMax = logRowsMax;
const notStored = outcomeKinds.filter((kind) => kind !== "stored");
/** Above every offset. */
const offsetsEnd = Number.MAX_SAFE_INTEGER;

/** The next offset that no coverage entry of the source names yet. */
export async function loggedOffset(
  deps: SequencerDeps,
  source: Source,
  signal: AbortSignal,
): Promise<number> {
  const { src, begin, mark } = source;
  const last = await deps.log.coverage(src, offsetsEnd, signal);
  if (last === undefined) return begin;
  const entry = entryOf(last);
  if (entry.t !== "coverage" || entry.src !== src)
    throw new LogHalted("COVERAGE_BROKEN", `index ${last.index} (${last.key})`);
  // The mark was read before: another instance may have covered more since.
  if (entry.to > mark && entry.to > ((await deps.records.mark(src, signal)) ?? 0))
    throw new LogHalted("MARK_BEHIND_LOG", `${src} is covered up to ${entry.to}`);
  return entry.to;
}

/**
 * Rows from index `first` on for the offsets from `from` up to the mark, with at most `roomMax` records. An open run of the source lies before
 * `first` already and is part of what the entry covers.
 */
export async function coverSource(
  deps: SequencerDeps,
  source: Source,
  from: number,
  open: OpenRun | undefined,
  first: number,
  roomMax: number,
  signal: AbortSignal,
): Promise<Covered> {
  const { src, mark } = source;
  const begun = open?.rows ?? [];
  const limit = Math.min(logRowsMax, begun.length + roomMax);
  const found = await deps.log.loggable(src, from, mark, limit, signal);
  const end = found.length < limit ? mark : (found.at(-1)?.offset ?? mark - 1) + 1;
  const outcomes = await outcomesOf(deps, source, from, end, signal);
  const to = outcomes.length < outcomesMax ? end : (outcomes.at(-1)?.to ?? end);
  const records = found.filter(({ offset }) => offset < to);
  assertSameRun(begun, records);
  assertComplete(src, from, to, records, outcomes);
  const added = records.slice(begun.length);
  const rows = added.map((record, at) => recordRow(record, first + at, deps.sha256));
  const covered = { src, from, to, first: first - begun.length, n: records.length };
  const counts = countsOf(records.length, outcomes);
  const list = Buffer.from(deps.sha256(Buffer.from(outcomeList(outcomes)))).toString("base64url");
  const entry = coverageEntry({ atMs: deps.now(), ...covered, counts, list });
  const key = coverageKey(src, from);
  const coverage = { index: first + rows.length, key, leafHash: leafHash(deps.sha256, entry), entry };
  return { rows: [...rows, coverage], recordedAtMs: endsOf(added), to };
}

const outcomesOf = (
  { records }: SequencerDeps,
  { src }: Source,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<readonly OutcomeRow[]> =>
  records.outcomes({ src, from, to, kinds: notStored, limit: outcomesMax }, signal);

/** The run that lies in the log must be how the store's records of these offsets begin. */
function assertSameRun(begun: readonly LogRow[], records: readonly LoggableRecord[]): void {
  for (const [at, row] of begun.entries()) {
    const record = records[at];
    if (record?.rid === row.key) continue;
    if (records.some(({ rid }) => rid === row.key))
      throw new LogHalted("LOG_UNAUDITED", `record ${record?.rid} has no index`);
    throw new LogHalted("RECORD_ABSENT", `index ${row.index} (${row.key})`);
  }
}

/** Each offset of [from, to) is a record or lies in one outcome row, and never both. */
function assertComplete(
  src: Src,
  from: number,
  to: number,
  records: readonly LoggableRecord[],
  outcomes: readonly OutcomeRow[],
): void {
  let [next, at] = [from, 0];
  const pass = (begin: number, end: number): void => {
    if (begin < next) throw new LogHalted("DOUBLE_OUTCOME", `offset ${begin} of ${src}`);
    if (begin > next) throw new LogHalted("RECORD_ABSENT", `offset ${next} of ${src}`);
    next = end;
  };
  for (const outcome of outcomes) {
    for (
      let record = records[at];
      record !== undefined && record.offset < outcome.from;
      record = records[at]
    ) {
      pass(record.offset, record.offset + 1);
      at += 1;
    }
    pass(outcome.from, outcome.to);
  }
  for (const { offset } of records.slice(at)) pass(offset, offset + 1);
  if (next < to) throw new LogHalted("RECORD_ABSENT", `offset ${next} of ${src}`);
  if (next > to) throw new LogHalted("DOUBLE_OUTCOME", `offset ${to} of ${src}`);
}

function recordRow(
  { rid, entry, leafHash: stored }: LoggableRecord,
  index: number,
  sha256: SequencerDeps["sha256"],
): LogRow {
  const computed = leafHash(sha256, entry);
  if (Buffer.compare(computed, stored) !== 0) throw new LogHalted("LEAF_MISMATCH", `record ${rid}`);
  if (!namesRid(entry, rid)) throw new LogHalted("COLUMNS_DIFFER", `record ${rid}`);
  return { index, key: rid, leafHash: computed, entry: undefined };
}

function countsOf(stored: number, outcomes: readonly OutcomeRow[]): OutcomeCounts {
  const counts = { stored, duplicate: 0, conflict: 0, rejected: 0, gap: 0 };
  for (const { kind, from, to } of outcomes) counts[kind] += to - from;
  return counts;
}

const endsOf = (added: readonly LoggableRecord[]): readonly number[] =>
  [added.at(0), added.length > 1 ? added.at(-1) : undefined].flatMap(
    (record) => (record && parseRecordEntry(record.entry)?.recordedAtMs) ?? [],
  );
