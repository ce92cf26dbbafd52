/** Counting records by their values and by time: the same, whether it is made of cells or of each record. */
import { operationOf } from "./actions.ts";
import { severities } from "./event.ts";
import type { Filter } from "./filter.ts";
import { fieldsOf, holds } from "./filter-holds.ts";
import { type FieldValue, type FilterField, formOf, isIndexedPath } from "./search-fields.ts";
import { type Cells, type CountedRecord, cellFields, quarterMs, rowLength } from "./summary-cells.ts";

export type SummaryQuestion = {
  /** Without the bounds of the time that is asked for. */
  readonly filter: Filter;
  readonly groupBy: readonly FilterField[];
  /** By quarter of an hour; undefined: not by time. */
  readonly bucketOf: ((quarter: number) => string) | undefined;
};

export type Counts = {
  readonly total: number;
  /** By the fields asked for, in their order. */
  readonly fields: readonly ReadonlyMap<string, number>[];
  readonly buckets: ReadonlyMap<string, number>;
};

/** Whether a field's values can be counted: those of an endless list each occur once. */
export function isCountable(field: FilterField): boolean {
  const { type } = formOf(field);
  return isIndexedPath(field) || type === "text" || type === "word" || type === "level" || type === "boolean";
}

const ofCells: ReadonlySet<FilterField> = new Set([...cellFields, "kind", "operation"]);

/** Whether cells know all that is asked. */
export const knownToCells = ({ filter, groupBy }: SummaryQuestion): boolean =>
  fieldsOf(filter).every((field) => ofCells.has(field)) &&
  groupBy.every((field) => ofCells.has(field) || field === "owner_id");

const levels: readonly string[] = severities;
const places = new Map<FilterField, number>(cellFields.map((field, at) => [field, at]));

function valueOfCell(values: readonly string[], field: FilterField): FieldValue {
  const at = (name: (typeof cellFields)[number]): string => values[places.get(name) ?? 0] ?? "";
  if (field === "kind") return at("action") === "none" ? "activity" : "change";
  if (field === "operation") return operationOf(at("event_type"));
  if (field === "severity") return levels.indexOf(at("severity"));
  return values[places.get(field) ?? -1] ?? "";
}

/** As answers show it. */
export const shownValue = (field: FilterField, value: FieldValue | undefined): string =>
  formOf(field).type === "level" ? (severities[Number(value)] ?? "") : String(value ?? "");

const add = <K>(counts: Map<K, number>, key: K, count: number): void =>
  void counts.set(key, (counts.get(key) ?? 0) + count);

export type Tally = {
  /** Quarters [from, to) of the cells. */
  addCells(cells: Cells, from: number, to: number): void;
  /** A record that matches; its values in the order of the fields asked for. */
  addRecord(recordedAtMs: number, values: readonly (FieldValue | undefined)[]): void;
  counts(): Counts;
};

export function newTally({ filter, groupBy, bucketOf }: SummaryQuestion): Tally {
  let total = 0;
  const fields = groupBy.map(() => new Map<string, number>());
  const buckets = new Map<string, number>();
  const byActor = groupBy.includes("owner_id");
  const addTime = (quarter: number, count: number): void => {
    if (bucketOf !== undefined) add(buckets, bucketOf(quarter), count);
  };
  return {
    addCells(cells, from, to) {
      const isWanted = cells.values.map((of) => holds(filter, (field) => valueOfCell(of, field)) === true);
      const sums = sumsOf(cells, isWanted, { from, to, byActor, byQuarter: bucketOf !== undefined });
      total += sums.total;
      for (const [quarter, count] of sums.byQuarter) addTime(quarter, count);
      for (const [at, field] of groupBy.entries()) {
        const counted = fields[at] ?? new Map<string, number>();
        const isActor = field === "owner_id";
        for (const [place, count] of (isActor ? sums.byActor : sums.byValue).entries()) {
          if (count === 0) continue;
          const value = isActor
            ? (cells.actors[place] ?? "")
            : shownValue(field, valueOfCell(cells.values[place] ?? [], field));
          add(counted, value, count);
        }
      }
    },
    addRecord(recordedAtMs, values) {
      total++;
      addTime(Math.floor(recordedAtMs / quarterMs), 1);
      for (const [at, field] of groupBy.entries())
        add(fields[at] ?? new Map<string, number>(), shownValue(field, values[at]), 1);
    },
    counts: () => ({ total, fields, buckets }),
  };
}

type Wanted = {
  /** Quarters [from, to). */
  readonly from: number;
  readonly to: number;
  readonly byActor: boolean;
  readonly byQuarter: boolean;
};

/** By place of the values, and where wanted by place of the actor and by quarter. A large tree has millions of rows. */
function sumsOf({ values, actors, rows }: Cells, isWanted: readonly boolean[], wanted: Wanted) {
  const byValue = new Float64Array(values.length);
  const byActor = new Float64Array(wanted.byActor ? actors.length : 0);
  const byQuarter = new Map<number, number>();
  let total = 0;
  for (let at = 0; at < rows.length; at += rowLength) {
    const quarter = rows[at] as number;
    const value = rows[at + 1] as number;
    if (quarter < wanted.from || quarter >= wanted.to || isWanted[value] !== true) continue;
    const actor = rows[at + 2] as number;
    const count = rows[at + 3] as number;
    total += count;
    byValue[value] = (byValue[value] ?? 0) + count;
    if (wanted.byActor) byActor[actor] = (byActor[actor] ?? 0) + count;
    if (wanted.byQuarter) add(byQuarter, quarter, count);
  }
  return { total, byValue, byActor, byQuarter };
}

/** From what was read of a record, by `countedFields`. */
export function countedRecord([recordedAtMs, actor, ...values]: readonly (
  | FieldValue
  | undefined
)[]): CountedRecord {
  return {
    recordedAtMs: Number(recordedAtMs),
    values: cellFields.map((field, at) => shownValue(field, values[at])),
    actor: String(actor ?? ""),
  };
}
