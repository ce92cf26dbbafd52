/** Searching in short steps: the process is ours alone while SQLite works, so between steps others run and the signal is looked at. */
import type { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import type { RecordRow } from "../../core/record.ts";
import type { RecordSearch } from "../../ports/history-reader.ts";
import { blob, integer, type Row } from "./columns.ts";
import { assertInTime } from "./faults.ts";
import { prepareRecords, recordOf } from "./record-row.ts";
import { type Cursor, planSearch, type SearchPlan } from "./search-plan.ts";
import { openSnapshot } from "./transaction.ts";

type Hit = { readonly id: number; readonly at: number; readonly position: Uint8Array };
const hitOf = (row: Row): Hit => ({
  id: integer(row, "id"),
  at: integer(row, "at"),
  position: blob(row, "position"),
});

/** Hits in the order of the walk. */
async function* walk(
  db: DatabaseSync,
  plan: SearchPlan,
  signal: AbortSignal,
): AsyncGenerator<readonly Hit[]> {
  let cursor: Cursor | undefined = plan.firstCursor;
  for (;;) {
    assertInTime(signal);
    const { sql, values } = plan.step(cursor);
    const rows = db.prepare(sql).all(...values);
    yield rows.filter((row) => row["hit"] === 1).map(hitOf);
    const last = rows.at(-1);
    if (last === undefined || rows.length < plan.stepRows) return;
    cursor = [
      integer(last, "scan_at"),
      plan.mode === "ordered" ? blob(last, "position") : integer(last, "id"),
    ];
    await setImmediate();
  }
}

async function findHits(
  db: DatabaseSync,
  search: RecordSearch,
  signal: AbortSignal,
): Promise<readonly Hit[]> {
  const plan = planSearch(search);
  const sign = search.order.direction === "asc" ? 1 : -1;
  const compare = (a: Hit, b: Hit) => sign * (a.at - b.at || Buffer.compare(a.position, b.position));
  let found: Hit[] = [];
  for await (const hits of walk(db, plan, signal)) {
    found.push(...hits);
    if (plan.mode === "collected") found.sort(compare);
    else if (found.length >= search.limit) break;
    found = found.slice(0, search.limit);
  }
  return found.slice(0, search.limit);
}

export function openSearch(db: DatabaseSync) {
  const byId = prepareRecords(db, "WHERE id = ?");
  const snapshot = openSnapshot(db);
  return async (search: RecordSearch, signal: AbortSignal): Promise<readonly RecordRow[]> => {
    const hits = await findHits(db, search, signal);
    const rows = snapshot(() => hits.map(({ id }) => byId.get(id)));
    return rows.filter((row) => row !== undefined).map(recordOf);
  };
}
