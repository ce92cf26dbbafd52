/** Questions about one entity by callers who are bounded: what is out of their reach is neither opened nor shows in an error. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { parseCatalogue } from "../../src/core/catalogue.ts";
import { LastroError } from "../../src/core/errors.ts";
import type { RecordRow } from "../../src/core/record.ts";
import { compareVersions } from "../../src/query/compare-versions.ts";
import type { QueryDeps } from "../../src/query/deps.ts";
import { foldRecordsMax, getState } from "../../src/query/get-state.ts";
import { listChanges } from "../../src/query/list-changes.ts";
import { chunkRowsMax, passedRowsMax } from "../../src/query/page.ts";
import { grant, person } from "../support/callers.ts";
import { type EventSpec, type HistoryWorld, openHistoryWorld } from "../support/history-world.ts";

const signal = new AbortController().signal;
const bounded = person("bounded", grant("reader", { ownershipIds: ["mine"] }));
const entity = (entityId: string) => ({
  tenant: "",
  namespace: "team_service",
  entityType: "account",
  entityId,
});
const patched = (public_id: string, ownership_id: string, more: object = {}): EventSpec => ({
  type: "account.patched",
  payload: { public_id, ...more },
  metadata: { ownership_id },
});

let world: HistoryWorld;
beforeAll(async () => {
  const parsed = parseCatalogue(
    JSON.stringify({ version: 1, events: { "account.patched": { action: "update", payload_is: "merge" } } }),
  );
  if (!parsed.ok) throw new Error(parsed.errors.join());
  world = await openHistoryWorld(parsed.catalogue);
  await world.publish(
    ...Array.from({ length: foldRecordsMax + 2 }, (_, n) => patched("hidden", "other", { n })),
  );
  await world.publish(
    patched("mixed", "mine", { a: 1 }),
    patched("mixed", "other", { b: 2 }),
    patched("mixed", "other", { c: 3 }),
    patched("mixed", "mine", { d: 4 }),
    patched("mixed", "other", { e: 5 }),
  );
  await world.publish(
    ...Array.from({ length: passedRowsMax + chunkRowsMax }, (_, n) => patched("long", "other", { n })),
    { type: "account.updated", payload: { public_id: "long" }, metadata: { ownership_id: "other" } },
    patched("long", "mine", { last: true }),
  );
}, 120_000);
afterAll(async () => world?.[Symbol.asyncDispose]());

/** Opens nothing without counting it. */
function counting(deps: QueryDeps): { readonly deps: QueryDeps; opened: number } {
  const counted = {
    opened: 0,
    deps: {
      ...deps,
      keys: {
        forOpening(kids, until) {
          counted.opened += kids.length;
          return deps.keys.forOpening(kids, until);
        },
      } satisfies QueryDeps["keys"],
    },
  };
  return counted;
}
const changes = (entityId: string, over: object = {}, deps = world.deps) => {
  const range = { fromVersion: 0, toVersion: 0, recordedFromMs: undefined, recordedToMs: undefined };
  const request = { entity: entity(entityId), ...range, pageSize: 0, pageToken: "", ...over };
  return listChanges(deps, request, bounded, signal);
};
const told = async (answer: Promise<unknown>): Promise<unknown> =>
  answer.catch((error: unknown) =>
    error instanceof LastroError ? [error.code, error.message, error.field] : Promise.reject(error),
  );
const broken = (row: RecordRow): RecordRow => ({ ...row, entry: "{}", body: new Uint8Array([1]) });

describe("R-25 an entity wholly out of reach is answered as one that is not there", () => {
  const versions = [1, 2, 1_001, foldRecordsMax + 2, foldRecordsMax + 3];
  type Ask = (id: string, deps: QueryDeps) => Promise<unknown>;
  const changesFrom =
    (fromVersion: number): Ask =>
    (id, deps) =>
      changes(id, { fromVersion }, deps);
  const stateAt =
    (version: number): Ask =>
    (id, deps) =>
      getState(deps, { entity: entity(id), asOf: { version } }, bounded, signal);
  const comparedTo =
    (toVersion: number): Ask =>
    (id, deps) =>
      compareVersions(deps, { entity: entity(id), fromVersion: 1, toVersion }, bounded, signal);
  const asked: readonly (readonly [string, Ask])[] = [
    ["its changes", changesFrom(0)],
    ...versions.flatMap((version): (readonly [string, Ask])[] => [
      [`its changes from version ${version}`, changesFrom(version)],
      [`its state at version ${version}`, stateAt(version)],
      [`its versions 1 and ${version} compared`, comparedTo(version)],
    ]),
  ];
  test.each(asked)("%s, and nothing of it is opened", async (_, ask) => {
    const counted = counting(world.deps);
    expect(await told(ask("hidden", counted.deps))).toEqual(await told(ask("absent", counted.deps)));
    expect(counted.opened).toBe(0);
  });

  test.each(asked)("%s, where its records are damaged", async (_, ask) => {
    const damaged = world.tampered(broken);
    expect(await told(ask("hidden", damaged))).toEqual(await told(ask("absent", damaged)));
  });

  test("its changes, where a version is missing", async () => {
    const { history } = world.deps;
    const missing: QueryDeps = { ...world.deps, history: { ...history, versions: async () => [] } };
    expect(await told(changes("hidden", {}, missing))).toEqual(await told(changes("absent", {}, missing)));
  });
});

test("R-25 a change in reach is told from the version before it, though that is out of reach", async () => {
  for (const [over, expected] of [
    [{}, [1, 4]],
    [{ fromVersion: 2 }, [4]],
    [{ fromVersion: 4 }, [4]],
    [{ fromVersion: 5 }, []],
  ] as const) {
    const page = await changes("mixed", over);
    expect([page.changes.map(({ record }) => record.version), page.nextPageToken]).toEqual([expected, ""]);
    for (const { record, differences, masked } of page.changes)
      expect([record.version, differences, masked]).toEqual(
        record.version === 1
          ? [1, [expect.objectContaining({ op: "replace", path: "" })], false]
          : [4, [{ op: "add", path: "/d" }], true],
      );
  }
});

test("R-25 many versions out of reach close the page with a token and are not opened; the next page goes on behind them", async () => {
  const counted = counting(world.deps);
  const first = await changes("long", {}, counted.deps);
  expect([first.changes, counted.opened]).toEqual([[], 0]);
  expect(first.nextPageToken).not.toBe("");
  const second = await changes("long", { pageToken: first.nextPageToken }, counted.deps);
  expect(second.changes.map(({ record }) => record.version)).toEqual([passedRowsMax + chunkRowsMax + 2]);
  expect(second.nextPageToken).toBe("");
});
