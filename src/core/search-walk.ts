/** How a search walks a store, the same for every store: along one index, in order, at most so many records; the filter decides on each. */
import { type Comparison, conjunctsOf, type Filter, rangeOf } from "./filter.ts";
import { holds, type ReadField } from "./filter-holds.ts";
import type { Rid } from "./ids.ts";

export const orderFields = ["recorded_at", "action_at"] as const;
export type OrderField = (typeof orderFields)[number];
/** Ties are broken by position in the source (topic id, partition, offset), in the same direction. */
export type SearchOrder = { readonly field: OrderField; readonly direction: "asc" | "desc" };

/** A record's place in an order. */
export type SearchPlace = { readonly value: number; readonly rid: Rid };

export type RecordSearch = {
  readonly filter: Filter;
  readonly order: SearchOrder;
  /** Start behind this record. */
  readonly after: SearchPlace | undefined;
  /** Of answers; at least one. */
  readonly limit: number;
  /** Of records looked at; at least one. */
  readonly scanMax: number;
};

/** In order of preference: the first that is asked for by equality is walked. Narrow ones hold few records of all. */
const drivers = [
  { field: "trace_id", isNarrow: true },
  { field: "entity_id", isNarrow: true },
  { field: "ownership_id", isNarrow: true },
  { field: "owner_id", isNarrow: true },
  { field: "text", isNarrow: true },
  { field: "event_type", isNarrow: false },
  { field: "producer_service", isNarrow: false },
  { field: "tenant", isNarrow: false },
] as const;
type Driver = (typeof drivers)[number];
export type DriverField = Driver["field"];
const narrowDrivers = drivers.filter(({ isNarrow }) => isNarrow);

export type Walk = {
  /** Of the records with this value, or with a term that begins so; undefined: of all. */
  readonly driver:
    | { readonly field: DriverField; readonly value: string; readonly isPrefix: boolean }
    | undefined;
  readonly order: SearchOrder;
  /** Inclusive bounds of the field that orders; infinite where there is none. */
  readonly min: number;
  readonly max: number;
  readonly after: SearchPlace | undefined;
};

/** `ordered` is walked in the order asked for. `collected`, where there is one, is a narrow walk in another order: all of it has to be seen. */
export type WalkPlan = { readonly ordered: Walk; readonly collected: Walk | undefined };

/** `term`, where there is one, is the term of the filter to find records by: the rarest. */
export function planWalk({ filter, order, after }: RecordSearch, term?: Comparison): WalkPlan {
  const conjuncts = conjunctsOf(filter);
  const walkBy = (by: SearchOrder, driver: Walk["driver"]): Walk => ({
    driver,
    order: by,
    ...rangeOf(conjuncts, by.field),
    after: undefined,
  });
  const narrow = driverOf(conjuncts, term, narrowDrivers);
  // The records of a term lie in the order of recorded_at, those of a beginning in none.
  if (order.field === "recorded_at" && narrow?.isPrefix !== true)
    return {
      ordered: { ...walkBy(order, narrow ?? driverOf(conjuncts, term, drivers)), after },
      collected: undefined,
    };
  return {
    ordered: {
      ...walkBy(order, order.field === "recorded_at" ? driverOf(conjuncts, undefined, drivers) : undefined),
      after,
    },
    collected: narrow && walkBy({ field: "recorded_at", direction: "asc" }, narrow),
  };
}

/** What is absent is the empty text, and in no index. */
function driverOf(
  conjuncts: readonly Comparison[],
  term: Comparison | undefined,
  among: readonly Driver[],
): Walk["driver"] {
  for (const { field } of among) {
    const found =
      field === "text"
        ? term
        : conjuncts.find((one) => one.field === field && one.operator === "=" && one.value !== "");
    if (found !== undefined)
      return { field, value: String(found.value), isPrefix: found.operator === "prefix" };
  }
  return undefined;
}

/** Records that have the term, or a term that begins so, counted up to `max`. */
export type CountTerm = (term: Comparison, max: number) => Promise<number>;

/** Of the terms that every record found must have, the one that fewest have; counting costs as much as looking at that many records. */
async function rarestTerm(
  filter: Filter,
  scanMax: number,
  count: CountTerm,
): Promise<Comparison | undefined> {
  const terms = conjunctsOf(filter).filter(({ field, value }) => field === "text" && value !== "*");
  let [rarest, fewest] = [terms[0], Number.POSITIVE_INFINITY];
  if (terms.length < 2) return rarest;
  for (const term of terms) {
    const found = await count(term, Math.min(scanMax, fewest));
    if (found < fewest || (found === fewest && rarest?.operator === "prefix"))
      [rarest, fewest] = [term, found];
  }
  return rarest;
}

/** A record on the walk: its value in the order asked for, and its place in the source, as bytes that order as it does. */
export type Candidate = { readonly at: number; readonly place: Uint8Array; readonly read: ReadField };

export type Matches<Found> = {
  readonly hits: readonly Found[];
  readonly scanned: number;
  /** Where the walk stopped; undefined: at its end. */
  readonly last: Found | undefined;
};

type StartWalk<Found> = (walk: Walk) => AsyncIterable<readonly Found[]>;

/** What matches or, where terms are not known yet, may match, in order. `placeOf` is the place in the source of a record that was given before. */
export async function findMatches<Found extends Candidate>(
  search: RecordSearch,
  start: StartWalk<Found>,
  placeOf: (rid: Rid) => Uint8Array,
  countTerm: CountTerm,
): Promise<Matches<Found>> {
  const plan = planWalk(search, await rarestTerm(search.filter, search.scanMax, countTerm));
  const after = search.after && { at: search.after.value, place: placeOf(search.after.rid) };
  const collected = plan.collected && (await collect(search, start(plan.collected), after));
  return collected ?? follow(search, start(plan.ordered));
}

async function follow<Found extends Candidate>(
  { filter, limit, scanMax }: RecordSearch,
  walk: AsyncIterable<readonly Found[]>,
): Promise<Matches<Found>> {
  const hits: Found[] = [];
  let scanned = 0;
  for await (const candidates of walk) {
    for (const candidate of candidates) {
      scanned++;
      if (holds(filter, candidate.read) !== false) hits.push(candidate);
      if (hits.length === limit || scanned === scanMax) return { hits, scanned, last: candidate };
    }
  }
  return { hits, scanned, last: undefined };
}

type Place = Pick<Candidate, "at" | "place">;

/** Undefined where the walk is longer than may be looked at. */
async function collect<Found extends Candidate>(
  { filter, order, limit, scanMax }: RecordSearch,
  walk: AsyncIterable<readonly Found[]>,
  after: Place | undefined,
): Promise<Matches<Found> | undefined> {
  const sign = order.direction === "asc" ? 1 : -1;
  const compare = (a: Place, b: Place): number => sign * (a.at - b.at || compareBytes(a.place, b.place));
  let hits: Found[] = [];
  let scanned = 0;
  for await (const candidates of walk) {
    scanned += candidates.length;
    if (scanned > scanMax) return undefined;
    const found = candidates.filter(
      (one) => (after === undefined || compare(one, after) > 0) && holds(filter, one.read) !== false,
    );
    hits = [...hits, ...found].sort(compare).slice(0, limit);
  }
  return { hits, scanned, last: hits.length === limit ? hits.at(-1) : undefined };
}

/** Of equal length. */
function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const at = a.findIndex((byte, i) => byte !== b[i]);
  return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}
