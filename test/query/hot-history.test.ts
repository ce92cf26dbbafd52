import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { hotAppend } from "../../src/ingest/hot-append.ts";
import { hotCopies } from "../../src/privacy/hot-copies.ts";
import type { QueryDeps } from "../../src/query/deps.ts";
import { getRecord } from "../../src/query/get-record.ts";
import { hotHistory } from "../../src/query/hot-history.ts";
import { anna, type HistoryWorld, openHistoryWorld } from "../support/history-world.ts";
import { type KeptInMap, keptInMap } from "../support/kept-in-map.ts";

const signal = new AbortController().signal;
let world: HistoryWorld;
let kept: KeptInMap;
let lookUps: number;
let asking: QueryDeps;

function hot(deps: QueryDeps): QueryDeps {
  const copies = copiesOf(deps);
  const counted = {
    ...deps.history,
    byRid: (...args: Parameters<typeof deps.history.byRid>) => {
      lookUps += 1;
      return deps.history.byRid(...args);
    },
  };
  return { ...deps, history: hotHistory(counted, copies) };
}
const copiesOf = (deps: QueryDeps) =>
  hotCopies({
    kept,
    lookup: deps.lookup,
    now: deps.now,
    random: randomBytes,
    ageMsMax: 60_000,
    bytesMax: 1e6,
  });

beforeEach(async () => {
  world = await openHistoryWorld();
  kept = keptInMap();
  lookUps = 0;
  asking = hot(world.deps);
});
afterEach(async () => world[Symbol.asyncDispose]());

async function published(): Promise<string> {
  const [row] = await world.publish({ metadata: { event_id: "e-1" } });
  return row?.rid ?? "";
}
const byId = {
  eventId: { tenant: "", producerService: "team_service", form: "metadata", parts: ["e-1"] },
} as const;

test("R-22 a record that was read is read again without the store looking for it, by rid and by event id, and is the same", async () => {
  const rid = await published();
  const first = await getRecord(asking, { rid }, anna, signal);
  expect(await getRecord(asking, { rid }, anna, signal)).toEqual(first);
  expect(await getRecord(asking, byId, anna, signal)).toEqual(first);
  expect(lookUps).toBe(1);
});

test("R-22 a record that was just stored is read without the store looking for it", async () => {
  const [row] = await world.publish({});
  if (row === undefined) throw new Error("nothing was stored");
  const records = hotAppend(
    { ...world.store.records, append: async () => ({ kind: "done" }) },
    copiesOf(world.deps),
  );
  await records.append(
    { records: [row], deactivate: [], ownerships: [], aliases: [], account: undefined },
    signal,
  );
  expect((await getRecord(asking, { rid: row.rid }, anna, signal)).rid).toBe(row.rid);
  expect(lookUps).toBe(0);
});

test("rows that the store did not wholly take are not kept", async () => {
  const [row] = await world.publish({});
  if (row === undefined) throw new Error("nothing was stored");
  const clashes = { ...world.store.records, append: async () => ({ kind: "clash", at: 1 }) as const };
  await hotAppend(clashes, copiesOf(world.deps)).append(
    { records: [row], deactivate: [], ownerships: [], aliases: [], account: undefined },
    signal,
  );
  expect(kept.values.size).toBe(0);
});

test("R-22 whether a record is active is never older than the question", async () => {
  const rid = await published();
  expect((await getRecord(asking, { rid }, anna, signal)).isActive).toBe(true);
  await world.publish({});
  expect((await getRecord(asking, { rid }, anna, signal)).isActive).toBe(false);
  expect(lookUps).toBe(1);
});

test("a copy reveals nothing whose keys were destroyed since", async () => {
  const rid = await published();
  await getRecord(asking, { rid }, anna, signal);
  const erased = hot(world.withoutKeys("s"));
  expect((await getRecord(erased, { rid }, anna, signal)).content).toEqual({ state: "erased" });
  expect(lookUps).toBe(1);
});

test("what nobody can read is looked for in the store", async () => {
  const rid = await published();
  await getRecord(asking, { rid }, anna, signal);
  for (const key of kept.values.keys()) kept.values.set(key, randomBytes(300));
  expect((await getRecord(asking, { rid }, anna, signal)).rid).toBe(rid);
  expect(lookUps).toBe(2);
});
