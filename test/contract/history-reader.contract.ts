/** Contract suite of the history reader: every adapter passes it unchanged. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { RecordRow } from "../../src/core/record.ts";
import { headKeyText } from "../../src/ports/record-store.ts";
import type { Store } from "../../src/ports/store.ts";
import { allOf } from "../support/filters.ts";
import { makeScene, type Scene, startMs } from "../support/records.ts";
import { ownershipContract } from "./history-ownerships.contract.ts";
import { searchContract } from "./history-search.contract.ts";

const signal = new AbortController().signal;

export function historyReaderContract(name: string, open: () => Promise<Store>, filterRuns = 40): void {
  let store: Store;
  beforeAll(async () => {
    store = await open();
  });
  afterAll(async () => {
    await store[Symbol.asyncDispose]();
  });
  const save = async (scene: Scene, records: readonly RecordRow[]) => {
    expect(await store.records.append(scene.batch({ records }), signal)).toEqual({ kind: "done" });
  };
  const versionsOf = (rows: readonly RecordRow[]) => rows.map((row) => row.version);

  describe(`${name}: records and versions`, () => {
    test("R-10 a record is found by rid and by uid, or not at all", async () => {
      const scene = makeScene();
      const row = scene.record({ offset: 4 });
      await save(scene, [row]);
      expect((await store.history.byRid(row.rid, signal))?.uid).toBe(row.uid);
      expect((await store.history.byUid(row.uid, signal))?.rid).toBe(row.rid);
      expect(await store.history.byRid(scene.rid(5), signal)).toBeUndefined();
      expect(await store.history.byUid(scene.uid("none"), signal)).toBeUndefined();
    });

    test("records of many rids are found in one call; of a rid without a record nothing is said", async () => {
      // In a store of its own: one that walks documents would walk these in every test that follows.
      await using own = await open();
      const scene = makeScene();
      const records = Array.from({ length: 150 }, (_, offset) => scene.record({ offset }));
      await own.records.append(scene.batch({ records }), signal);
      const rids = [scene.rid(149), scene.rid(900), ...records.map(({ rid }) => rid)];
      const { rows, looked } = await own.history.byRids(rids, signal);
      expect(looked).toBe(rids.length);
      expect([...rows.keys()].sort()).toEqual(records.map(({ rid }) => rid).sort());
      for (const { rid, uid } of records) expect(rows.get(rid)?.uid).toBe(uid);
      expect(await own.history.byRids([], signal)).toEqual({ rows: new Map(), looked: 0 });
    });

    test("a call for large records ends early, says how many rids it looked up, and always moves on", async () => {
      // In a store of its own, too: their bodies would be read in every test that follows.
      await using own = await open();
      const scene = makeScene();
      const body = new Uint8Array(256 * 1024).fill(7);
      const records = Array.from({ length: 70 }, (_, offset) => scene.record({ offset }));
      for (let at = 0; at < records.length; at += 10)
        await own.records.append(
          scene.batch({ records: records.slice(at, at + 10).map((row) => ({ ...row, body })) }),
          signal,
        );
      const left = records.map(({ rid }) => rid);
      const steps: number[] = [];
      while (left.length > 0) {
        const { rows, looked } = await own.history.byRids(left, signal);
        expect([...rows.keys()].sort()).toEqual(left.splice(0, looked).sort());
        steps.push(looked);
      }
      expect(steps.length).toBeGreaterThan(1);
      expect(steps.every((looked) => looked > 0)).toBe(true);
    });

    test("R-10 versions of one stream and kind, inclusive at both ends, in either order, up to the limit", async () => {
      const scene = makeScene();
      await save(scene, [
        ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map((offset) => scene.record({ offset })),
        scene.record({ offset: 12, version: 5, kind: "activity" }),
        scene.record({ offset: 13, version: 5, entity: "e2" }),
      ]);
      const range = {
        stream: scene.stream("e1"),
        kind: "change",
        from: 9,
        to: 11,
        order: "asc",
        limit: 10,
      } as const;
      const read = store.history.versions;
      expect(versionsOf(await read(range, signal))).toEqual([9, 10, 11]);
      expect(versionsOf(await read({ ...range, order: "desc" }, signal))).toEqual([11, 10, 9]);
      expect(versionsOf(await read({ ...range, to: undefined, order: "desc", limit: 2 }, signal))).toEqual([
        12, 11,
      ]);
      expect(versionsOf(await read({ ...range, from: 1, limit: 2 }, signal))).toEqual([1, 2]);
      expect(versionsOf(await read({ ...range, kind: "activity", from: 1 }, signal))).toEqual([5]);
      expect(await read({ ...range, stream: scene.stream("none") }, signal)).toEqual([]);
    });

    test("R-10 the highest version of each stream asked for; a stream without a record is absent", async () => {
      const scene = makeScene();
      await save(scene, [
        ...[0, 1, 2].map((offset) => scene.record({ offset })),
        scene.record({ offset: 3, version: 7, kind: "activity" }),
      ]);
      const [stream, none] = [scene.stream("e1"), scene.stream("none")];
      const found = await store.history.headVersions(
        [
          { stream, kind: "change" },
          { stream, kind: "activity" },
          { stream: none, kind: "change" },
        ],
        signal,
      );
      expect(Object.fromEntries(found)).toEqual({
        [headKeyText({ stream, kind: "change" })]: 3,
        [headKeyText({ stream, kind: "activity" })]: 7,
      });
      expect((await store.history.headVersions([], signal)).size).toBe(0);
    });

    test("R-10 as of a version, of our time, of the producer's time, or the head", async () => {
      const scene = makeScene();
      const actionTimes = [10, 40, 20, 30];
      await save(
        scene,
        actionTimes.map((actionAtMs, i) =>
          scene.record({
            offset: i,
            version: i + 1,
            recordedAtMs: startMs + i * 100,
            projection: { actionAtMs },
          }),
        ),
      );
      const at = async (bound: Parameters<Store["history"]["asOf"]>[2]) =>
        (await store.history.asOf(scene.stream("e1"), "change", bound, signal))?.version;
      expect(await at(undefined)).toBe(4);
      expect([await at({ version: 2 }), await at({ version: 99 }), await at({ version: 0 })]).toEqual([
        2,
        4,
        undefined,
      ]);
      expect(await at({ recordedAtMs: startMs + 100 })).toBe(2);
      expect(await at({ recordedAtMs: startMs + 199 })).toBe(2);
      expect(await at({ recordedAtMs: startMs - 1 })).toBeUndefined();
      expect(await at({ actionAtMs: 25 })).toBe(3);
      expect(await at({ actionAtMs: 19 })).toBe(1);
      expect(await at({ actionAtMs: 9 })).toBeUndefined();
    });

    test("every call ends at the signal with DEADLINE_EXCEEDED", async () => {
      const scene = makeScene();
      const ended = AbortSignal.abort();
      const { history } = store;
      const stream = scene.stream("e1");
      const order = { field: "recorded_at", direction: "desc" } as const;
      const calls = [
        () => history.byRid(scene.rid(0), ended),
        () => history.byUid(scene.uid("0"), ended),
        () => history.versions({ stream, kind: "change", from: 1, to: undefined, order: "asc", limit: 1 }, ended),
        () => history.headVersions([{ stream, kind: "change" }], ended),
        () => history.asOf(stream, "change", undefined, ended),
        () => history.search({ filter: allOf(), order, after: undefined, limit: 1, scanMax: 1 }, ended),
        () => history.scan({ filter: allOf(), order, after: undefined, limit: 1, scanMax: 1 }, [], ended),
        () => history.byRids([scene.rid(0)], ended),
        () => history.values([scene.rid(0)], [], ended),
        () => history.relatedStreams(stream, 1, ended),
        () => history.ownership(scene.ownership("ana"), ended),
        () => history.ownerships({ tenant: undefined, after: undefined, limit: 1 }, ended),
      ]; // biome-ignore format: a list
      for (const call of calls) await expect(call()).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    });
  });

  searchContract(name, () => store, save, filterRuns);
  ownershipContract(name, () => store);
}
