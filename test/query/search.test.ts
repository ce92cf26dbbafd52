import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { parseCatalogue } from "../../src/core/catalogue.ts";
import { holds } from "../../src/core/filter-holds.ts";
import type { RecordRow } from "../../src/core/record.ts";
import { valueOfRow } from "../../src/core/search-fields.ts";
import type { Operations } from "../../src/ports/operations.ts";
import type { QueryDeps } from "../../src/query/deps.ts";
import { listOutcomes } from "../../src/query/list-outcomes.ts";
import { getOwnership, listOwnerships } from "../../src/query/ownerships.ts";
import { allOf, equal } from "../support/filters.ts";
import { anna, type HistoryWorld, openHistoryWorld, ownership, worldSrc } from "../support/history-world.ts";
import { makeScene, startMs } from "../support/records.ts";
import { listOwnedRecords, refused, searchRecords } from "../support/searching.ts";

const signal = new AbortController().signal;
/** As if the columns had been changed before they were searched. */
function lyingStore(deps: QueryDeps, change: (row: RecordRow) => RecordRow): QueryDeps {
  const search: QueryDeps["history"]["search"] = async (asked, ends) => {
    const found = await deps.history.search({ ...asked, filter: allOf() }, ends);
    const rows = found.rows.map(change);
    return { ...found, rows: rows.filter((row) => holds(asked.filter, (field) => valueOfRow(row, field))) };
  };
  return { ...deps, history: { ...deps.history, search } };
}
const projected = (over: Partial<RecordRow["projection"]>) => (row: RecordRow) => ({
  ...row,
  projection: { ...row.projection, ...over },
});

describe("R-10 records are found by owner, trace, producer, event type, time and whether they are active", () => {
  let world: HistoryWorld;
  beforeAll(async () => {
    world = await openHistoryWorld();
    await world.publish(
      { type: "account.created", payload: { public_id: "a" } },
      { payload: { public_id: "a" }, metadata: { user_id: "eve", status: "PENDING" } },
      { type: "account.viewed", payload: { public_id: "a" } },
    );
    await world.publish({
      type: "invoice.created",
      payload: { id: 7 },
      producer: "billing",
      traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
      timestamp: "2024-06-21T12:00:00Z",
      metadata: { ownership_id: "other", tenant_id: "acme" },
    });
  });
  afterAll(async () => world[Symbol.asyncDispose]());

  const found = async (filter: string, orderBy = "", deps = world.deps): Promise<string[]> =>
    (await searchRecords(deps, { filter, orderBy, pageSize: 0, pageToken: "" }, anna, signal)).records.map(
      (r) => `${r.eventType} v${r.version}`,
    );

  test.each([
    ["", ["invoice.created v1", "account.viewed v1", "account.updated v2", "account.created v1"]],
    ["tenant = acme", ["invoice.created v1"]],
    ["namespace = team_service AND kind = activity", ["account.viewed v1"]],
    ["entity_type = invoice AND entity_id = 7", ["invoice.created v1"]],
    ["event_type = account.created", ["account.created v1"]],
    ["action = update", ["account.updated v2"]],
    ["producer_service = billing", ["invoice.created v1"]],
    ["trace_id = 4BF92F35-77B3-4DA6-A3CE-929D0E0E4736", ["invoice.created v1"]],
    ["owner_id = eve", ["account.updated v2"]],
    ["ownership_id = other", ["invoice.created v1"]],
    ["action_at < 2024-06-22T00:00:00Z", ["invoice.created v1"]],
    ["recorded_at > 2024-06-22T12:00:01Z AND recorded_at <= 2024-06-22T12:00:02Z", ["invoice.created v1"]],
    ["active = true", ["invoice.created v1", "account.updated v2"]],
    ["active = false", ["account.viewed v1", "account.created v1"]],
    ["active = true AND owner_id = nobody", []],
    ["owner_id = eve OR ownership_id = other", ["invoice.created v1", "account.updated v2"]],
    ["kind = change -active = true", ["account.created v1"]],
    ["version > 1 OR namespace != team_service", ["invoice.created v1", "account.updated v2"]],
    [
      "owner_role = admin owner_type = user severity < HIGH -event_type = 'account.*'",
      ["invoice.created v1"],
    ],
    ["flags:* AND flags:aliased AND resource_type = '' AND kind = activity", ["account.viewed v1"]],
    ["flags:leap_second", []],
    ["owner_ip = '::ffff:192.168.1.100' AND kind = activity", ["account.viewed v1"]],
    ["operation = CREATE", ["invoice.created v1", "account.created v1"]],
    ["operation = READ OR operation = UPDATE", ["account.viewed v1", "account.updated v2"]],
    ["status = PENDING", ["account.updated v2"]],
    ["status = SUCCESS AND operation != CREATE", ["account.viewed v1"]],
  ])("%s", async (filter, records) => expect(await found(filter)).toEqual(records));

  test("records come in the order that is asked for", async () => {
    expect(await found("kind = change", "recorded_at")).toEqual([
      "account.created v1",
      "account.updated v2",
      "invoice.created v1",
    ]);
    expect(await found("kind = change", "action_at desc")).toEqual([
      "account.updated v2",
      "account.created v1",
      "invoice.created v1",
    ]);
  });

  test("a record that is superseded while it is searched for is neither given as active nor called altered", async () => {
    await using other = await openHistoryWorld();
    await other.publish({ payload: { public_id: "a" } });
    const raced: QueryDeps["history"]["search"] = async (...asked) => {
      const found = await other.deps.history.search(...asked);
      await other.publish({ payload: { public_id: "a", n: 2 } });
      return found;
    };
    const deps = { ...other.deps, history: { ...other.deps.history, search: raced } };
    const request = { filter: "active = true", orderBy: "", pageSize: 0, pageToken: "" };
    const page = await searchRecords(deps, request, anna, signal);
    expect([page.records, page.alteredRids]).toEqual([[], []]);
  });

  test("R-23 an altered column finds a record by no negation and no alternative either; what no entry says cannot contradict", async () => {
    const answer = async (filter: string, change: (row: RecordRow) => RecordRow) => {
      const lying = lyingStore(world.deps, change);
      const request = { filter, orderBy: "", pageSize: 0, pageToken: "" };
      const page = await searchRecords(lying, request, anna, signal);
      return [page.records.length, page.alteredRids.length];
    };
    const asMallory = projected({
      actor: { id: "mallory", ip: "192.0.2.66", role: "boss", type: "service" },
    });
    expect(await answer("owner_id != eve", asMallory)).toEqual([3, 1]);
    expect(await answer("owner_id = mallory OR owner_role = boss", asMallory)).toEqual([0, 4]);
    expect(await answer("owner_type = service", asMallory)).toEqual([0, 4]);
    expect(await answer("owner_ip = 192.0.2.66", asMallory)).toEqual([0, 4]);
    expect(await answer("status = FAILURE", projected({ status: "FAILURE" }))).toEqual([0, 4]);
    expect(await answer("operation = LOGIN", projected({ eventType: "account.login" }))).toEqual([0, 4]);
    expect(await answer("severity = CRITICAL", projected({ severity: "CRITICAL" }))).toEqual([4, 0]);
    expect(await answer("version = 9", (row) => ({ ...row, version: 9 }))).toEqual([0, 4]);
    const erased = { ...world.withoutKeys("s"), history: world.deps.history };
    // Only the record without a destroyed key of its own could contradict, and the column does not.
    expect(await found("owner_id != nobody", "recorded_at", erased)).toHaveLength(4);
  });

  test("a record whose search fields were altered is left out and named, not passed off as what it is not", async () => {
    const deps = world.tampered((r) => ({
      ...r,
      projection: { ...r.projection, actor: { ...r.projection.actor, id: "mallory" } },
    }));
    const request = { filter: "owner_id = eve", orderBy: "", pageSize: 0, pageToken: "" };
    // The row is found by its true column; what it says of itself is what counts.
    expect(
      (await searchRecords(deps, request, anna, signal)).records.map((r) => r.check.alteredFields),
    ).toEqual([["owner_id"]]);
    const lying = {
      ...world.deps,
      history: {
        ...world.deps.history,
        search: async () =>
          world.deps.history.search(
            {
              filter: equal("owner_id", "789"),
              order: { field: "recorded_at", direction: "desc" },
              after: undefined,
              limit: 50,
              scanMax: 50,
            },
            signal,
          ),
      },
    };
    const page = await searchRecords(lying, request, anna, signal);
    expect(page.records).toEqual([]);
    expect(page.alteredRids).toHaveLength(3);
  });

  test.each([
    ["kind = other", "", /filter, character 8: a value for kind is one of change, activity/],
    ["action = destroy", "", /filter/],
    ["", "version", /order_by: .*recorded_at, recorded_at desc/],
    ["", "owner_ip", /order_by: .*owner_id, owner_id desc/],
    ["", "recorded_at sideways", /order_by/],
    ["", "recorded_at desc, action_at", /order_by/],
  ])("filter %j with order %j is refused", async (filter, orderBy, message) => {
    const act = searchRecords(world.deps, { filter, orderBy, pageSize: 0, pageToken: "" }, anna, signal);
    expect(await refused(act)).toMatch(message);
  });

  test("R-09 ownerships are told one by one, as a list and with their records", async () => {
    const document = await getOwnership(world.deps, { tenant: "", ownershipId: ownership }, anna, signal);
    expect(document).toMatchObject({ ownershipId: ownership, state: "live", producers: ["team_service"] });
    expect(
      await refused(getOwnership(world.deps, { tenant: "acme", ownershipId: ownership }, anna, signal)),
    ).toMatch(/^NOT_FOUND/);
    const seen: (string | undefined)[] = [];
    for (let pageToken = "", first = true; first || pageToken !== ""; first = false) {
      const page = await listOwnerships(world.deps, { tenant: "", pageSize: 1, pageToken }, anna, signal);
      seen.push(...page.ownerships.map((o) => o.ownershipId));
      pageToken = page.nextPageToken;
    }
    expect(seen.sort()).toEqual([ownership, "other"].sort());
    const acme = await listOwnerships(
      world.deps,
      { tenant: "acme", pageSize: 0, pageToken: "" },
      anna,
      signal,
    );
    expect(acme.ownerships.map((o) => o.ownershipId)).toEqual(["other"]);
    const owned = await listOwnedRecords(
      world.deps,
      { tenant: "", ownershipId: ownership, pageSize: 0, pageToken: "" },
      anna,
      signal,
    );
    expect(owned.records).toHaveLength(3);
  });
});

describe("pages", () => {
  test("a walk of 10,000 records with changing page sizes gives each once, while others are appended", async () => {
    await using world = await openHistoryWorld();
    const start = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const events = Array.from({ length: 500 }, (_, n) => ({
        payload: { public_id: `e-${i % 3}-${n}`, i },
      }));
      for (const row of await world.publish(...events)) start.add(row.rid);
    }
    const sizes = [1, 7, 50, 0, 333, 1000, 3];
    for (const orderBy of [
      "recorded_at desc",
      "recorded_at",
      "action_at desc",
      "entity_id",
      "ownership_id desc",
    ]) {
      const seen: string[] = [];
      let pageToken = "";
      for (let i = 0; i === 0 || pageToken !== ""; i++) {
        const pageSize = sizes[i % sizes.length] ?? 0;
        const page = await searchRecords(
          world.deps,
          { filter: "kind = change", orderBy, pageSize, pageToken },
          anna,
          signal,
        );
        expect(page.records.length).toBeLessThanOrEqual(pageSize === 0 ? 50 : pageSize);
        seen.push(...page.records.map((r) => r.rid));
        pageToken = page.nextPageToken;
        if (i < 5) await world.publish({ payload: { public_id: `late-${i}`, orderBy } });
      }
      expect(new Set(seen).size).toBe(seen.length);
      expect(seen.filter((rid) => start.has(rid))).toHaveLength(10_000);
    }
  }, 120_000);

  test("R-23 a search that no index helps with takes several pages, some of them empty, and comes to its end", async () => {
    await using world = await openHistoryWorld();
    await world.publish({ payload: { public_id: "rare" }, metadata: { user_role: "rare" } });
    const scene = makeScene();
    for (let batch = 0; batch < 13; batch++) {
      const records = Array.from({ length: 1_600 }, (_, i) =>
        scene.record({
          offset: batch * 1_600 + i,
          recordedAtMs: startMs + batch,
          entity: `e${i % 7}-${batch}`,
        }),
      );
      await world.store.records.append(scene.batch({ records }), signal);
    }
    for (const [filter, orderBy] of [
      ["owner_role = rare", ""],
      ["owner_role = rare AND kind = change OR owner_role = none", ""],
      ["owner_role = rare", "entity_id"],
    ] as const) {
      const sizes: number[] = [];
      for (let pageToken = "", first = true; first || pageToken !== ""; first = false) {
        const request = { filter, orderBy, pageSize: 10, pageToken };
        const page = await searchRecords(world.deps, request, anna, signal);
        sizes.push(page.records.length);
        pageToken = page.nextPageToken;
      }
      expect(sizes).toEqual([0, 0, 1]);
    }
  }, 60_000);

  test("R-23 payload paths that the catalogue indexes can be asked for, and no others; the payload is held against them", async () => {
    const parsed = parseCatalogue(
      JSON.stringify({
        version: 1,
        events: { "account.*": { index: ["/payload/plan", "/metadata/region"] } },
      }),
    );
    if (!parsed.ok) throw new Error(parsed.errors.join());
    await using world = await openHistoryWorld(parsed.catalogue);
    await world.publish(
      { payload: { public_id: "a", plan: "gold" }, metadata: { region: "eu" } },
      { payload: { public_id: "b", plan: "silver" } },
      { payload: { public_id: "c" } },
    );
    const found = async (filter: string, deps = world.deps) => {
      const page = await searchRecords(
        deps,
        { filter, orderBy: "recorded_at", pageSize: 0, pageToken: "" },
        anna,
        signal,
      );
      return [
        page.records.map(({ content }) => ("entityId" in content ? content.entityId : "")).join(""),
        page.alteredRids.length,
      ];
    };
    expect(await found("payload.plan = gold")).toEqual(["a", 0]);
    expect(await found('payload.plan = "s*" OR metadata.region:*')).toEqual(["ab", 0]);
    expect(await found("payload.plan != gold")).toEqual(["bc", 0]);
    expect(await found('NOT "/payload/plan":*')).toEqual(["c", 0]);
    expect(await refused(found("payload.price = 1"))).toMatch(
      /^INVALID_ARGUMENT filter: .*no field payload.price/,
    );
    await using before = await openHistoryWorld();
    await before.publish({ payload: { public_id: "a", plan: "gold" } });
    const since = { ...before.deps, catalogue: parsed.catalogue };
    expect([await found("payload.plan = gold", since), await found("NOT payload.plan:*", since)]).toEqual([
      ["", 0],
      ["a", 0],
    ]);
    const lying = lyingStore(world.deps, projected({ indexed: { "/payload/plan": "bronze" } }));
    expect(await found("payload.plan = bronze", lying)).toEqual(["", 3]);
    expect(await found("payload.plan != gold", lying)).toEqual(["bc", 1]);
    const erased = { ...lying, keys: world.withoutKeys("s").keys };
    const request = { filter: "payload.plan = bronze", orderBy: "", pageSize: 0, pageToken: "" };
    expect((await searchRecords(erased, request, anna, signal)).records).toHaveLength(3);
  });

  test("a page closes before it outgrows a message, and still moves on", async () => {
    await using world = await openHistoryWorld();
    const text = "x".repeat(200_000);
    for (let i = 0; i < 12; i++)
      await world.publish({ payload: { public_id: `big-${i}`, a: text, b: text, c: text, d: text } });
    const sizes: number[] = [];
    for (let pageToken = "", first = true; first || pageToken !== ""; first = false) {
      const page = await searchRecords(
        world.deps,
        { filter: "", orderBy: "", pageSize: 100, pageToken },
        anna,
        signal,
      );
      sizes.push(page.records.length);
      pageToken = page.nextPageToken;
    }
    expect(sizes.every((size) => size > 0 && size < 12)).toBe(true);
    expect(sizes.reduce((a, b) => a + b)).toBe(12);
  });

  test("page sizes: 0 is 50, above 1,000 is 1,000, negative is refused", async () => {
    await using world = await openHistoryWorld();
    for (let i = 0; i < 11; i++)
      await world.publish(
        ...Array.from({ length: 100 }, (_, n) => ({ payload: { public_id: `${i}-${n}` } })),
      );
    const size = async (pageSize: number) =>
      (await searchRecords(world.deps, { filter: "", orderBy: "", pageSize, pageToken: "" }, anna, signal))
        .records.length;
    expect(await size(0)).toBe(50);
    expect(await size(1_000_000_000)).toBe(1000);
    expect(await refused(size(-1))).toMatch(/^INVALID_ARGUMENT page_size/);
  });

  test("outcomes are paged by offset, and none named means all kinds", async () => {
    await using world = await openHistoryWorld();
    const rows = Array.from(
      { length: 5 },
      (_, i) => ({ kind: "gap", from: 10 * i, to: 10 * i + 3, cause: "undelivered" }) as const,
    );
    const operations: Pick<Operations, "outcomes"> = {
      outcomes: async ({ from, limit, kinds }) =>
        rows.filter((row) => row.from >= from && kinds.includes(row.kind)).slice(0, limit),
    };
    const request = { src: worldSrc, from: 0, to: undefined, kinds: [], pageSize: 2 };
    const seen: number[] = [];
    for (let pageToken = "", first = true; first || pageToken !== ""; first = false) {
      const page = await listOutcomes(world.deps, operations, { ...request, pageToken }, anna, signal);
      seen.push(...page.outcomes.map((row) => row.from));
      pageToken = page.nextPageToken;
    }
    expect(seen).toEqual([0, 10, 20, 30, 40]);
    expect(
      await refused(
        listOutcomes(world.deps, operations, { ...request, src: "x", pageToken: "" }, anna, signal),
      ),
    ).toMatch(/INVALID_ARGUMENT src/);
  });
});
