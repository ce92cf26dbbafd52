/** Accounting: per partition a chain of entries without holes, whose end is the mark, and a row for each range that was not stored. */
import type { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import type { Src } from "../../core/ids.ts";
import { type OutcomeKind, type OutcomeRow, outcomeKinds } from "../../core/outcome.ts";
import {
  type AccountedSource,
  type AccountStep,
  entryAgeMaxMs,
  entryOffsetsMax,
  type IntakeCounts,
  type OutcomeQuery,
} from "../../ports/record-store.ts";
import { integer, optionalInteger, type Row, text } from "./columns.ts";
import { assertInTime } from "./faults.ts";

/** Rows counted between two looks at the signal. */
const countRowsMax = 50_000;

const rowKinds = outcomeKinds.filter((kind) => kind !== "stored");

export type Accounts = {
  isAtMark(step: AccountStep): boolean;
  /** Within a transaction, after `isAtMark`. */
  save(step: AccountStep): void;
  mark(src: Src): number | undefined;
  sources(): readonly AccountedSource[];
  counts(src: Src, from: number, to: number, signal: AbortSignal): Promise<IntakeCounts>;
  outcomes(query: OutcomeQuery): readonly OutcomeRow[];
};

const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

type Chain = { readonly begin: number; readonly mark: number };

function openChain(db: DatabaseSync) {
  const last = db.prepare(
    "SELECT begin_offset, end_offset, begun_at FROM accounts WHERE src = ? ORDER BY begin_offset DESC LIMIT 1",
  );
  const ends = db.prepare(
    "SELECT min(begin_offset) AS begin_offset, max(begin_offset) AS last_begin FROM accounts WHERE src = ?",
  );
  const begin = db.prepare(
    "INSERT INTO accounts (src, begin_offset, end_offset, begun_at) VALUES (?, ?, ?, ?)",
  );
  const extend = db.prepare(
    "UPDATE accounts SET end_offset = ? WHERE src = ? AND begin_offset = ? AND end_offset = ?",
  );
  const mark = (src: Src): number | undefined => {
    const entry = last.get(src);
    return entry && integer(entry, "end_offset");
  };
  const isOpen = (entry: Row, atMs: number): boolean =>
    atMs - integer(entry, "begun_at") < entryAgeMaxMs &&
    integer(entry, "end_offset") - integer(entry, "begin_offset") < entryOffsetsMax;
  return {
    mark,
    move({ src, from, to, atMs }: AccountStep): void {
      const entry = last.get(src);
      if (entry === undefined || !isOpen(entry, atMs)) begin.run(src, from, to, atMs);
      else extend.run(to, src, integer(entry, "begin_offset"), from);
    },
    whole(src: Src): Chain | undefined {
      const row = ends.get(src);
      const first = row && optionalInteger(row, "begin_offset");
      const end = mark(src);
      return first === undefined || end === undefined ? undefined : { begin: first, mark: end };
    },
  };
}

export function openAccounts(db: DatabaseSync): Accounts {
  const chain = openChain(db);
  const rows = openOutcomes(db);
  // Steps from one source to the next through the primary key: the table holds one row a minute and partition.
  const sources = db.prepare(`
    WITH RECURSIVE sources (src) AS (
      SELECT min(src) FROM accounts
      UNION ALL SELECT (SELECT min(src) FROM accounts WHERE src > sources.src) FROM sources WHERE src IS NOT NULL)
    SELECT src, (SELECT min(begin_offset) FROM accounts WHERE src = sources.src) AS begin, (SELECT end_offset FROM accounts WHERE src = sources.src ORDER BY begin_offset DESC LIMIT 1) AS mark
    FROM sources WHERE src IS NOT NULL`);
  const clip = (src: Src, from: number, to: number): Chain | undefined => {
    const whole = chain.whole(src);
    if (whole === undefined) return undefined;
    const begin = clamp(from, whole.begin, whole.mark);
    return { begin, mark: clamp(to, begin, whole.mark) };
  };
  return {
    isAtMark: ({ src, from }) => (chain.mark(src) ?? from) === from,
    save: (step) => {
      for (const row of step.outcomes) rows.insert(step.src, row);
      chain.move(step);
    },
    mark: chain.mark,
    sources: () =>
      sources.all().map((row) => ({
        src: text(row, "src") as Src,
        begin: integer(row, "begin"),
        mark: integer(row, "mark"),
      })),
    async counts(src, from, to, signal) {
      const counts = { stored: 0, duplicate: 0, conflict: 0, rejected: 0, gap: 0 };
      const range = clip(src, from, to);
      if (range === undefined) return { from, to: from, counts };
      counts.stored = range.mark - range.begin;
      for (const kind of rowKinds) {
        counts[kind] = await rows.count(src, kind, range, signal);
        counts.stored -= counts[kind];
      }
      return { from: range.begin, to: range.mark, counts };
    },
    outcomes({ src, from, to, kinds, limit }) {
      const range = clip(src, from, to);
      if (range === undefined) return [];
      return kinds
        .flatMap((kind) => rows.list(src, kind, range, limit))
        .sort((a, b) => a.from - b.from)
        .slice(0, limit);
    },
  };
}

function openOutcomes(db: DatabaseSync) {
  const insert = db.prepare(
    "INSERT INTO outcomes (src, begin_offset, end_offset, kind, detail) VALUES (?, ?, ?, ?, ?)",
  );
  // Ranges of one partition never overlap, so only the last one that begins before a range can reach into it.
  const before = db.prepare(
    "SELECT begin_offset, end_offset FROM outcomes WHERE src = ? AND begin_offset < ? ORDER BY begin_offset DESC LIMIT 1",
  );
  const list = db.prepare(
    "SELECT detail FROM outcomes WHERE src = ? AND kind = ? AND begin_offset >= ? AND begin_offset < ? ORDER BY begin_offset LIMIT ?",
  );
  const count = db.prepare(`
    SELECT count(*) AS rows, max(begin_offset) AS last,
      coalesce(sum(min(end_offset, ?1) - max(begin_offset, ?2)), 0) AS offsets
    FROM (SELECT begin_offset, end_offset FROM outcomes
      WHERE src = ?3 AND kind = ?4 AND begin_offset >= ?5 AND begin_offset < ?1 ORDER BY begin_offset LIMIT ?6)`);
  const lowest = (src: Src, from: number): number => {
    const row = before.get(src, from);
    return row !== undefined && integer(row, "end_offset") > from ? integer(row, "begin_offset") : from;
  };
  return {
    insert: (src: Src, row: OutcomeRow): void => {
      insert.run(src, row.from, row.to, row.kind, JSON.stringify(row));
    },
    list: (src: Src, kind: OutcomeKind, range: Chain, limit: number): readonly OutcomeRow[] =>
      list
        .all(src, kind, lowest(src, range.begin), range.mark, limit)
        .map((row): OutcomeRow => JSON.parse(text(row, "detail"))),
    async count(src: Src, kind: OutcomeKind, range: Chain, signal: AbortSignal): Promise<number> {
      let offsets = 0;
      for (let from = lowest(src, range.begin); ; await setImmediate()) {
        assertInTime(signal);
        const row = count.get(range.mark, range.begin, src, kind, from, countRowsMax);
        if (row === undefined) return offsets;
        offsets += integer(row, "offsets");
        if (integer(row, "rows") < countRowsMax) return offsets;
        from = integer(row, "last") + 1;
      }
    },
  };
}
