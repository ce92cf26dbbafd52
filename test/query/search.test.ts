import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { LastroError } from "../../src/core/errors.ts";
import type { Operations } from "../../src/ports/operations.ts";
import { listOutcomes } from "../../src/query/list-outcomes.ts";
import { getOwnership, listOwnerships } from "../../src/query/ownerships.ts";
import { listOwnedRecords, searchRecords } from "../../src/query/search-records.ts";
import { anna, type HistoryWorld, openHistoryWorld, ownership, worldSrc } from "../support/history-world.ts";

const signal = new AbortController().signal;
const refused = async (act: Promise<unknown>): Promise<string> => {
  try {
    await act;
    return "answered";
  } catch (error) {
    if (error instanceof LastroError) return `${error.code} ${error.field ?? ""}: ${error.message}`;
    throw error;
  }
};

describe("R-10 records are found by owner, trace, producer, event type, time and whether they are active", () => {
  let world: HistoryWorld;
  beforeAll(async () => {
    world = await openHistoryWorld();
    await world.publish(
      { type: "account.created", payload: { public_id: "a" } },
      { payload: { public_id: "a" }, metadata: { user_id: "eve" } },
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
              conditions: [{ field: "owner_id", operator: "=", value: "789" }],
              order: { field: "recorded_at", direction: "desc" },
              after: undefined,
              limit: 50,
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
    ["kind = other", "", /filter: .*kind with something else than change, activity/],
    ["action = destroy", "", /filter/],
    ["", "version", /order_by: .*recorded_at, recorded_at desc/],
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
  test("a walk of 2,000 records with changing page sizes gives each once, while others are appended", async () => {
    await using world = await openHistoryWorld();
    const start = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const events = Array.from({ length: 100 }, (_, n) => ({
        payload: { public_id: `e-${i % 3}-${n}`, i },
      }));
      for (const row of await world.publish(...events)) start.add(row.rid);
    }
    const sizes = [1, 7, 50, 0, 333, 1000, 3];
    for (const orderBy of ["recorded_at desc", "recorded_at", "action_at desc"]) {
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
      expect(seen.filter((rid) => start.has(rid))).toHaveLength(2000);
    }
  }, 120_000);

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
