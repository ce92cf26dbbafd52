/** Pages of callers who are bounded: what is out of their reach does not show in how many there are. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Caller } from "../../src/core/caller.ts";
import type { QueryDeps } from "../../src/query/deps.ts";
import { getHistory } from "../../src/query/get-history.ts";
import { listChanges } from "../../src/query/list-changes.ts";
import { listOwnerships } from "../../src/query/ownerships.ts";
import { chunkRowsMax, collectRows, passedRowsMax } from "../../src/query/page.ts";
import { grant, person } from "../support/callers.ts";
import { type HistoryWorld, openHistoryWorld } from "../support/history-world.ts";

const signal = new AbortController().signal;
const bounded = person("bounded", grant("reader", { ownershipIds: ["mine"] }));
const sizes = [1, 2, 3, 4, 5, 1_000];
/** Of the versions of `partly`, whose they are. */
const owners = ["other", "mine", "other", "other", "mine", "mine", "other", "other"];
const inSight = owners.flatMap((owner, i) => (owner === "mine" ? [i + 1] : []));

let world: HistoryWorld;
beforeAll(async () => {
  world = await openHistoryWorld();
  for (const [id, ofEach] of Object.entries({ partly: owners, hidden: owners.map(() => "other") }))
    for (const [n, ownership_id] of ofEach.entries())
      for (const type of ["account.updated", "account.viewed"])
        await world.publish({ type, payload: { public_id: id, n }, metadata: { ownership_id } });
  for (const [n, tenant_id] of ["a", "b", "c", "b", "a", "c", "c"].entries())
    await world.publish({
      payload: { public_id: `x-${n}` },
      metadata: { tenant_id, ownership_id: `o-${n}` },
    });
});
afterAll(async () => world[Symbol.asyncDispose]());

const entity = (entityId: string) => ({
  tenant: "",
  namespace: "team_service",
  entityType: "account",
  entityId,
});
const histories = (["asc", "desc"] as const).flatMap((order) =>
  [["change"], ["activity"], ["change", "activity"]].flatMap((kinds) =>
    [true, false].map((includeInactive) => ({
      order,
      kinds: kinds as ("change" | "activity")[],
      includeInactive,
    })),
  ),
);
const history = (entityId: string, asked: (typeof histories)[number], pageSize: number, pageToken = "") =>
  getHistory(world.deps, { entity: entity(entityId), ...asked, pageSize, pageToken }, bounded, signal);
const changes = (entityId: string, pageSize: number, pageToken = "") => {
  const range = { fromVersion: 0, toVersion: 0, recordedFromMs: undefined, recordedToMs: undefined };
  return listChanges(
    world.deps,
    { entity: entity(entityId), ...range, pageSize, pageToken },
    bounded,
    signal,
  );
};

type Page<Item> = { readonly items: readonly Item[]; readonly nextPageToken: string };
async function pagesOf<Item>(ask: (pageToken: string) => Promise<Page<Item>>): Promise<(readonly Item[])[]> {
  const pages: (readonly Item[])[] = [];
  for (let token = ""; ; ) {
    const { items, nextPageToken } = await ask(token);
    pages.push(items);
    if (nextPageToken === "") return pages;
    token = nextPageToken;
  }
}
const inPages = <Item>(items: readonly Item[], size: number): Item[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));

describe("R-25 an entity wholly out of reach is answered as one that is not there, whatever the size of the page", () => {
  test.each(histories)("its history: %j", async (asked) => {
    for (const size of sizes)
      expect(await history("hidden", asked, size)).toEqual(await history("absent", asked, size));
  });

  test("its changes", async () => {
    for (const size of sizes) expect(await changes("hidden", size)).toEqual(await changes("absent", size));
  });
});

describe("R-25 pages are made of what is in sight, full but for the last, and none is empty", () => {
  test.each(["asc", "desc"] as const)("the history of an entity partly in reach, %s", async (order) => {
    const versions = order === "asc" ? inSight : inSight.toReversed();
    const expected = ["change", "activity"].flatMap((kind) =>
      versions.map((version) => `${kind} ${version}`),
    );
    const asked = { order, kinds: ["change", "activity"] as const, includeInactive: true };
    for (const size of sizes) {
      const pages = await pagesOf(async (token) => {
        const { records, nextPageToken } = await history(
          "partly",
          { ...asked, kinds: [...asked.kinds] },
          size,
          token,
        );
        return { items: records.map(({ kind, version }) => `${kind} ${version}`), nextPageToken };
      });
      expect([size, pages]).toEqual([size, inPages(expected, size)]);
    }
  });

  test("its changes", async () => {
    for (const size of sizes) {
      const pages = await pagesOf(async (token) => {
        const page = await changes("partly", size, token);
        return { items: page.changes.map(({ record }) => record.version), nextPageToken: page.nextPageToken };
      });
      expect([size, pages]).toEqual([size, inPages(inSight, size)]);
    }
  });

  const ownerships = (caller: Caller, deps: QueryDeps, pageSize: number) =>
    pagesOf(async (pageToken) => {
      const page = await listOwnerships(deps, { tenant: "", pageSize, pageToken }, caller, signal);
      return { items: page.ownerships.map((one) => one.tenant), nextPageToken: page.nextPageToken };
    });

  test("ownerships of the tenants in reach; of a single one, nothing else is read", async () => {
    const asked: (string | undefined)[] = [];
    const deps: QueryDeps = {
      ...world.deps,
      history: {
        ...world.deps.history,
        ownerships(question, until) {
          asked.push(question.tenant);
          return world.deps.history.ownerships(question, until);
        },
      },
    };
    for (const size of sizes) {
      const two = await ownerships(person("two", grant("dpo", { tenants: ["a", "b"] })), deps, size);
      expect([size, two.map(({ length }) => length)]).toEqual([
        size,
        inPages([1, 2, 3, 4], size).map((p) => p.length),
      ]);
      expect(two.flat().toSorted()).toEqual(["a", "a", "b", "b"]);
    }
    expect(new Set(asked.splice(0))).toEqual(new Set([undefined]));
    for (const size of sizes)
      expect(await ownerships(person("one", grant("dpo", { tenants: ["c"] })), deps, size)).toEqual(
        inPages(["c", "c", "c"], size),
      );
    expect(new Set(asked)).toEqual(new Set(["c"]));
  });
});

test("a page that passed over as many as it may closes where it is, and the next one goes on behind", async () => {
  const count = passedRowsMax + 3 * chunkRowsMax;
  const next = async (after: number | undefined, limit: number) =>
    Array.from({ length: Math.min(limit, count - (after ?? 0)) }, (_, i) => (after ?? 0) + i + 1);
  const first = await collectRows(
    2,
    () => 1,
    next,
    (row) => row === count,
  );
  expect(first.rows).toEqual([]);
  expect(first.last).toBeGreaterThanOrEqual(passedRowsMax);
  expect(first.last).toBeLessThan(passedRowsMax + chunkRowsMax);
  const behind = (after: number | undefined, limit: number) => next(after ?? first.last, limit);
  expect(
    await collectRows(
      2,
      () => 1,
      behind,
      (row) => row === count,
    ),
  ).toEqual({ rows: [count], last: undefined });
});
