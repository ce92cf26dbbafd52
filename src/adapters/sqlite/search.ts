/** Searching in short steps: the process is ours alone while SQLite works, so between steps others run and the signal is looked at. */
import type { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import { type Candidate, findMatches, type RecordSearch, type Walk } from "../../core/search-walk.ts";
import type { SearchAnswer } from "../../ports/history-reader.ts";
import { blob, integer, type Row, ridAt } from "./columns.ts";
import { assertInTime } from "./faults.ts";
import { prepareRecords, recordOf } from "./record-row.ts";
import { searchColumns, valuesOf } from "./search-columns.ts";
import { type Cursor, firstCursor, placeOf, stepOf } from "./search-plan.ts";
import { openSnapshot } from "./transaction.ts";

/** Rows looked at in one step. */
const stepRowsMax = 500;

type Found = Candidate & { readonly id: number };

/** Steps begin as short as the answer may be, and grow where few rows match. */
async function* walkRows(
  db: DatabaseSync,
  walk: Walk,
  search: RecordSearch,
  signal: AbortSignal,
): AsyncGenerator<readonly Found[]> {
  const columns = searchColumns(search.filter);
  const foundIn = (row: Row): Found => ({
    id: integer(row, "id"),
    at: integer(row, search.order.field),
    place: blob(row, "position"),
    read: valuesOf(row),
  });
  let cursor: Cursor | undefined = firstCursor(walk);
  for (let limit = Math.min(search.limit, stepRowsMax); ; limit = Math.min(2 * limit, stepRowsMax)) {
    assertInTime(signal);
    const { sql, values } = stepOf(walk, columns, cursor, limit);
    const rows = db.prepare(sql).all(...values);
    yield rows.map(foundIn);
    const last = rows.at(-1);
    if (last === undefined || rows.length < limit) return;
    cursor = [integer(last, walk.order.field), blob(last, "position")];
    await setImmediate();
  }
}

export function openSearch(db: DatabaseSync) {
  const byId = prepareRecords(db, "WHERE id = ?");
  const snapshot = openSnapshot(db);
  return async (search: RecordSearch, signal: AbortSignal): Promise<SearchAnswer> => {
    const { hits, scanned, last } = await findMatches(
      search,
      (walk) => walkRows(db, walk, search, signal),
      placeOf,
    );
    const rows = snapshot(() => hits.map(({ id }) => byId.get(id)));
    return {
      rows: rows.filter((row) => row !== undefined).map(recordOf),
      scanned,
      next: last && { value: last.at, rid: ridAt(last.place) },
    };
  };
}
