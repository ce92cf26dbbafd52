/** How a search walks a store, the same for every store: along an index, in order, at most so many records; the filter decides on each. */
import { type Comparison, conjunctsOf, type Filter, rangeOf } from "./filter.ts";
import { holds, type ReadField } from "./filter-holds.ts";
import type { Rid } from "./ids.ts";
import { compareTexts } from "./text-order.ts";

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

export type TextField = Exclude<DriverField, "text">;
type TimeField = "recorded_at" | "action_at";
export type OrderField = TimeField | TextField;
const textsOf = (some: readonly Driver[]): readonly TextField[] =>
  some.map(({ field }) => field).filter((field) => field !== "text");
const textFields = textsOf(drivers);
const narrowTexts = textsOf(narrowDrivers);
export const orderFields: readonly OrderField[] = ["recorded_at", "action_at", ...textFields];
export const isTextField = (field: OrderField): field is TextField =>
  field !== "recorded_at" && field !== "action_at";

/** Ties of a text are broken by recorded_at, all others by position in the source (topic id, partition, offset), in the same direction. */
export type SearchOrder = { readonly field: OrderField; readonly direction: "asc" | "desc" };

/** A record's place in an order. */
export type SearchPlace = {
  /** Of the field that orders, if that is a text; else empty. */
  readonly value: string;
  /** Of the time that orders, or that orders what is equal. */
  readonly at: number;
  readonly rid: Rid;
};

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

export type Walk = {
  /** Of the records with this value, where the empty one is also that of all that have none, or with a term that begins so; undefined: of all. */
  readonly driver:
    | { readonly field: DriverField; readonly value: string; readonly isPrefix: boolean }
    | undefined;
  /** Along a text there is no driver, and what has no text is passed over. */
  readonly order: SearchOrder;
  /** Inclusive bounds of the time that orders; infinite where there is none. */
  readonly min: number;
  readonly max: number;
  /** What the texts that order begin with. */
  readonly prefix: string;
  readonly after: SearchPlace | undefined;
};

export type WalkPlan = {
  /** In the order that is walked in. */
  readonly search: RecordSearch;
  /** One after the other in the order asked for. */
  readonly ordered: readonly Walk[];
  /** Narrow walks in other orders, which together pass all that can match: all of them have to be seen. None: what is ordered is walked. */
  readonly collected: readonly Walk[];
};

/** The term of a filter, or of a part of one, to find records by. */
type TermOf = (part: Filter) => Comparison | undefined;

const oldestFirst: SearchOrder = { field: "recorded_at", direction: "asc" };

export function planWalk(asked: RecordSearch, termOf: TermOf = (part) => termsOf(part)[0]): WalkPlan {
  const conjuncts = conjunctsOf(asked.filter);
  const term = termOf(asked.filter);
  const search = withoutConstant(asked, conjuncts);
  const { field, direction } = search.order;
  const walkBy = (by: SearchOrder, driver: Walk["driver"], after?: SearchPlace): Walk => ({
    driver,
    order: by,
    ...rangeOf(conjuncts, by.field),
    prefix: prefixOf(conjuncts, by.field),
    after,
  });
  const narrow = driverOf(conjuncts, term, narrowDrivers);
  // The records of a term lie in the order of recorded_at, those of a beginning in none.
  const isCollected = narrow !== undefined && (field !== "recorded_at" || narrow.isPrefix);
  const collected = isCollected
    ? [walkBy(oldestFirst, narrow)]
    : alternativesOf(asked.filter)
        .map((part) => walkOfPart(part, conjuncts, termOf(part)))
        .filter((walk) => walk !== undefined);
  if (isTextField(field)) {
    const absent = walkBy({ field: "recorded_at", direction }, withoutText(field), search.after);
    const present = walkBy(search.order, undefined, search.after);
    return { search, ordered: textWalks(absent, present, search), collected };
  }
  const driver =
    field === "recorded_at"
      ? (driverOf(conjuncts, isCollected ? undefined : term, drivers) ?? absentOf(conjuncts))
      : undefined;
  return { search, ordered: [walkBy(search.order, driver, search.after)], collected };
}

/** Terms that every record found must have. */
const termsOf = (filter: Filter): readonly Comparison[] =>
  conjunctsOf(filter).filter(({ field, value }) => field === "text" && value !== "*");

/** The parts of an OR that has to hold, if each of them has a narrow index of its own, and none serves the whole. */
function alternativesOf(filter: Filter): readonly Filter[] {
  if (driverOf(conjunctsOf(filter), termsOf(filter)[0], narrowDrivers) !== undefined) return [];
  for (const one of filter.kind === "all" ? filter.of : [filter])
    if (one.kind === "any" && one.of.every((part) => walkOfPart(part, [], termsOf(part)[0]) !== undefined))
      return one.of;
  return [];
}

/** Along the narrow index of a part, within the time that must hold for all; undefined where it has no such index. */
function walkOfPart(
  part: Filter,
  common: readonly Comparison[],
  term: Comparison | undefined,
): Walk | undefined {
  const conjuncts = conjunctsOf(part);
  const driver = driverOf(conjuncts, term, narrowDrivers);
  const field = driver === undefined ? narrowTexts.find((one) => prefixOf(conjuncts, one) !== "") : undefined;
  if (driver === undefined && field === undefined) return undefined;
  return {
    driver,
    order: field === undefined ? oldestFirst : { field, direction: "asc" },
    ...rangeOf([...common, ...conjuncts], field ?? "recorded_at"),
    prefix: field === undefined ? "" : prefixOf(conjuncts, field),
    after: undefined,
  };
}

const withoutText = (field: TextField) => ({ field, value: "", isPrefix: false });

/** Where a text is the same for all, recorded_at is what orders. */
function withoutConstant(search: RecordSearch, conjuncts: readonly Comparison[]): RecordSearch {
  const { order, after } = search;
  if (
    !isTextField(order.field) ||
    !conjuncts.some((one) => one.field === order.field && one.operator === "=")
  )
    return search;
  return { ...search, order: { ...order, field: "recorded_at" }, after: after && { ...after, value: "" } };
}

/** What has no text lies before all that has one. */
function textWalks(absent: Walk, present: Walk, { order, after }: RecordSearch): readonly Walk[] {
  const isAscending = order.direction === "asc";
  const walks = present.prefix !== "" ? [present] : isAscending ? [absent, present] : [present, absent];
  if (after === undefined || walks.length === 1) return walks;
  const isInFirst = (after.value === "") === isAscending;
  return isInFirst
    ? walks.map((walk, i) => (i === 0 ? walk : { ...walk, after: undefined }))
    : walks.slice(1);
}

const prefixOf = (conjuncts: readonly Comparison[], field: OrderField): string =>
  String(conjuncts.find((one) => one.field === field && one.operator === "prefix")?.value ?? "");

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

/** What is absent is the empty text: mostly of many records, so it is walked only where nothing else is. */
function absentOf(conjuncts: readonly Comparison[]): Walk["driver"] {
  const field = textFields.find((one) => conjuncts.some((of) => of.field === one && of.value === ""));
  return field && withoutText(field);
}

/** Records that have the term, or a term that begins so, counted up to `max`. */
export type CountTerm = (term: Comparison, max: number) => Promise<number>;

/** Of the terms that every record found must have, the one that fewest have; counting costs as much as looking at that many records. */
async function rarestTerm(
  filter: Filter,
  scanMax: number,
  count: CountTerm,
): Promise<Comparison | undefined> {
  const terms = termsOf(filter);
  let [rarest, fewest] = [terms[0], Number.POSITIVE_INFINITY];
  if (terms.length < 2) return rarest;
  for (const term of terms) {
    const found = await count(term, Math.min(scanMax, fewest));
    if (found < fewest || (found === fewest && rarest?.operator === "prefix"))
      [rarest, fewest] = [term, found];
  }
  return rarest;
}

/** A record on the walk, and its place in the source, as bytes that order as it does. */
export type Candidate = { readonly place: Uint8Array; readonly read: ReadField };
type Spot = Omit<SearchPlace, "rid"> & Pick<Candidate, "place">;

export type Matches<Found> = {
  readonly hits: readonly Found[];
  readonly scanned: number;
  /** Where the walk stopped; undefined: at its end. */
  readonly last: Spot | undefined;
};

type StartWalk<Found> = (walk: Walk) => AsyncIterable<readonly Found[]>;

/** What matches or, where terms are not known yet, may match, in order. `placeOf` is the place in the source of a record that was given before. */
export async function findMatches<Found extends Candidate>(
  asked: RecordSearch,
  start: StartWalk<Found>,
  placeOf: (rid: Rid) => Uint8Array,
  countTerm: CountTerm,
): Promise<Matches<Found>> {
  const rarest = new Map<Filter, Comparison | undefined>();
  for (const part of [asked.filter, ...alternativesOf(asked.filter)])
    rarest.set(part, await rarestTerm(part, asked.scanMax, countTerm));
  const { search, ordered, collected } = planWalk(asked, (part) => rarest.get(part));
  const after = search.after && { ...search.after, place: placeOf(search.after.rid) };
  const found = collected.length === 0 ? undefined : await collect(search, inTurn(collected, start), after);
  return found ?? follow(search, inTurn(ordered, start));
}

async function* inTurn<Found>(
  walks: readonly Walk[],
  start: StartWalk<Found>,
): AsyncGenerator<readonly Found[]> {
  for (const walk of walks) yield* start(walk);
}

function spotOf({ field }: SearchOrder, { place, read }: Candidate): Spot {
  return isTextField(field)
    ? { value: String(read(field)), at: Number(read("recorded_at")), place }
    : { value: "", at: Number(read(field)), place };
}

async function follow<Found extends Candidate>(
  { filter, order, limit, scanMax }: RecordSearch,
  walk: AsyncIterable<readonly Found[]>,
): Promise<Matches<Found>> {
  const hits: Found[] = [];
  let scanned = 0;
  for await (const candidates of walk) {
    for (const candidate of candidates) {
      scanned++;
      if (holds(filter, candidate.read) !== false) hits.push(candidate);
      if (hits.length === limit || scanned === scanMax)
        return { hits, scanned, last: spotOf(order, candidate) };
    }
  }
  return { hits, scanned, last: undefined };
}

/** Undefined where the walk is longer than may be looked at. What is passed twice counts twice, and is found once. */
async function collect<Found extends Candidate>(
  { filter, order, limit, scanMax }: RecordSearch,
  walk: AsyncIterable<readonly Found[]>,
  after: Spot | undefined,
): Promise<Matches<Found> | undefined> {
  const sign = order.direction === "asc" ? 1 : -1;
  const compare = (a: Spot, b: Spot): number =>
    sign * (compareTexts(a.value, b.value) || a.at - b.at || compareBytes(a.place, b.place));
  let hits: (Spot & { readonly hit: Found })[] = [];
  let scanned = 0;
  for await (const candidates of walk) {
    scanned += candidates.length;
    if (scanned > scanMax) return undefined;
    const found = candidates
      .map((hit) => ({ ...spotOf(order, hit), hit }))
      .filter(
        (one) => (after === undefined || compare(one, after) > 0) && holds(filter, one.hit.read) !== false,
      );
    hits = [...hits, ...found]
      .sort(compare)
      .filter((one, at, all) => at === 0 || compare(all[at - 1] as Spot, one) !== 0)
      .slice(0, limit);
  }
  return { hits: hits.map(({ hit }) => hit), scanned, last: hits.length === limit ? hits.at(-1) : undefined };
}

/** Of equal length. */
function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const at = a.findIndex((byte, i) => byte !== b[i]);
  return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}
