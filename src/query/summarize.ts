/** Counts of records by their values and by time, as of a tree: by the index's cells where they know all that is asked, else of a bounded number of records. */
import type { Told } from "../access/watch.ts";
import {
  allOf,
  type Comparison,
  conjunctsOf,
  type Filter,
  parseField,
  parseFilter,
  rangeOf,
} from "../core/filter.ts";
import { selfProducer } from "../core/parse-options.ts";
import type { FilterField } from "../core/search-fields.ts";
import { isCountable, knownToCells, newTally, type SummaryQuestion, type Tally } from "../core/summary.ts";
import { quarterMs } from "../core/summary-cells.ts";
import { bucketReader, type TimeBucket } from "../core/time-buckets.ts";
import { checkAsOf, requireIndexed, textTree } from "./as-of.ts";
import { cellsWithin, type Reach, reachOf } from "./count-cells.ts";
import { countedRowsMax, countRecords } from "./count-records.ts";
import { type Caller, invalid, type QueryDeps } from "./deps.ts";
import { asksPersonal, isPersonal } from "./mask.ts";
import { type Access, narrowed, permit, requireWhole, tellTold } from "./permit.ts";
import { indexedPaths } from "./search-records.ts";
import { requireOn, requireTextOn } from "./switched-on.ts";

export const groupFieldsMax = 8;
export const groupValuesDefault = 20;
export const groupValuesMax = 1_000;
/** More of them would not fit an answer. */
export const bucketsMax = 20_000;

export type SummarizeRequest = {
  readonly filter: string;
  /** Must hold beside the filter. */
  readonly also?: Filter | undefined;
  readonly groupBy: readonly string[];
  readonly bucket: TimeBucket | undefined;
  /** IANA name; empty: UTC. */
  readonly timeZone: string;
  /** Per field; 0: the default. */
  readonly valuesMax: number;
  /** Counted is what the tree of this size holds; undefined: the newest one that can be. */
  readonly asOfTreeSize: number | undefined;
};

export type ValueCount = { readonly value: string; readonly count: number };
export type FieldCounts = {
  readonly field: string;
  /** Most frequent first, equal ones by value. */
  readonly values: readonly ValueCount[];
  /** Records of the values that are left out. */
  readonly rest: number;
};
export type Summary = {
  readonly total: number;
  readonly fields: readonly FieldCounts[];
  /** Ascending; those without a record are left out. */
  readonly buckets: readonly ValueCount[];
  /** More records were to be looked at than are: the newest of them were counted. */
  readonly isPartial: boolean;
  /** Records that matched and were looked at; the others were counted by cells. */
  readonly looked: number;
  /** The tree whose records are counted; undefined: there is none, and what is stored was counted. */
  readonly countedTreeSize: number | undefined;
};

export async function summarizeRecords(
  deps: QueryDeps,
  request: SummarizeRequest,
  caller: Caller,
  signal: AbortSignal,
  treeSize: number | undefined,
): Promise<Summary> {
  const access = permit(deps, caller, "SummarizeRecords");
  const { summary, told } = await summarize(deps, access, request, signal, treeSize);
  if (told !== undefined) await tellTold(deps, access, told, signal);
  return summary;
}

/** Whoever answers with it tells what is `told`, once. Undefined: it tells nothing that a mask would hide. */
type Summarized = { readonly summary: Summary; readonly told: Told | undefined };

export async function summarize(
  deps: QueryDeps,
  access: Access,
  request: SummarizeRequest,
  signal: AbortSignal,
  treeSize: number | undefined,
): Promise<Summarized> {
  await requireOn(deps, access, "summaries");
  const paths = indexedPaths(deps.catalogue);
  const given = parseFilter(request.filter, paths);
  const asked = request.also === undefined ? given : allOf([given, request.also]);
  const groupBy = groupByOf(request, paths);
  const namesPersons = groupBy.some(isPersonal);
  const reached = namesPersons ? requireWhole(deps, access, "group_by") : access;
  const filter = narrowed(deps, reached, asked);
  await requireTextOn(deps, access, filter);
  const { asOfTreeSize: asOf } = request;
  checkAsOf(asOf, treeSize);
  const question = { filter, groupBy, bucketOf: bucketOf(request) };
  const valuesMax = valuesMaxOf(request);
  const tally = newTally({ ...question, filter: withoutTime(filter) });
  const counted = await count(deps, question, tally, { asOf, treeSize }, signal);
  const summary = { ...answerOf(request, tally, valuesMax), ...counted };
  const tellsOfPersons = namesPersons || asksPersonal(asked);
  return { summary, told: tellsOfPersons ? toldOf(summary, filter) : undefined };
}

const toldOf = ({ total }: Summary, filter: Filter): Told => ({
  what: "records_counted",
  number: total,
  tenants: [
    ...new Set(
      conjunctsOf(filter)
        .filter(namesTenant)
        .map(({ value }) => String(value)),
    ),
  ],
  ...(conjunctsOf(filter).some(isSelfAudit) && { isOfSelfAudit: true }),
});
const isSelfAudit = ({ field, operator, value }: Comparison): boolean =>
  field === "producer_service" && operator === "=" && value === selfProducer;
const namesTenant = ({ field, operator }: Comparison): boolean => field === "tenant" && operator === "=";

function groupByOf({ groupBy }: SummarizeRequest, paths: ReadonlySet<string>): readonly FilterField[] {
  if (groupBy.length > groupFieldsMax) throw invalid("group_by", `has more than ${groupFieldsMax} fields`);
  return groupBy.map((name) => {
    const field = parseField(name, paths);
    if (field === undefined || !isCountable(field))
      throw invalid(
        "group_by",
        "names fields of text, words or levels, and paths that the catalogue indexes",
      );
    return field;
  });
}

function valuesMaxOf({ valuesMax }: SummarizeRequest): number {
  if (!Number.isInteger(valuesMax) || valuesMax < 0) throw invalid("values_max", "must not be negative");
  return valuesMax === 0 ? groupValuesDefault : Math.min(valuesMax, groupValuesMax);
}

function bucketOf({ bucket, timeZone }: SummarizeRequest): SummaryQuestion["bucketOf"] {
  if (bucket === undefined) return undefined;
  try {
    return bucketReader(bucket, timeZone === "" ? "UTC" : timeZone);
  } catch (error) {
    if (error instanceof RangeError) throw invalid("time_zone", "is no IANA name, such as America/Sao_Paulo");
    throw error;
  }
}

const isTime = (filter: Filter): boolean => filter.kind === "compare" && filter.field === "recorded_at";
/** Without the bounds of the time. */
const withoutTime = (filter: Filter): Filter =>
  filter.kind === "all"
    ? allOf(filter.of.filter((one) => !isTime(one)))
    : isTime(filter)
      ? allOf([])
      : filter;

type Tree = { readonly asOf: number | undefined; readonly treeSize: number | undefined };
type Counted = Pick<Summary, "looked" | "isPartial" | "countedTreeSize">;

async function count(
  deps: QueryDeps,
  question: SummaryQuestion,
  tally: Tally,
  { asOf, treeSize }: Tree,
  signal: AbortSignal,
): Promise<Counted> {
  const byTime = { ...question, filter: withoutTime(question.filter) };
  const range = rangeOf(conjunctsOf(question.filter), "recorded_at");
  const reach =
    treeSize !== undefined && knownToCells(byTime) ? await reachOf(deps, treeSize, asOf, signal) : undefined;
  if (reach !== undefined) return countByCells(deps, byTime, range, tally, reach, signal);
  if (asOf === undefined) await requireIndexed(deps, question.filter, signal);
  const size = (await textTree(deps, question.filter, { asOf, treeSize }, signal)) ?? asOf ?? treeSize;
  const span = { filter: byTime.filter, ...range };
  const { found, isPartial } = await countRecords(
    deps,
    span,
    question.groupBy,
    tally,
    { size, rowsMax: countedRowsMax },
    signal,
  );
  return { looked: found, isPartial, countedTreeSize: size };
}

type Range = { readonly min: number; readonly max: number };
const quartersMax = 2 ** 32;

/** Whole quarters of an hour by cells, what is left at either end record by record. */
async function countByCells(
  deps: QueryDeps,
  question: SummaryQuestion,
  { min, max }: Range,
  tally: Tally,
  reach: Reach,
  signal: AbortSignal,
): Promise<Counted> {
  const from = Math.max(0, Math.ceil(min / quarterMs));
  const to = Math.max(from, Math.min(quartersMax, Math.floor((max + 1) / quarterMs)));
  if (from < to) {
    const which = question.groupBy.includes("owner_id") ? "actors" : "cells";
    for await (const cells of cellsWithin(deps, reach, which, signal)) tally.addCells(cells, from, to);
  }
  const ends: readonly Range[] =
    from < to
      ? [
          { min, max: Math.min(max, from * quarterMs - 1) },
          { min: Math.max(min, to * quarterMs), max },
        ]
      : [{ min, max }];
  let [looked, scanned, isPartial] = [0, 0, false];
  for (const end of ends) {
    if (!(end.min <= end.max) || end.max < 0) continue;
    const of = { filter: question.filter, ...end };
    const bounds = { size: reach.size, rowsMax: countedRowsMax - scanned };
    const counted = await countRecords(deps, of, question.groupBy, tally, bounds, signal);
    looked += counted.found;
    scanned += counted.scanned;
    isPartial ||= counted.isPartial;
  }
  return { looked, isPartial, countedTreeSize: reach.size };
}

function answerOf({ groupBy }: SummarizeRequest, tally: Tally, valuesMax: number) {
  const { total, fields, buckets } = tally.counts();
  if (buckets.size > bucketsMax)
    throw invalid("bucket", `gives more than ${bucketsMax}; take a longer one or a shorter time`);
  return {
    total,
    fields: fields.map((counts, at) => fieldCounts(groupBy[at] ?? "", counts, valuesMax)),
    buckets: listed(buckets).sort((a, b) => (Date.parse(a.value) || 0) - (Date.parse(b.value) || 0)),
  };
}

const listed = (counts: ReadonlyMap<string, number>): ValueCount[] =>
  [...counts].map(([value, count]) => ({ value, count }));

function fieldCounts(field: string, counts: ReadonlyMap<string, number>, valuesMax: number): FieldCounts {
  const all = listed(counts).sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1));
  const rest = all.slice(valuesMax).reduce((sum, { count }) => sum + count, 0);
  return { field, values: all.slice(0, valuesMax), rest };
}
