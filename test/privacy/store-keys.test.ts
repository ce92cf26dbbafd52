import { expect, test } from "@jest/globals";
import type { KeyRing } from "../../src/ports/key-ring.ts";
import { mayMakeKeys, openStoreKeys, readStoreKeys } from "../../src/privacy/store-keys.ts";
import { countedRandomness, memoryKeyRing, memoryStoreState } from "../support/memory-keys.ts";

const signal = new AbortController().signal;
const state = memoryStoreState;
const random = countedRandomness();
const now = () => 1_700_000_000_000;
const open = (store: ReturnType<typeof state>, ring: KeyRing) =>
  openStoreKeys({ state: store, ring, random, now }, signal);

test("keys are drawn once for an empty store and found again, L never in the clear", async () => {
  const store = state();
  expect(await mayMakeKeys(store, signal)).toBe(true);
  const first = await open(store, memoryKeyRing([1]));
  store.filled = true;
  expect(await mayMakeKeys(store, signal)).toBe(false);
  const second = await open(store, memoryKeyRing([1]));
  expect(first.storeId).toMatch(/^[0-9a-f]{32}$/);
  expect(second.identity).toEqual(first.identity);
  expect(second.lookupKey.ownership("t", "1")).toBe(first.lookupKey.ownership("t", "1"));
  expect(first.identity.lookupKey.wrapped).toHaveLength(12 + 32 + 16);
});

test("two instances that start at once on an empty store agree", async () => {
  const store = state();
  const [one, other] = await Promise.all([open(store, memoryKeyRing([1])), open(store, memoryKeyRing([1]))]);
  expect(one.storeId).toBe(other.storeId);
  expect(one.lookupKey.pageKey()).toEqual(other.lookupKey.pageKey());
});

test("who only reads the keys finds those of the store, makes no identity and takes no KEK into it", async () => {
  const store = state();
  const read = (ring: KeyRing) => readStoreKeys({ state: store, ring }, signal);
  await expect(read(memoryKeyRing([1]))).rejects.toMatchObject({ code: "KEY_MISSING" });
  expect(store.identity()).toBeUndefined();
  const opened = await open(store, memoryKeyRing([1]));
  const found = await read(memoryKeyRing([1, 2]));
  expect(found.lookupKey.ownership("t", "1")).toBe(opened.lookupKey.ownership("t", "1"));
  expect(store.identity()).toEqual(opened.identity);
  await expect(read(memoryKeyRing([2]))).rejects.toMatchObject({ code: "KEY_MISSING" });
  const wrong = memoryKeyRing([1]);
  wrong.keks[0] = { epoch: 1, key: Buffer.alloc(32, 99) };
  await expect(read(wrong)).rejects.toMatchObject({ code: "KEY_WRONG" });
});

test("an identity that others change at every try is given up after sixteen, as it was", async () => {
  const store = state();
  await open(store, memoryKeyRing([1]));
  const before = store.identity();
  const { replace } = store;
  let tries = 0;
  store.replace = async () => {
    tries += 1;
    return false;
  };
  await expect(open(store, memoryKeyRing([1, 2]))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  expect([tries, store.identity()]).toEqual([16, before]);
  store.replace = async (identity, revision, until) => {
    tries -= 1;
    return tries < 1 && replace.call(store, identity, revision, until);
  };
  const { identity } = await open(store, memoryKeyRing([1, 2]));
  expect(identity.keks.map(({ epoch }) => epoch)).toEqual([1, 2]);
});

test("two stores never share a column", async () => {
  const [one, other] = [await open(state(), memoryKeyRing([1])), await open(state(), memoryKeyRing([1]))];
  expect(one.storeId).not.toBe(other.storeId);
  expect(one.lookupKey.ownership("t", "1")).not.toBe(other.lookupKey.ownership("t", "1"));
});

test("a filled store without its identity gets no new keys", async () => {
  const store = state();
  store.filled = true;
  await expect(open(store, memoryKeyRing([1]))).rejects.toMatchObject({ code: "KEY_MISSING" });
  expect(store.identity()).toBeUndefined();
});

test("a filled store refuses a ring that lacks a KEK it relies on, or holds another in its place, and names it", async () => {
  const store = state();
  await open(store, memoryKeyRing([1, 2]));
  await expect(open(store, memoryKeyRing([2]))).rejects.toMatchObject({
    code: "KEY_MISSING",
    message: expect.stringContaining("KEK 1"),
  });
  const wrong = memoryKeyRing([1, 2]);
  wrong.keks[1] = { epoch: 2, key: Buffer.alloc(32, 99) };
  await expect(open(store, wrong)).rejects.toMatchObject({
    code: "KEY_WRONG",
    message: expect.stringContaining("KEK 2"),
  });
});

test("a lookup key that was changed in the store is refused", async () => {
  const store = state();
  const { identity } = await open(store, memoryKeyRing([1]));
  const wrapped = Uint8Array.from(identity.lookupKey.wrapped, (byte, at) => (at === 20 ? byte ^ 1 : byte));
  await store.replace({ ...identity, lookupKey: { kek: 1, wrapped } }, 1, signal);
  await expect(open(store, memoryKeyRing([1]))).rejects.toMatchObject({ code: "KEY_WRONG" });
});

test("a new KEK's check value is in the store before the ring shows it, and others must then have it", async () => {
  const store = state();
  const outer = memoryKeyRing([1]);
  const { ring } = await open(store, outer);
  outer.keks.push({ epoch: 2, key: Buffer.alloc(32, 2) });
  outer.currentEpoch = 2;
  expect(ring.current().epoch).toBe(1);
  expect(ring.all()).toHaveLength(1);
  await ring.refresh();
  expect(ring.current().epoch).toBe(2);
  expect(store.identity()?.keks.map(({ epoch }) => epoch)).toEqual([1, 2]);
  await expect(open(store, memoryKeyRing([1]))).rejects.toMatchObject({ code: "KEY_MISSING" });
});

test("a refreshed ring with another key under a known epoch is not taken over", async () => {
  const store = state();
  const outer = memoryKeyRing([1, 2], 1);
  const { ring } = await open(store, outer);
  outer.keks[1] = { epoch: 2, key: Buffer.alloc(32, 99) };
  outer.currentEpoch = 2;
  await expect(ring.refresh()).rejects.toMatchObject({
    code: "KEY_UNAVAILABLE",
    message: expect.stringContaining("KEK 2"),
  });
  expect(ring.current().epoch).toBe(1);
  expect(ring.all()[1]?.key).toEqual(Buffer.alloc(32, 2));
});

test("a KEK that was rotated out stays out while it lies in the ring, until it is made current again", async () => {
  const store = state();
  const outer = memoryKeyRing([1, 2]);
  const { identity, ring } = await open(store, outer);
  await store.replace({ ...identity, keks: identity.keks.filter(({ epoch }) => epoch === 2) }, 1, signal);
  await ring.refresh();
  expect(store.identity()?.keks.map(({ epoch }) => epoch)).toEqual([2]);
  outer.currentEpoch = 1;
  await ring.refresh();
  expect(store.identity()?.keks.map(({ epoch }) => epoch)).toEqual([2, 1]);
});
