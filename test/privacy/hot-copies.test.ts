import { randomBytes } from "node:crypto";
import { beforeEach, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Rid } from "../../src/core/ids.ts";
import { type HotCopies, hotCopies } from "../../src/privacy/hot-copies.ts";
import { lookupKey } from "../../src/privacy/lookup-key.ts";
import { type KeptInMap, keptInMap } from "../support/kept-in-map.ts";
import { makeScene } from "../support/records.ts";

const signal = new AbortController().signal;
const { record } = makeScene();
const ageMsMax = 60_000;
const ageMs = fc.integer({ min: 0, max: 10 * ageMsMax });
const lookup = lookupKey(randomBytes(32));
const row = record({ offset: 1, entity: "Maria", projection: { ownershipId: "maria@example.org" } });

let kept: KeptInMap;
let nowMs = 0;
const open = (over: { lookup?: typeof lookup; bytesMax?: number } = {}): HotCopies =>
  hotCopies({
    kept,
    lookup: over.lookup ?? lookup,
    now: () => nowMs,
    random: randomBytes,
    ageMsMax,
    bytesMax: over.bytesMax ?? 1e6,
  });
beforeEach(() => {
  kept = keptInMap();
  nowMs = 1_700_000_000_000;
});

test("a copy is the whole row, found by its rid and by its uid", async () => {
  const copies = open();
  await copies.keep([row, record({ offset: 2 })], signal);
  expect(await copies.byRid(row.rid, signal)).toEqual(row);
  expect(await copies.byUid(row.uid, signal)).toEqual(row);
  expect(await copies.byRid("elsewhere" as Rid, signal)).toBeUndefined();
});

test("what is kept outside the store shows nothing of the row but its ids", async () => {
  await open().keep([row], signal);
  const outside = [...kept.values].map(([key, value]) => `${key} ${Buffer.from(value).toString("latin1")}`);
  for (const personal of ["Maria", "maria@example.org", row.projection.actor.id, row.entry])
    expect(outside.join()).not.toContain(personal);
});

test("a copy of which any bit was changed is a miss", async () => {
  await open().keep([row], signal);
  const whole = kept.values.get(`r:${row.rid}`) ?? new Uint8Array();
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length * 8 - 1), fc.nat(whole.length), async (bit, length) => {
      const changed = Uint8Array.from(whole);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      for (const value of [changed, whole.subarray(0, Math.min(length, whole.length - 1))]) {
        kept.values.set(`r:${row.rid}`, value);
        expect(await open().byRid(row.rid, signal)).toBeUndefined();
      }
    }),
  );
});

test("the copy of another record, and one under another store's key, are misses", async () => {
  const other = record({ offset: 3 });
  await open().keep([row, other], signal);
  kept.values.set(`r:${row.rid}`, kept.values.get(`r:${other.rid}`) ?? new Uint8Array());
  kept.values.set(`u:${row.uid}`, Buffer.from(other.rid));
  expect(await open().byRid(row.rid, signal)).toBeUndefined();
  expect(await open().byUid(row.uid, signal)).toBeUndefined();
  expect(await open({ lookup: lookupKey(randomBytes(32)) }).byRid(other.rid, signal)).toBeUndefined();
});

test("no copy is read that is older than allowed, whoever keeps it longer, and none from the future", async () => {
  await open().keep([row], signal);
  const keptAtMs = nowMs;
  await fc.assert(
    fc.asyncProperty(ageMs, fc.boolean(), async (ms, isAhead) => {
      nowMs = keptAtMs + (isAhead ? -ms : ms);
      expect(await open().byRid(row.rid, signal)).toEqual(ms < ageMsMax ? row : undefined);
    }),
  );
});

test("a process keeps no more bytes within that age than it may, and again some after it", async () => {
  const copies = open({ bytesMax: 10_000 });
  const rows = Array.from({ length: 100 }, (_, offset) => record({ offset }));
  await copies.keep(rows, signal);
  const bytes = [...kept.values.values()].reduce((sum, { length }) => sum + length, 0);
  expect(bytes).toBeLessThan(12_000);
  expect(kept.values.size).toBeGreaterThan(2);
  kept.values.clear();
  nowMs += ageMsMax;
  await copies.keep(rows, signal);
  expect(kept.values.size).toBeGreaterThan(2);
});
