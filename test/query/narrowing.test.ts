/** Searches of callers who are bounded and masked, held against those of one who sees everything: any filter, any bounds. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Caller, Scope } from "../../src/core/caller.ts";
import type { Filter } from "../../src/core/filter.ts";
import { fieldsOf } from "../../src/core/filter-holds.ts";
import { isIndexedPath } from "../../src/core/search-fields.ts";
import type { RecordView } from "../../src/query/record-view.ts";
import { searchRecords } from "../../src/query/search-records.ts";
import { summarizeRecords } from "../../src/query/summarize.ts";
import { grant, person } from "../support/callers.ts";
import { filtersOf, filterText } from "../support/filters.ts";
import { seed, timesOf } from "../support/fuzz.ts";
import { type HistoryWorld, openHistoryWorld } from "../support/history-world.ts";

const signal = new AbortController().signal;
const tenants = ["a", "b", "c"];
const producers = ["x_service", "y_service"];
const owners = ["o-1", "o-2"];
const everything = person("everything", grant("auditor"));

let world: HistoryWorld;
let all: readonly RecordView[];
beforeAll(async () => {
  world = await openHistoryWorld();
  for (const tenant of tenants)
    for (const producer of producers)
      for (const owner of owners)
        for (const type of ["account.created", "invoice.created", "account.viewed"])
          await world.publish({
            type,
            producer,
            payload: { public_id: `${producer}-${owner}` },
            metadata: { tenant_id: tenant, user_id: `u-${owner}`, ownership_id: owner },
          });
  all = await found(everything, "");
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

async function found(caller: Caller, filter: string, orderBy = ""): Promise<readonly RecordView[]> {
  const records: RecordView[] = [];
  for (let pageToken = ""; ; ) {
    const request = { filter, orderBy, pageSize: 1_000, pageToken };
    const page = await searchRecords(world.deps, request, caller, signal, undefined);
    expect(page.alteredRids).toEqual([]);
    records.push(...page.records);
    if (page.nextPageToken === "") return records;
    pageToken = page.nextPageToken;
  }
}
const some = (values: readonly string[]) =>
  fc.option(fc.subarray([...values], { minLength: 1 }), { nil: undefined });
const moment = fc.option(
  fc.nat(40).map((s) => Date.parse("2024-06-22T12:00:00Z") + s * 1_000),
  { nil: undefined },
);
const scopes: fc.Arbitrary<Scope> = fc.record({
  tenants: some(tenants),
  producerServices: some(producers),
  entityTypes: some(["account", "invoice"]),
  ownershipIds: some(owners),
  fromMs: moment,
  toMs: moment,
  personal: fc.boolean(),
});
const texts = [
  ...tenants,
  ...producers,
  ...owners,
  "account",
  "invoice",
  "u-o-1",
  "x_service-o-1",
  "team_service",
];
const filters = filtersOf({
  paths: [],
  text: () => fc.constantFrom(...texts),
  number: (field) =>
    field === "version" ? fc.nat(3) : fc.nat(40).map((s) => Date.parse("2024-06-22T12:00:00Z") + s * 1_000),
  ordering: ["=", "<", "<=", ">", ">="],
});

/** Written down once more, of what the records themselves say. */
function isIn(scope: Scope, view: RecordView): boolean {
  const content = "event" in view.content ? view.content : undefined;
  const among = (list: readonly string[] | undefined, value: string | undefined): boolean =>
    list === undefined || (value !== undefined && list.includes(value));
  return (
    among(scope.tenants, view.tenant) &&
    among(scope.producerServices, view.producerService) &&
    among(scope.entityTypes, content?.entityType) &&
    among(scope.ownershipIds, content?.ownershipId) &&
    view.recordedAtMs >= (scope.fromMs ?? 0) &&
    view.recordedAtMs < (scope.toMs ?? Number.POSITIVE_INFINITY)
  );
}
function asksOfPersons(filter: Filter): boolean {
  if (filter.kind === "not") return asksOfPersons(filter.of);
  if (filter.kind !== "compare") return filter.of.some(asksOfPersons);
  const { field, operator } = filter;
  const isPersonal = ["owner_id", "owner_ip", "ownership_id", "text"].includes(field) || isIndexedPath(field);
  return isPersonal || (field === "entity_id" && operator === "prefix");
}
const personalOrders = ["owner_id", "ownership_id desc", "entity_id"];
const orders = fc.constantFrom("", "action_at", "tenant", "event_type desc", "trace_id", ...personalOrders);
const ridsOf = (views: readonly RecordView[]): readonly string[] => views.map(({ rid }) => rid);

test(`R-70 a summary tells a bounded caller of no record out of reach, not even how many were looked at (seed ${seed})`, async () => {
  const grants = fc.array(scopes, { minLength: 1, maxLength: 2 });
  let outOfReach = 0;
  await fc.assert(
    fc.asyncProperty(filters, grants, async (filter, bounds) => {
      const text = filterText(filter);
      const whole = bounds.filter(({ personal }) => personal);
      const reach = asksOfPersons(filter) ? whole : bounds;
      const matching = await found(everything, text).catch(() => undefined);
      if (matching === undefined || reach.length === 0) return;
      const inReach = matching.filter((view) => reach.some((scope) => isIn(scope, view)));
      const caller = person("p", ...bounds.map((scope) => ({ role: "reader", scope }) as const));
      const request = {
        filter: text,
        groupBy: [],
        bucket: undefined,
        timeZone: "",
        valuesMax: 0,
        asOfTreeSize: undefined,
      };
      const { total, looked } = await summarizeRecords(world.deps, request, caller, signal, undefined);
      expect(looked).toBe(total);
      // Words are counted as far as they are indexed: nothing is here.
      if (!fieldsOf(filter).includes("text")) expect(total).toBe(inReach.length);
      outOfReach += matching.length - inReach.length;
    }),
    { numRuns: timesOf(150, 0.02), seed },
  );
  expect(outOfReach).toBeGreaterThan(50);
}, 600_000);

test(`R-70 whatever the filter, the order and the bounds, a caller finds what matches in reach, masked where it is to be, and nothing else (seed ${seed})`, async () => {
  expect(all).toHaveLength(36);
  const grants = fc.array(scopes, { minLength: 1, maxLength: 3 });
  let reached = 0;
  await fc.assert(
    fc.asyncProperty(filters, orders, grants, async (filter, orderBy, bounds) => {
      const text = filterText(filter);
      let matching: readonly RecordView[];
      try {
        matching = await found(everything, text, orderBy);
      } catch (error) {
        // Such as a range that ends before it begins.
        expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
        return;
      }
      const caller = person("p", ...bounds.map((scope) => ({ role: "reader", scope }) as const));
      const whole = bounds.filter(({ personal }) => personal);
      const reach = asksOfPersons(filter) || personalOrders.includes(orderBy) ? whole : bounds;
      if (reach.length === 0) {
        await expect(found(caller, text, orderBy)).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
        return;
      }
      const views = await found(caller, text, orderBy);
      const inReach = matching.filter((view) => reach.some((scope) => isIn(scope, view)));
      expect(ridsOf(views)).toEqual(ridsOf(inReach));
      for (const [i, view] of views.entries()) {
        const isWhole = whole.some((scope) => isIn(scope, inReach[i] as RecordView));
        expect(view.content.state).toBe(isWhole ? "complete" : "masked");
      }
      reached += views.length;
    }),
    { numRuns: timesOf(300, 0.02), seed },
  );
  expect(reached).toBeGreaterThan(100);
}, 600_000);
