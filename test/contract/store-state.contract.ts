/** Contract suite of the store's state: every adapter passes it unchanged. Each test opens a store of its own, because emptiness is one of its answers. */
import { describe, expect, test } from "@jest/globals";
import type { StoreId } from "../../src/core/ids.ts";
import { controlKey } from "../../src/ports/log-store.ts";
import type { Store } from "../../src/ports/store.ts";
import type { StoreIdentity } from "../../src/ports/store-state.ts";
import { b64Of, bytesOf, makeScene, startMs } from "../support/records.ts";

const signal = new AbortController().signal;

const identity = (over: Partial<StoreIdentity> = {}): StoreIdentity => ({
  storeId: "00112233445566778899aabbccddeeff" as StoreId,
  createdAtMs: startMs,
  lookupKey: { kek: 1, wrapped: bytesOf("lookup key") },
  keks: [{ epoch: 1, check: b64Of("check 1") }],
  kafka: undefined,
  ...over,
});
const plain = (read: StoreIdentity | undefined) =>
  read && { ...read, lookupKey: { ...read.lookupKey, wrapped: [...read.lookupKey.wrapped] } };

export function storeStateContract(name: string, open: () => Promise<Store>): void {
  describe(`${name}: identity`, () => {
    test("a new store has no identity; the first one created stays", async () => {
      await using store = await open();
      expect(await store.state.read(signal)).toBeUndefined();
      await store.state.create(identity(), signal);
      await store.state.create(identity({ storeId: "ff".repeat(16) as StoreId }), signal);
      expect(plain((await store.state.read(signal))?.identity)).toEqual(plain(identity()));
    });

    test("it is replaced only by who read its latest revision", async () => {
      await using store = await open();
      await store.state.create(identity(), signal);
      const revision = (await store.state.read(signal))?.revision ?? -1;
      const next = identity({
        lookupKey: { kek: 2, wrapped: bytesOf("re-wrapped") },
        keks: [
          { epoch: 1, check: b64Of("check 1") },
          { epoch: 2, check: b64Of("check 2") },
        ],
        kafka: { clusterId: "cluster", topics: { "audit.v1": [makeScene().topicId, makeScene().topicId] } },
      });
      const verdicts = await Promise.all([
        store.state.replace(next, revision, signal),
        store.state.replace(next, revision, signal),
      ]);
      expect(verdicts.sort()).toEqual([false, true]);
      const after = await store.state.read(signal);
      expect(plain(after?.identity)).toEqual(plain(next));
      expect(after?.revision).not.toBe(revision);
      expect(await store.state.replace(identity(), revision, signal)).toBe(false);
      expect(await store.state.replace(identity(), after?.revision ?? -1, signal)).toBe(true);
    });

    test("what was never created is not replaced", async () => {
      await using store = await open();
      expect(await store.state.replace(identity(), 0, signal)).toBe(false);
      expect(await store.state.read(signal)).toBeUndefined();
    });
  });

  describe(`${name}: emptiness`, () => {
    test("a store is empty until it holds a record, a key, an account or a leaf of the log; its identity does not count", async () => {
      const scene = makeScene();
      const leaf = { index: 0, key: controlKey("genesis"), leafHash: new Uint8Array(32), entry: "{}" };
      const fillers: readonly ((store: Store) => Promise<unknown>)[] = [
        (store) => store.log.append([leaf], signal),
        (store) => store.records.append(scene.batch({ records: [scene.record({ offset: 0 })] }), signal),
        (store) => store.records.account(scene.step(0, 1), signal),
        (store) =>
          store.keys.create(
            [{ class: "p", id: "p", state: "live", keys: [], clear: { tenant: "t", producerService: "b" } }],
            signal,
          ),
        (store) =>
          store.keys.create(
            [{ class: "s", id: scene.ownership("a"), state: "live", keys: [], clear: { tenant: "t", ownershipId: "a" } }],
            signal,
          ),
      ]; // biome-ignore format: a list
      for (const fill of fillers) {
        await using store = await open();
        await store.state.create(identity(), signal);
        await store.state.setBreaker({ open: false, sinceMs: startMs, rejected: 0, seen: 0 }, signal);
        await store.records.probe(signal);
        expect(await store.state.isEmpty(signal)).toBe(true);
        await fill(store);
        expect(await store.state.isEmpty(signal)).toBe(false);
      }
    });
  });

  describe(`${name}: personal access`, () => {
    const asked = {
      id: "one",
      callerId: "person:test#anna",
      reason: "complaint 17",
      askedAtMs: startMs,
      forMs: 3_600_000,
      approval: undefined,
    };

    test("it is none at first, and then what was set last, approved or not", async () => {
      await using store = await open();
      expect(await store.state.personalAccess(signal)).toEqual({ requests: [], revision: 0 });
      expect(await store.state.setPersonalAccess([asked], 0, signal)).toBe(true);
      const first = await store.state.personalAccess(signal);
      expect(first.requests).toEqual([asked]);
      const approved = { ...asked, approval: { callerId: "person:test#bob", atMs: startMs + 1 } };
      const next = [approved, { ...asked, id: "two" }];
      expect(await store.state.setPersonalAccess(next, first.revision, signal)).toBe(true);
      const revision = first.revision + 1;
      expect(await store.state.personalAccess(signal)).toEqual({ requests: next, revision });
    });

    test("of several who read the same revision one is heard, the first time too", async () => {
      await using store = await open();
      for (let round = 0; round < 3; round++) {
        const { revision } = await store.state.personalAccess(signal);
        const verdicts = await Promise.all(
          ["a", "b", "c"].map((id) => store.state.setPersonalAccess([{ ...asked, id }], revision, signal)),
        );
        expect(verdicts.toSorted()).toEqual([false, false, true]);
      }
      expect((await store.state.personalAccess(signal)).requests).toHaveLength(1);
      expect(await store.state.setPersonalAccess([], 0, signal)).toBe(false);
    });
  });

  describe(`${name}: jobs`, () => {
    test("a job is put where none is, replaced only by who read its latest revision, listed and removed", async () => {
      await using store = await open();
      const { jobs, job, putJob, removeJob } = store.state;
      expect(await jobs(signal)).toEqual([]);
      expect(await putJob("b", "one", undefined, signal)).toBe(true);
      expect(await putJob("b", "two", undefined, signal)).toBe(false);
      expect(await putJob("a", "other", undefined, signal)).toBe(true);
      const read = await job("b", signal);
      expect(read).toMatchObject({ name: "b", text: "one" });
      const verdicts = await Promise.all([
        putJob("b", "three", read?.revision, signal),
        putJob("b", "three", read?.revision, signal),
      ]);
      expect(verdicts.sort()).toEqual([false, true]);
      expect((await jobs(signal)).map(({ name: of, text }) => [of, text])).toEqual([
        ["a", "other"],
        ["b", "three"],
      ]);
      await removeJob("b", signal);
      await removeJob("b", signal);
      expect(await job("b", signal)).toBeUndefined();
      expect(await putJob("b", "four", read?.revision, signal)).toBe(false);
      expect((await jobs(signal)).map(({ name: of }) => of)).toEqual(["a"]);
    });
  });

  describe(`${name}: breaker`, () => {
    test("the breaker's state is unknown at first and then what was set last", async () => {
      await using store = await open();
      expect(await store.state.breaker(signal)).toBeUndefined();
      const open1 = { open: true, sinceMs: startMs, rejected: 501, seen: 1_000 };
      await store.state.setBreaker(open1, signal);
      expect(await store.state.breaker(signal)).toEqual(open1);
      await store.state.setBreaker({ ...open1, open: false }, signal);
      expect(await store.state.breaker(signal)).toEqual({ ...open1, open: false });
    });
  });
}
