/** Which index a search walks, chosen here and not by SQLite's planner, so that the cost of a question never depends on statistics. */
import type { SQLInputValue } from "node:sqlite";
import { LastroError } from "../../core/errors.ts";
import type { Rid } from "../../core/ids.ts";
import { isTextField, type OrderField, type Walk } from "../../core/search-walk.ts";
import { firstBehind } from "../../core/text-order.ts";
import { blob, integer, positionOf, type Row, text } from "./columns.ts";
import { termsColumn } from "./search-columns.ts";

const indexes: Readonly<Record<OrderField, string>> = {
  trace_id: "records_by_trace", entity_id: "records_by_entity", ownership_id: "records_by_ownership", owner_id: "records_by_owner",
  event_type: "records_by_event_type", producer_service: "records_by_producer", tenant: "records_by_tenant",
  recorded_at: "records_by_time", action_at: "records_by_action_time",
}; // biome-ignore format: a table

/** What a row says of the columns that the walk goes along. */
export type Cursor = readonly SQLInputValue[];

type Condition = readonly [sql: string, ...values: readonly SQLInputValue[]];
export type Step = { readonly sql: string; readonly values: readonly SQLInputValue[] };

export function placeOf(rid: Rid): Uint8Array {
  const position = positionOf(rid);
  if (position === undefined) throw new LastroError("INVALID_ARGUMENT", "the page begins behind no record");
  return position;
}

export function firstCursor({ order, after }: Walk): Cursor | undefined {
  if (after === undefined) return undefined;
  const { value, at, rid } = after;
  return [...(isTextField(order.field) ? [value] : []), at, placeOf(rid)];
}

export function cursorAt({ order: { field } }: Walk, row: Row): Cursor {
  const value = isTextField(field) ? [text(row, field), integer(row, "recorded_at")] : [integer(row, field)];
  return [...value, blob(row, "position")];
}

/** The tables that a walk goes through, the column that finds its rows, and those that order them. */
function pathOf({ driver, order: { field } }: Walk): {
  readonly from: string;
  readonly by: string;
  readonly along: readonly [string, ...string[]];
} {
  if (driver?.field === "text")
    return {
      from: "terms CROSS JOIN records ON records.id = terms.record",
      by: "terms.term",
      along: [field === "recorded_at" ? "terms.recorded_at" : `records.${field}`, "records.position"],
    };
  return {
    from: `records INDEXED BY ${indexes[driver?.field ?? field]}`,
    by: `records.${driver?.field}`,
    along: [`records.${field}`, ...(isTextField(field) ? ["records.recorded_at"] : []), "records.position"],
  };
}

type Bounds = { readonly lower: readonly Condition[]; readonly upper: readonly Condition[] };

function boundsOf({ order: { field }, min, max, prefix }: Walk, at: string): Bounds {
  if (!isTextField(field)) return { lower: above(at, min), upper: below(at, max) };
  const end = firstBehind(prefix);
  return {
    lower: [prefix === "" ? [`${at} > ''`] : [`${at} >= ?`, prefix]],
    upper: end === undefined ? [] : [[`${at} < ?`, end]],
  };
}
const above = (at: string, min: number): readonly Condition[] =>
  Number.isFinite(min) ? [[`${at} >= ?`, min]] : [];
const below = (at: string, max: number): readonly Condition[] =>
  Number.isFinite(max) ? [[`${at} <= ?`, max]] : [];

/** From the bound on, or behind the cursor, which lies within the bounds, to the other bound. */
function between(
  { lower, upper }: Bounds,
  along: readonly string[],
  cursor: Cursor | undefined,
  isDescending: boolean,
): readonly Condition[] {
  const [start, end] = isDescending ? [upper, lower] : [lower, upper];
  if (cursor === undefined) return [...start, ...end];
  const places = cursor.map(() => "?").join(", ");
  return [...end, [`(${along.join(", ")}) ${isDescending ? "<" : ">"} (${places})`, ...cursor]];
}

/** What is absent is null in some rows and empty in others; both lie in the order of the walk, and SQLite merges them. */
const driven = ({ driver }: Walk, by: string): readonly Condition[] =>
  driver === undefined
    ? [["1"]]
    : driver.value === ""
      ? [[`${by} IS NULL`], [`${by} = ''`]]
      : [[`${by} = ?`, driver.value]];

const whereOf = (conditions: readonly Condition[]): string => conditions.map(([sql]) => sql).join(" AND ");
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
  const { from, by, along } = pathOf(walk);
  const isDescending = walk.order.direction === "desc";
  const within = between(boundsOf(walk, along[0]), along, cursor, isDescending);
  const parts = driven(walk, by).map((condition) => [condition, ...within]);
  return {
    sql: `${parts.map((conditions) => `${selected(columns, from)} WHERE ${whereOf(conditions)}`).join(" UNION ALL ")}
      ORDER BY ${along.map((column) => `${column} ${isDescending ? "DESC" : "ASC"}`).join(", ")} LIMIT ?`,
    values: [...parts.flatMap(valuesOf), rows],
  };
}

/** Where a walk through the terms stands, which lie by term, recorded_at and record. */
export type TermPlace = readonly [term: string, recordedAt: number, record: number];
const beforeRecords = -1;
export const beforeTerms = (prefix: string): TermPlace => [prefix, -Infinity, beforeRecords];

type TimeRange = Pick<Walk, "min" | "max">;
const termRows = `SELECT term, recorded_at, record FROM terms
  WHERE (term, recorded_at, record) > (?, ?, ?) AND term < ? ORDER BY term, recorded_at, record`;
/** To SQLite bytes lie behind every text. */
const behindTexts = new Uint8Array();
const termRowsOf = (prefix: string, place: TermPlace) => [...place, firstBehind(prefix) ?? behindTexts];

/** The last of so many rows of terms that begin so, behind a place; none where there are fewer. Over several terms no index finds a time. */
export const lastOfTerms = (prefix: string, place: TermPlace, rows: number): Step => ({
  sql: `${termRows} LIMIT 1 OFFSET ?`,
  values: [...termRowsOf(prefix, place), rows - 1],
});

/** Ids of the records within the time that so many rows name. */
export function recordsOfTerms(
  prefix: string,
  place: TermPlace,
  { min, max }: TimeRange,
  rows: number,
): Step {
  const times: readonly Condition[] = [["1"], ...above("recorded_at", min), ...below("recorded_at", max)];
  return {
    sql: `SELECT DISTINCT record FROM (${termRows} LIMIT ?) WHERE ${whereOf(times)}`,
    values: [...termRowsOf(prefix, place), rows, ...valuesOf(times)],
  };
}

/** Behind the place; what lies out of the time asked for is passed over at once, up to the next term. */
export function nextPlace(place: TermPlace, { min, max }: TimeRange): TermPlace {
  const [term, recordedAt] = place;
  if (recordedAt < min) return [term, min, beforeRecords];
  return recordedAt > max ? [term, Infinity, beforeRecords] : place;
}

/** How many records have the term, counted no further than asked. */
export const countOfTerm = "SELECT count(*) AS n FROM (SELECT 1 FROM terms WHERE term = ? LIMIT ?)";

/** The records of these ids, which come as one JSON array. */
export const recordsById = (columns: readonly string[]): string =>
  `${selected(columns, "json_each(?) CROSS JOIN records ON records.id = json_each.value")}`;
export const recordByPosition = (columns: readonly string[]): string =>
  `${selected(columns, "records")} WHERE records.position = ?`;
