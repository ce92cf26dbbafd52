/** Searching in short steps: the process is ours alone while SQLite works, so between steps others run and the signal is looked at. */
import type { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import { fieldsOf } from "../../core/filter-holds.ts";
import type { Rid } from "../../core/ids.ts";
import type { FilterField } from "../../core/search-fields.ts";
import {
  type Candidate,
  type CountTerm,
  findMatches,
  type Matches,
  type RecordSearch,
  type Walk,
} from "../../core/search-walk.ts";
import type { ScanAnswer, SearchAnswer } from "../../ports/history-reader.ts";
import { ridsMax } from "../../ports/history-reader.ts";
import { blob, integer, type Row, ridAt, text } from "./columns.ts";
import { assertInTime } from "./faults.ts";
import { prepareRecords, recordOf } from "./record-row.ts";
import { searchColumns, valuesOf } from "./search-columns.ts";
import {
  beforeTerms,
  type Cursor,
  countOfTerm,
  cursorAt,
  firstCursor,
  lastOfTerms,
  nextPlace,
  placeOf,
  recordByPosition,
  recordsById,
  recordsOfTerms,
  type Step,
  stepOf,
  type TermPlace,
} from "./search-plan.ts";
import { openSnapshot } from "./transaction.ts";

/** Rows looked at in one step. */
const stepRowsMax = 500;
/** Rows of terms, of which none is read but those that count. */
const stepTermsMax = 1_000;

type Found = Candidate & { readonly id: number };
type Looking = {
  readonly db: DatabaseSync;
  readonly search: RecordSearch;
  readonly columns: readonly string[];
  readonly signal: AbortSignal;
};

const foundIn = (row: Row): Found => ({
  id: integer(row, "id"),
  place: blob(row, "position"),
  read: valuesOf(row),
});

/** Steps begin as short as the answer may be, and grow where few rows match. */
async function* walkRows(looking: Looking, walk: Walk): AsyncGenerator<readonly Found[]> {
  const { db, search, columns, signal } = looking;
  let cursor: Cursor | undefined = firstCursor(walk);
  for (let limit = Math.min(search.limit, stepRowsMax); ; limit = Math.min(2 * limit, stepRowsMax)) {
    assertInTime(signal);
    const { sql, values } = stepOf(walk, columns, cursor, limit);
    const rows = db.prepare(sql).all(...values);
    yield rows.map(foundIn);
    const last = rows.at(-1);
    if (last === undefined || rows.length < limit) return;
    cursor = cursorAt(walk, last);
    await setImmediate();
  }
}

type TimeRange = Pick<Walk, "min" | "max">;
const always: TimeRange = { min: -Infinity, max: Infinity };

/** Ids of records that have a term that begins so, each once, in no order, and no more than asked for. */
async function recordsOfBeginning(
  { db, signal }: Pick<Looking, "db" | "signal">,
  prefix: string,
  range: TimeRange,
  max: number,
): Promise<readonly number[]> {
  const all = ({ sql, values }: Step): readonly Row[] => db.prepare(sql).all(...values);
  // Both of one moment: a term that is indexed between them would push another out of the step.
  const step = (place: TermPlace) => ({
    last: all(lastOfTerms(prefix, place, stepTermsMax)).map(termPlaceOf)[0],
    rows: all(recordsOfTerms(prefix, place, range, stepTermsMax)),
  });
  const snapshot = openSnapshot(db);
  const ids = new Set<number>();
  for (let place = beforeTerms(prefix); ; ) {
    assertInTime(signal);
    const { last, rows } = snapshot(() => step(place));
    for (const row of rows) ids.add(integer(row, "record"));
    if (last === undefined || ids.size >= max) return [...ids].slice(0, max);
    place = nextPlace(last, range);
    await setImmediate();
  }
}

const termPlaceOf = (row: Row): TermPlace => [
  text(row, "term"),
  integer(row, "recorded_at"),
  integer(row, "record"),
];

/** Of a beginning of terms: the records lie in the order of the terms, and one may have several of them. */
async function* gatherRows(looking: Looking, walk: Walk, prefix: string): AsyncGenerator<readonly Found[]> {
  const { db, search, columns, signal } = looking;
  const ids = await recordsOfBeginning(looking, prefix, walk, search.scanMax + 1);
  if (ids.length > search.scanMax) {
    yield ids.map(unread);
    return;
  }
  const byId = db.prepare(recordsById(columns));
  for (let from = 0; from < ids.length; from += stepRowsMax) {
    await setImmediate();
    assertInTime(signal);
    yield byId.all(JSON.stringify(ids.slice(from, from + stepRowsMax))).map(foundIn);
  }
}

/** Of a walk that is too long already, nothing is looked at. */
const unread = (id: number): Found => ({ id, place: new Uint8Array(), read: () => undefined });

const termCounter =
  (looking: Looking): CountTerm =>
  async ({ operator, value }, max) => {
    const term = String(value);
    if (operator === "prefix") return (await recordsOfBeginning(looking, term, always, max)).length;
    return integer(looking.db.prepare(countOfTerm).get(term, max) ?? {}, "n");
  };

async function find(looking: Looking): Promise<Matches<Found>> {
  const start = (walk: Walk) =>
    walk.driver?.isPrefix ? gatherRows(looking, walk, walk.driver.value) : walkRows(looking, walk);
  return findMatches(looking.search, start, placeOf, termCounter(looking));
}

const nextOf = ({ last }: Matches<Found>): SearchAnswer["next"] =>
  last && { value: last.value, at: last.at, rid: ridAt(last.place) };

export function openSearch(db: DatabaseSync) {
  const byId = prepareRecords(db, "WHERE id = ?");
  const snapshot = openSnapshot(db);
  return async (search: RecordSearch, signal: AbortSignal): Promise<SearchAnswer> => {
    const columns = searchColumns([...fieldsOf(search.filter), search.order.field]);
    const found = await find({ db, search, columns, signal });
    const rows = snapshot(() => found.hits.map(({ id }) => byId.get(id)));
    return {
      rows: rows.filter((row) => row !== undefined).map(recordOf),
      scanned: found.scanned,
      next: nextOf(found),
    };
  };
}

/** The same without reading the records whole. */
export function openScan(db: DatabaseSync) {
  return async (
    search: RecordSearch,
    fields: readonly FilterField[],
    signal: AbortSignal,
  ): Promise<ScanAnswer> => {
    const columns = searchColumns([...fieldsOf(search.filter), search.order.field, ...fields]);
    const found = await find({ db, search, columns, signal });
    return {
      found: found.hits.map(({ place, read }) => ({ rid: ridAt(place), values: fields.map(read) })),
      scanned: found.scanned,
      next: nextOf(found),
    };
  };
}

/** The same of records that are known. */
export function openValues(db: DatabaseSync) {
  const snapshot = openSnapshot(db);
  return (rids: readonly Rid[], fields: readonly FilterField[]) => {
    const byPosition = db.prepare(recordByPosition(searchColumns(fields)));
    const rows = snapshot(() => rids.slice(0, ridsMax).map((rid) => byPosition.get(placeOf(rid))));
    return rows.filter((row) => row !== undefined).map((row) => fields.map(valuesOf(row)));
  };
}
