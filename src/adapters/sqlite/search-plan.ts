/** Which index a search walks, chosen here and not by SQLite's planner, so that the cost of a question never depends on statistics. */
import type { SQLInputValue } from "node:sqlite";
import { LastroError } from "../../core/errors.ts";
import type { Comparison } from "../../core/filter.ts";
import type { Rid } from "../../core/ids.ts";
import type { DriverField, OrderField, Walk } from "../../core/search-walk.ts";
import { positionOf } from "./columns.ts";
import { termsColumn } from "./search-columns.ts";

const driverIndexes: Readonly<Record<Exclude<DriverField, "text">, string>> = {
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

/** The tables that a walk goes through, and the columns that find and order its rows. */
function pathOf({ driver, order }: Walk): {
  readonly from: string;
  readonly by: string;
  readonly at: string;
} {
  if (driver?.field === "text")
    return {
      from: "terms CROSS JOIN records ON records.id = terms.record",
      by: "terms.term",
      at: order.field === "recorded_at" ? "terms.recorded_at" : `records.${order.field}`,
    };
  const index = driver === undefined ? timeIndexes[order.field] : driverIndexes[driver.field];
  return {
    from: `records INDEXED BY ${index}`,
    by: `records.${driver?.field}`,
    at: `records.${order.field}`,
  };
}

/** Behind the cursor, which lies within the bounds; else from the bound on. */
function startOf({ order, min, max }: Walk, at: string, cursor: Cursor | undefined): readonly Condition[] {
  const isDescending = order.direction === "desc";
  if (cursor !== undefined)
    return [[`(${at}, records.position) ${isDescending ? "<" : ">"} (?, ?)`, ...cursor]];
  return isDescending ? below(at, max) : above(at, min);
}
const above = (at: string, min: number): readonly Condition[] =>
  Number.isFinite(min) ? [[`${at} >= ?`, min]] : [];
const below = (at: string, max: number): readonly Condition[] =>
  Number.isFinite(max) ? [[`${at} <= ?`, max]] : [];

const whereOf = (conditions: readonly Condition[]): string =>
  conditions.length === 0 ? "1" : conditions.map(([sql]) => sql).join(" AND ");
const valuesOf = (conditions: readonly Condition[]): readonly SQLInputValue[] =>
  conditions.flatMap(([, ...values]) => values);

const selected = (columns: readonly string[], from: string): string =>
  `SELECT ${columns.join(", ")} FROM ${from}${columns.includes(termsColumn) ? ` LEFT JOIN texts ON texts.record = records.id` : ""}`;

/** The next rows of the walk behind the cursor. */
export function stepOf(
  walk: Walk,
  columns: readonly string[],
  cursor: Cursor | undefined,
  rows: number,
): Step {
  const { driver, order, min, max } = walk;
  const { from, by, at } = pathOf(walk);
  const conditions: readonly Condition[] = [
    ...(driver === undefined ? [] : [[`${by} = ?`, driver.value] as const]),
    ...(order.direction === "desc" ? above(at, min) : below(at, max)),
    ...startOf(walk, at, cursor),
  ];
  const direction = order.direction === "desc" ? "DESC" : "ASC";
  return {
    sql: `${selected(columns, from)} WHERE ${whereOf(conditions)}
      ORDER BY ${at} ${direction}, records.position ${direction} LIMIT ?`,
    values: [...valuesOf(conditions), rows],
  };
}

/** Behind every text that begins with another. */
const lastCharacter = "\u{10ffff}";

function termCondition({ operator, value }: Comparison): Condition {
  const term = String(value);
  return operator === "prefix" ? ["term >= ? AND term < ?", term, term + lastCharacter] : ["term = ?", term];
}

/** Ids of the records that have the term or one that begins so, each once, in no order. */
export function recordsOfTerm(term: Comparison, { min, max }: Pick<Walk, "min" | "max">, rows: number): Step {
  const conditions = [termCondition(term), ...above("recorded_at", min), ...below("recorded_at", max)];
  return {
    sql: `SELECT DISTINCT record FROM terms WHERE ${whereOf(conditions)} LIMIT ?`,
    values: [...valuesOf(conditions), rows],
  };
}

/** The records of these ids, which come as one JSON array. */
export const recordsById = (columns: readonly string[]): string =>
  `${selected(columns, "json_each(?) CROSS JOIN records ON records.id = json_each.value")}`;
export const recordByPosition = (columns: readonly string[]): string =>
  `${selected(columns, "records")} WHERE records.position = ?`;
