/** Summaries: by cells of the index, by looking at records, and both held against a plain recount. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { parseFilter } from "../../src/core/filter.ts";
import { holds } from "../../src/core/filter-holds.ts";
import type { RecordRow } from "../../src/core/record.ts";
import { type FilterField, valueOfRow } from "../../src/core/search-fields.ts";
import { shownValue } from "../../src/core/summary.ts";
import { blockEntries } from "../../src/core/summary-cells.ts";
import { tailEntriesMax } from "../../src/query/count-cells.ts";
import { countedRowsMax } from "../../src/query/count-records.ts";
import type { QueryDeps } from "../../src/query/deps.ts";
import { type SummarizeRequest, type Summary, summarizeRecords } from "../../src/query/summarize.ts";
import { drawFrom, oneOf } from "../support/draw.ts";
import { seed } from "../support/fuzz.ts";
import { anna } from "../support/history-world.ts";
import { type IndexedWorld, openIndexedWorld } from "../support/indexed-world.ts";
import { makeScene, startMs } from "../support/records.ts";
import { refused } from "../support/searching.ts";

const signal = new AbortController().signal;
const nothing: SummarizeRequest = {
  filter: "", groupBy: [], bucket: undefined, timeZone: "", valuesMax: 0, asOfTreeSize: undefined,
}; // biome-ignore format: one line
const hourMs = 3_600_000;

const askedOf = (
  deps: QueryDeps,
  treeSize: number | undefined,
  over: Partial<SummarizeRequest>,
): Promise<Summary> => summarizeRecords(deps, { ...nothing, ...over }, anna, signal, treeSize);

const producers = ["billing", "crm", "identity"];
const verbs = ["created", "updated", "viewed", "login_failed"];
const groups = [
  "tenant",
  "producer_service",
  "entity_type",
  "event_type",
  "action",
  "kind",
  "severity",
  "resource_type",
  "status",
  "operation",
  "owner_id",
];

/** Records over three days whose log is neither in the order of time nor without other entries. */
async function fill(world: IndexedWorld, count: number): Promise<readonly RecordRow[]> {
  const draw = drawFrom(seed);
  const scene = makeScene();
  const rows = Array.from({ length: count }, (_, offset) =>
    scene.record({
      offset,
      version: offset + 1,
      kind: offset % 4 === 2 ? "activity" : "change",
      action: offset % 4 === 2 ? "none" : oneOf(draw, ["new", "update", "delete"] as const),
      recordedAtMs: startMs + draw(3 * 24 * hourMs),
      projection: {
        producerService: oneOf(draw, producers),
        entityType: oneOf(draw, ["account", "invoice"]),
        eventType: `account.${oneOf(draw, verbs)}`,
        status: oneOf(draw, ["SUCCESS", "FAILURE"] as const),
        severity: oneOf(draw, ["LOW", "HIGH", "CRITICAL"] as const),
        resourceType: draw(2) === 0 ? undefined : "Customer",
        actor: { id: `actor-${draw(9)}`, ip: "10.0.0.1", role: "admin", type: "user" },
        indexed: {},
      },
    }),
  );
  await world.store.records.append(scene.batch({ records: rows }), signal);
  const { log } = world.store;
  for (let from = 0; from < rows.length; from += 500) {
    const size = await log.size(signal);
    const some = rows.slice(from, from + 500).map((row, at) => ({
      index: size + at, key: row.rid, leafHash: row.leafHash, entry: undefined,
    })); // biome-ignore format: one line
    await log.append(some, signal);
    await log.moveHead(
      await log.head(signal),
      { size: size + some.length, root: new Uint8Array(32) },
      signal,
    );
    await world.logOthers(3);
  }
  return rows;
}

/** What a summary must say, counted by the filter's meaning over plain rows. */
function recount(rows: readonly RecordRow[], { filter, groupBy }: SummarizeRequest) {
  const parsed = parseFilter(filter, new Set());
  const matching = rows.filter((row) => holds(parsed, (field) => valueOfRow(row, field)) === true);
  const counted = groupBy.map((field) => {
    const values = matching.map((row) =>
      shownValue(field as FilterField, valueOfRow(row, field as FilterField)),
    );
    return Object.fromEntries(
      Map.groupBy(values, String)
        .entries()
        .map(([value, all]) => [value, all.length]),
    );
  });
  return { total: matching.length, counted };
}
const told = ({ total, fields }: Summary) => ({
  total,
  counted: fields.map(({ values }) => Object.fromEntries(values.map(({ value, count }) => [value, count]))),
});

describe("R-64 summaries", () => {
  let world: IndexedWorld;
  let rows: readonly RecordRow[];
  let size: number;
  beforeAll(async () => {
    world = await openIndexedWorld();
    rows = await fill(world, 4 * blockEntries + 300);
    await world.index();
    size = await world.treeSize();
  }, 60_000);
  afterAll(async () => world[Symbol.asyncDispose]());
  const asked = (over: Partial<SummarizeRequest>) => askedOf(world.deps, size, over);

  test("counts by every field that cells know are those of a plain recount, without looking at a record", async () => {
    for (const groupBy of [groups.slice(0, 8), groups.slice(8)]) {
      const request = { ...nothing, groupBy, valuesMax: 1_000 };
      const summary = await asked(request);
      expect(told(summary)).toEqual(recount(rows, request));
      expect(summary).toMatchObject({
        total: rows.length,
        looked: 0,
        isPartial: false,
        countedTreeSize: size,
      });
    }
    const actors = { ...nothing, groupBy: ["owner_id", "severity"], filter: "severity >= HIGH" };
    expect(told(await asked(actors))).toEqual(recount(rows, actors));
    expect((await asked(actors)).looked).toBe(0);
  });

  const ranges = fc
    .tuple(
      fc.integer({ min: -1, max: 73 * 60 }),
      fc.integer({ min: 0, max: 73 * 60 }),
      fc.constantFrom(0, 1, 899_999),
    )
    .map(([from, minutes, ms]) => [startMs + from * 60_000 + ms, startMs + (from + minutes) * 60_000 + ms]);
  const conditions = fc.subarray([
    "producer_service = crm", "NOT event_type = \"account.login*\"", "(severity = CRITICAL OR action = new)", "kind = change", "resource_type:*",
    "entity_type != invoice", "owner_role = admin",
  ]); // biome-ignore format: a list

  test(`R-64 any filter, range and grouping counts as a plain recount does, as of any tree (seed ${seed})`, async () => {
    const property = fc.asyncProperty(
      conditions,
      ranges,
      fc.subarray(groups, { maxLength: 3 }),
      fc.integer({ min: 0, max: size }),
      async (parts, [from = 0, to = 0], groupBy, asOfTreeSize) => {
        const time = `recorded_at >= ${new Date(from).toISOString()} recorded_at <= ${new Date(to).toISOString()}`;
        const request = {
          ...nothing,
          filter: [...parts, time].join(" "),
          groupBy,
          valuesMax: 1_000,
          asOfTreeSize,
        };
        const held = await world.store.log.indexes(
          rows.map(({ rid }) => rid),
          signal,
        );
        const inTree = rows.filter(({ rid }) => (held.get(rid) ?? size) < asOfTreeSize);
        const summary = await asked(request);
        expect(told(summary)).toEqual(recount(inTree, request));
        expect(summary).toMatchObject({ isPartial: false, countedTreeSize: asOfTreeSize });
      },
    );
    await fc.assert(property, { seed, numRuns: 60 });
  }, 120_000);

  test("counts by time add up to the total, and each bucket holds what a filter for its time finds", async () => {
    for (const [bucket, timeZone, lengthMs] of [
      ["hour", "America/Sao_Paulo", hourMs],
      ["day", "", 24 * hourMs],
      ["hour", "Asia/Kathmandu", hourMs],
    ] as const) {
      const { buckets, total } = await asked({ bucket, timeZone, filter: "kind = change" });
      expect(buckets.reduce((sum, { count }) => sum + count, 0)).toBe(total);
      for (const { value, count } of buckets.slice(0, 5)) {
        const from = new Date(value);
        const to = new Date(from.getTime() + lengthMs);
        const filter = `kind = change recorded_at >= ${from.toISOString()} recorded_at < ${to.toISOString()}`;
        expect((await asked({ filter })).total).toBe(count);
      }
    }
    const months = await asked({ bucket: "month" });
    expect(months.buckets).toEqual([{ value: "2026-11", count: rows.length }]);
  });

  test("the most frequent values come first, and the records of the others are told in one number", async () => {
    const [all] = (await asked({ groupBy: ["owner_id"], valuesMax: 1_000 })).fields;
    const [top] = (await asked({ groupBy: ["owner_id"], valuesMax: 2 })).fields;
    expect(all?.values).toHaveLength(9);
    expect(top?.values).toEqual(all?.values.slice(0, 2));
    expect(top?.rest).toBe(all?.values.slice(2).reduce((sum, { count }) => sum + count, 0));
    const counts = all?.values.map(({ count }) => count) ?? [];
    expect(counts).toEqual(counts.toSorted((a, b) => b - a));
  });

  test("what cells do not know is counted record by record, a bounded number of them, and the answer says so", async () => {
    const request = { ...nothing, groupBy: ["owner_role"], filter: "owner_role = admin" };
    const summary = await asked(request);
    expect(told(summary)).toEqual(recount(rows, request));
    expect(summary).toMatchObject({ looked: rows.length, isPartial: false });
    expect(countedRowsMax).toBeGreaterThan(rows.length);
    const { history } = world.deps;
    const scan: typeof history.scan = (search, ...rest) => history.scan({ ...search, scanMax: 10 }, ...rest);
    const many: QueryDeps = {
      ...world.deps,
      history: {
        ...history,
        scan: async (...args) => ({ ...(await scan(...args)), scanned: countedRowsMax / 2 }),
      },
    };
    expect(await askedOf(many, size, request)).toMatchObject({
      total: 20,
      isPartial: true,
      looked: 20,
    });
  });

  test("without a tree what is stored is counted, and the answer names no tree", async () => {
    const request = { ...nothing, groupBy: ["severity"] };
    const summary = await askedOf(world.deps, undefined, request);
    expect(told(summary)).toEqual(recount(rows, request));
    expect(summary).toMatchObject({ countedTreeSize: undefined, looked: rows.length });
  });

  test.each([
    [{ groupBy: ["entity"] }, /^INVALID_ARGUMENT group_by/],
    [{ groupBy: ["recorded_at"] }, /^INVALID_ARGUMENT group_by/],
    [{ groupBy: ["text"] }, /^INVALID_ARGUMENT group_by/],
    [{ groupBy: Array.from({ length: 9 }, () => "tenant") }, /^INVALID_ARGUMENT group_by/],
    [{ bucket: "day", timeZone: "Mars/Base" }, /^INVALID_ARGUMENT time_zone/],
    [{ valuesMax: -1 }, /^INVALID_ARGUMENT values_max/],
    [{ asOfTreeSize: 1_000_000 }, /^INVALID_ARGUMENT as_of_tree_size/],
    [{ filter: "tenant" }, /^INVALID_ARGUMENT filter/],
  ] as const)("%j is refused", async (over, message) => expect(await refused(asked(over))).toMatch(message));
});

describe("R-85 a summary and the index that lags", () => {
  test("counts reach as far as blocks and a bounded number of entries behind them, and the answer says how far", async () => {
    await using world = await openIndexedWorld();
    const rows = await fill(world, tailEntriesMax + 600);
    const size = await world.treeSize();
    const behind = await askedOf(world.deps, size, { groupBy: ["severity"] });
    expect(behind).toMatchObject({ countedTreeSize: tailEntriesMax, looked: 0, isPartial: false });
    // As of a tree that is asked for, no smaller one is counted.
    expect(await askedOf(world.deps, size, { asOfTreeSize: size })).toMatchObject({
      total: rows.length,
      looked: rows.length,
    });
    await world.index();
    expect(await askedOf(world.deps, size, {})).toMatchObject({
      total: rows.length,
      countedTreeSize: size,
      looked: 0,
    });
    expect(
      (await askedOf(world.deps, size, { asOfTreeSize: behind.countedTreeSize, groupBy: ["severity"] }))
        .fields,
    ).toEqual(behind.fields);
  }, 60_000);
});
