import { describe, expect, test } from "@jest/globals";
import { openSqliteStore } from "../../src/adapters/sqlite/open.ts";
import type { KeyDocument } from "../../src/ports/key-store.ts";
import type { Log } from "../../src/ports/log.ts";
import {
  actorKeyNeed,
  dataKeys,
  keyRefText,
  producerKeyNeed,
  subjectKeyNeed,
} from "../../src/privacy/data-keys.ts";
import { type RotateDeps, rewrapKeys, tellingRewrap } from "../../src/privacy/rotate.ts";
import { openStoreKeys } from "../../src/privacy/store-keys.ts";
import {
  countedRandomness,
  memoryKeyRing,
  memoryKeyStore,
  memoryStoreState,
} from "../support/memory-keys.ts";

const signal = new AbortController().signal;
const now = () => 1_700_000_000_000;
const needs = (count: number) =>
  Array.from({ length: count }, (_, at) => producerKeyNeed("t", `service-${at}`));

async function setUp(documents: number) {
  const random = countedRandomness();
  const [state, keys, outer] = [memoryStoreState(), memoryKeyStore(), memoryKeyRing([1])];
  const store = await openStoreKeys({ state, ring: outer, random, now }, signal);
  state.filled = true;
  const deps = { state, keys, ring: store.ring, random };
  const open = () => dataKeys({ keys, ring: store.ring, random, now });
  const sealing = await open().forSealing(needs(documents), signal);
  const addKek2 = () => {
    outer.keks.push({ epoch: 2, key: Buffer.alloc(32, 2) });
    outer.currentEpoch = 2;
  };
  return { state, keys, outer, store, deps, open, sealing, random, addKek2 };
}
const keksOf = (documents: Iterable<KeyDocument>) =>
  new Set([...documents].flatMap(({ keys }) => keys.map(({ kek }) => kek)));

test("rotation re-wraps everything under the current KEK; data keys, lookup key and columns stay", async () => {
  const { state, keys, store, deps, open, sealing, random, addKek2 } = await setUp(450);
  addKek2();
  expect(await rewrapKeys(deps, signal)).toEqual({ kek: 2, rewrapped: 451, left: 0, retired: 1 });
  expect(keksOf(keys.documents.values())).toEqual(new Set([2]));
  expect(await open().forSealing(needs(450), signal)).toEqual(sealing);
  // The old KEK may go now.
  const later = await openStoreKeys({ state, ring: memoryKeyRing([2]), random, now }, signal);
  expect(later.storeId).toBe(store.storeId);
  expect(later.lookupKey.pageKey()).toEqual(store.lookupKey.pageKey());
  expect(later.identity.keks.map(({ epoch }) => epoch)).toEqual([2]);
  expect(await rewrapKeys(deps, signal)).toEqual({ kek: 2, rewrapped: 0, left: 0, retired: 0 });
});

test("an announced KEK that is not current yet re-wraps nothing and retires nothing", async () => {
  const { state, outer, deps } = await setUp(3);
  outer.keks.push({ epoch: 2, key: Buffer.alloc(32, 2) });
  expect(await rewrapKeys(deps, signal)).toEqual({ kek: 1, rewrapped: 0, left: 0, retired: 0 });
  expect(state.identity()?.keks.map(({ epoch }) => epoch)).toEqual([1, 2]);
});

test("a pass is bounded and says what is left; the store relies on the old KEK until nothing is", async () => {
  const { state, keys, deps, addKek2 } = await setUp(1);
  const [document] = keys.documents.values();
  if (document === undefined) throw new Error("no document");
  addKek2();
  // Somebody keeps re-wrapping between our read and our write: every compare-and-set is lost.
  keys.rewrap = async () => false;
  expect(await rewrapKeys(deps, signal)).toEqual({ kek: 2, rewrapped: 1, left: 1, retired: 0 });
  expect(state.identity()?.keks.map(({ epoch }) => epoch)).toEqual([1, 2]);
});

test("two instances that rotate at once re-wrap each key once", async () => {
  const { keys, deps, addKek2 } = await setUp(40);
  addKek2();
  const passes = await Promise.all([rewrapKeys(deps, signal), rewrapKeys(deps, signal)]);
  expect(passes.reduce((sum, { rewrapped }) => sum + rewrapped, 0)).toBe(41);
  expect(passes.map(({ left }) => left)).toEqual([0, 0]);
  expect(keksOf(keys.documents.values())).toEqual(new Set([2]));
});

test("a lookup key that could not be re-wrapped counts as left: the store still asks for the old KEK", async () => {
  const { state, deps, addKek2 } = await setUp(1);
  addKek2();
  await deps.ring.refresh();
  // Somebody else changes the identity between our read and our write.
  const lost = { ...deps, state: { ...state, replace: async () => false } };
  expect(await rewrapKeys(lost, signal)).toEqual({ kek: 2, rewrapped: 1, left: 1, retired: 0 });
  expect(await rewrapKeys(deps, signal)).toEqual({ kek: 2, rewrapped: 1, left: 0, retired: 1 });
});

describe("each instance tells", () => {
  async function twoInstances() {
    const first = await setUp(3);
    const { state, keys, random } = first;
    const outer = memoryKeyRing([1]);
    outer.keks.push({ epoch: 2, key: Buffer.alloc(32, 2) });
    const { ring } = await openStoreKeys({ state, ring: outer, random, now }, signal);
    const lines: unknown[] = [];
    const tells = (instance: string, deps: RotateDeps) => {
      const line: Log["error"] = (code, _, fields) => void lines.push([instance, code, fields]);
      const rewrap = tellingRewrap(deps, { info: line, warn: line, error: line });
      return async () => {
        lines.length = 0;
        await rewrap(signal);
        return [...lines];
      };
    };
    first.addKek2();
    return {
      outer,
      ring,
      switched: tells("switched", first.deps),
      last: tells("last", { state, keys, ring, random }),
    };
  }

  test("once that nothing is left under the KEK it runs with, though others had re-wrapped all before it was switched", async () => {
    const { outer, switched, last } = await twoInstances();
    // Until it is switched it wraps everything back.
    expect(await last()).toEqual([["last", "keys_rewrapped", { kek: 1, rewrapped: 0, left: 0, retired: 0 }]]);
    expect(await last()).toEqual([]);
    const over = { kek: 2, rewrapped: 4, left: 0, retired: 1 };
    expect(await switched()).toEqual([["switched", "keys_rewrapped", over]]);
    expect(await last()).toEqual([["last", "keys_rewrapped", { ...over, kek: 1, retired: 0 }]]);
    expect(await switched()).toEqual([["switched", "keys_rewrapped", over]]);
    outer.currentEpoch = 2;
    expect(await last()).toEqual([["last", "keys_rewrapped", { kek: 2, rewrapped: 0, left: 0, retired: 0 }]]);
    expect([await switched(), await last()]).toEqual([[], []]);
  });

  test("when it retired a KEK that another had brought back, though it re-wrapped nothing", async () => {
    const { ring, switched } = await twoInstances();
    await switched();
    await ring.refresh();
    expect(await switched()).toEqual([
      ["switched", "keys_rewrapped", { kek: 2, rewrapped: 0, left: 0, retired: 1 }],
    ]);
    expect(await switched()).toEqual([]);
  });
});

test("keys made while rotating are made under the current KEK", async () => {
  const { keys, deps, open, addKek2 } = await setUp(2);
  addKek2();
  await rewrapKeys(deps, signal);
  await open().forSealing([producerKeyNeed("t", "late")], signal);
  expect(keksOf(keys.documents.values())).toEqual(new Set([2]));
});

test("destroyed keys are left alone, and a key that does not open stops the pass", async () => {
  const { keys, deps, addKek2 } = await setUp(2);
  const [destroyed, broken] = keys.documents.values();
  if (destroyed === undefined || broken === undefined) throw new Error("no documents");
  keys.put({ ...destroyed, keys: destroyed.keys.map((key) => ({ ...key, wrapped: null })) });
  addKek2();
  expect((await rewrapKeys(deps, signal)).left).toBe(0);
  keys.put({ ...broken, keys: broken.keys.map((key) => ({ ...key, wrapped: new Uint8Array(60) })) });
  await expect(rewrapKeys(deps, signal)).rejects.toMatchObject({
    code: "KEY_UNAVAILABLE",
    message: expect.stringContaining("KEK 1"),
  });
});

test("keys made, opened, rotated and found again in a real store", async () => {
  await using store = await openSqliteStore({ path: ":memory:" });
  const [random, outer] = [countedRandomness(), memoryKeyRing([1])];
  const storeDeps = { state: store.state, random, now };
  const { ring, lookupKey } = await openStoreKeys({ ...storeDeps, ring: outer }, signal);
  const open = () => dataKeys({ keys: store.keys, ring, random, now });
  const wanted = [
    ...needs(3),
    actorKeyNeed("t", now()),
    subjectKeyNeed("t", lookupKey.ownership("t", "123"), "123"),
  ];
  const sealing = await open().forSealing(wanted, signal);
  outer.keks.push({ epoch: 2, key: Buffer.alloc(32, 2) });
  outer.currentEpoch = 2;
  const pass = { kek: 2, rewrapped: 6, left: 0, retired: 1 };
  expect(await rewrapKeys({ ...store, ring, random }, signal)).toEqual(pass);
  const later = await openStoreKeys({ ...storeDeps, ring: memoryKeyRing([2]) }, signal);
  expect(later.lookupKey.pageKey()).toEqual(lookupKey.pageKey());
  const reopened = dataKeys({ keys: store.keys, ring: later.ring, random, now });
  expect(await reopened.forSealing(wanted, signal)).toEqual(sealing);
  const kids = wanted.flatMap((need) => {
    const key = sealing.get(keyRefText(need));
    return key === undefined ? [] : [{ class: need.class, kid: key.kid }];
  });
  const opened = await reopened.forOpening(kids, signal);
  expect([...sealing.values()].map(({ kid, key }) => [kid, opened.get(kid), key])).toEqual(
    [...sealing.values()].map(({ kid, key }) => [kid, key, key]),
  );
});
