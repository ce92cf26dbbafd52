/** Which index a search walks, chosen here and not by the planner, so that the cost of a question never depends on statistics. */
import type { SQLInputValue } from "node:sqlite";
import { LastroError } from "../../core/errors.ts";
import type { Condition, RecordSearch, SearchField } from "../../ports/history-reader.ts";
import { positionOf } from "./columns.ts";

const expressions: Readonly<Record<SearchField, string>> = {
  tenant: "tenant", namespace: "namespace", entity_type: "entity_type", entity_id: "entity_id",
  kind: "iif(kind = 0, 'change', 'activity')", event_type: "event_type", action: "action",
  producer_service: "producer_service", trace_id: "trace_id", owner_id: "owner_id", ownership_id: "ownership_id",
  action_at: "action_at", recorded_at: "recorded_at", active: "is_active",
}; // biome-ignore format: a table

type Driver = { readonly field: SearchField; readonly index: string; readonly isNarrow: boolean };
/** The first whose field is asked for by equality is walked. Narrow ones hold few records of all. */
const drivers: readonly Driver[] = [
  { field: "trace_id", index: "records_by_trace", isNarrow: true },
  { field: "entity_id", index: "records_by_entity", isNarrow: true },
  { field: "ownership_id", index: "records_by_ownership", isNarrow: true },
  { field: "owner_id", index: "records_by_owner", isNarrow: true },
  { field: "event_type", index: "records_by_event_type", isNarrow: false },
  { field: "producer_service", index: "records_by_producer", isNarrow: false },
  { field: "tenant", index: "records_by_tenant", isNarrow: false },
];

/** Rows looked at in one step when not every row of the walk is an answer. */
const stepRowsMax = 500;

export type Cursor = readonly [at: number, tie: SQLInputValue];

export type Step = { readonly sql: string; readonly values: readonly SQLInputValue[] };

export type SearchPlan = {
  /** `ordered`: the walk is in the order asked for and ends at the limit. `collected`: all of a narrow index is walked and the best are kept. */
  readonly mode: "ordered" | "collected";
  readonly stepRows: number;
  readonly firstCursor: Cursor | undefined;
  /** The next rows behind the cursor: id, at (order value), position, scan_at, hit. */
  step(cursor: Cursor | undefined): Step;
};

type Fragment = { readonly sql: string; readonly values: readonly SQLInputValue[] };

const boundValue = ({ value }: Condition): SQLInputValue =>
  typeof value === "boolean" ? Number(value) : value;
const fragmentOf = (condition: Condition): Fragment => ({
  sql: `${expressions[condition.field]} ${condition.operator} ?`,
  values: [boundValue(condition)],
});
const allOf = (fragments: readonly Fragment[]): Fragment => ({
  sql: fragments.length === 0 ? "1" : fragments.map((f) => f.sql).join(" AND "),
  values: fragments.flatMap((f) => f.values),
});

function afterCursor({ after }: RecordSearch): Cursor | undefined {
  if (after === undefined) return undefined;
  const position = positionOf(after.rid);
  if (position === undefined) throw new LastroError("INVALID_ARGUMENT", "the page begins behind no record");
  return [after.value, position];
}

/** Where the walk ends, and where it begins unless a cursor says so: bounds on the field that orders it. */
function boundsOf(conditions: readonly Condition[], isDescending: boolean) {
  const [start, end] = isDescending ? ["<", ">"] : [">", "<"];
  return {
    start: conditions.filter((c) => c.operator.startsWith(start)).slice(0, 1),
    end: conditions.filter((c) => c.operator.startsWith(end)).slice(0, 1),
  };
}

export function planSearch(search: RecordSearch): SearchPlan {
  const { order } = search;
  const equalities = new Map(search.conditions.filter((c) => c.operator === "=").map((c) => [c.field, c]));
  const driver = drivers.find(({ field, isNarrow }) =>
    equalities.has(field) && (isNarrow || order.field === "recorded_at"),
  ); // biome-ignore format: one question
  const mode = order.field === "action_at" && driver !== undefined ? "collected" : "ordered";
  const index =
    driver?.index ?? (order.field === "recorded_at" ? "records_by_time" : "records_by_action_time");

  const isDescending = mode === "ordered" && order.direction === "desc";
  const scan = mode === "ordered" ? order.field : "recorded_at";
  const tie = mode === "ordered" ? "position" : "id";
  const equality = driver && equalities.get(driver.field);
  const others = search.conditions.filter((c) => c !== equality);
  const scanned = others.filter((c) => c.field === scan);
  const bounds = boundsOf(scanned, isDescending);
  const [sign, direction] = isDescending ? ["<", "DESC"] : [">", "ASC"];

  const after = afterCursor(search);
  const behind: Fragment[] =
    mode === "collected" && after
      ? [{ sql: `(action_at, position) ${order.direction === "asc" ? ">" : "<"} (?, ?)`, values: after }]
      : [];
  const hit = allOf([...others.map(fragmentOf), ...behind]);
  const stepRows =
    mode === "ordered" && scanned.length === others.length
      ? search.limit
      : Math.max(search.limit, stepRowsMax);

  const step = (cursor: Cursor | undefined): Step => {
    const begin: Fragment[] =
      cursor === undefined
        ? bounds.start.map(fragmentOf)
        : [{ sql: `(${scan}, ${tie}) ${sign} (?, ?)`, values: cursor }];
    const where = allOf([...(equality ? [equality] : []), ...bounds.end].map(fragmentOf).concat(begin));
    return {
      sql: `SELECT id, ${order.field} AS at, position, ${scan} AS scan_at, (${hit.sql}) AS hit
        FROM records INDEXED BY ${index} WHERE ${where.sql} ORDER BY ${scan} ${direction}, ${tie} ${direction} LIMIT ?`,
      values: [...hit.values, ...where.values, stepRows],
    };
  };
  return { mode, stepRows, firstCursor: mode === "ordered" ? after : undefined, step };
}
