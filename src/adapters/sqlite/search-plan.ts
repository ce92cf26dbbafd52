/** Which index a search walks, chosen here and not by SQLite's planner, so that the cost of a question never depends on statistics. */
import type { SQLInputValue } from "node:sqlite";
import { LastroError } from "../../core/errors.ts";
import type { Rid } from "../../core/ids.ts";
import type { DriverField, OrderField, Walk } from "../../core/search-walk.ts";
import { positionOf } from "./columns.ts";

const driverIndexes: Readonly<Record<DriverField, string>> = {
  trace_id: "records_by_trace", entity_id: "records_by_entity", ownership_id: "records_by_ownership", owner_id: "records_by_owner",
  event_type: "records_by_event_type", producer_service: "records_by_producer", tenant: "records_by_tenant",
}; // biome-ignore format: a table
const timeIndexes: Readonly<Record<OrderField, string>> = {
  recorded_at: "records_by_time",
  action_at: "records_by_action_time",
};

/** The order value of a row, and its position. */
export type Cursor = readonly [at: number, position: Uint8Array];

type Condition = readonly [sql: string, ...values: readonly SQLInputValue[]];
export type Step = { readonly sql: string; readonly values: readonly SQLInputValue[] };

export function placeOf(rid: Rid): Uint8Array {
  const position = positionOf(rid);
  if (position === undefined) throw new LastroError("INVALID_ARGUMENT", "the page begins behind no record");
  return position;
}

export const firstCursor = ({ after }: Walk): Cursor | undefined =>
  after && [after.value, placeOf(after.rid)];

/** Behind the cursor, which lies within the bounds; else from the bound on. */
function startOf({ order, min, max }: Walk, cursor: Cursor | undefined): readonly Condition[] {
  const isDescending = order.direction === "desc";
  if (cursor !== undefined)
    return [[`(${order.field}, position) ${isDescending ? "<" : ">"} (?, ?)`, ...cursor]];
  return isDescending ? below(order.field, max) : above(order.field, min);
}
const above = (field: OrderField, min: number): readonly Condition[] =>
  Number.isFinite(min) ? [[`${field} >= ?`, min]] : [];
const below = (field: OrderField, max: number): readonly Condition[] =>
  Number.isFinite(max) ? [[`${field} <= ?`, max]] : [];

/** The next rows of the walk behind the cursor. */
export function stepOf(
  walk: Walk,
  columns: readonly string[],
  cursor: Cursor | undefined,
  rows: number,
): Step {
  const { driver, order, min, max } = walk;
  const conditions: readonly Condition[] = [
    ...(driver === undefined ? [] : [[`${driver.field} = ?`, driver.value] as const]),
    ...(order.direction === "desc" ? above(order.field, min) : below(order.field, max)),
    ...startOf(walk, cursor),
  ];
  const where = conditions.length === 0 ? "1" : conditions.map(([sql]) => sql).join(" AND ");
  const index = driver === undefined ? timeIndexes[order.field] : driverIndexes[driver.field];
  const direction = order.direction === "desc" ? "DESC" : "ASC";
  return {
    sql: `SELECT ${columns.join(", ")} FROM records INDEXED BY ${index} WHERE ${where}
      ORDER BY ${order.field} ${direction}, position ${direction} LIMIT ?`,
    values: [...conditions.flatMap(([, ...values]) => values), rows],
  };
}
