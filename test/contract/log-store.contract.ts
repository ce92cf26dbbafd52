/** Contract suite of the log's store: every adapter passes it unchanged. */
import { hash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type Rid, ridOf, type Src } from "../../src/core/ids.ts";
import { controlKey, coverageKey, type LogRow, type PublishedCheckpoint } from "../../src/ports/log-store.ts";
import type { Store } from "../../src/ports/store.ts";
import { makeScene } from "../support/records.ts";

const signal = new AbortController().signal;
const sha256 = (text: string): Uint8Array => hash("sha256", text, "buffer");
const src = "AAAAAAAAAAAAAAAAAAAAAA.0" as Src;
const otherSrc = "AAAAAAAAAAAAAAAAAAAAAA.1" as Src;

const record = (index: number, offset: number, of: Src = src): LogRow => ({
  index,
  key: ridOf(of, offset),
  leafHash: sha256(`${of}.${offset}`),
  entry: undefined,
});
const coverage = (index: number, from: number, of: Src = src): LogRow => ({
  index,
  key: coverageKey(of, from),
  leafHash: sha256(`coverage ${of} ${from}`),
  entry: `{"coverage":${from}}`,
});
/** Bytes as one text, so that rows of different drivers compare. */
const shown = (rows: readonly LogRow[]) =>
  rows.map(({ index, key, leafHash, entry }) => ({
    index,
    key,
    entry,
    leafHash: Buffer.from(leafHash).toString("hex"),
  }));
const checkpoint = (size: number, root: string, signatures = 1): PublishedCheckpoint => ({
  size,
  root: sha256(root),
  note: `note of ${size} with ${signatures}`,
  signatures,
});

export function logStoreContract(name: string, open: () => Promise<Store>): void {
  describe(`${name}: the log's rows`, () => {
    let store: Store;
    beforeAll(async () => {
      store = await open();
    });
    afterAll(async () => store[Symbol.asyncDispose]());

    test("begin empty and grow at the end", async () => {
      expect(await store.log.size(signal)).toBe(0);
      expect(await store.log.append([record(0, 9), record(1, 10), coverage(2, 0)], signal)).toBe("done");
      expect(await store.log.size(signal)).toBe(3);
      expect(shown(await store.log.rows(0, 10, signal))).toEqual(
        shown([record(0, 9), record(1, 10), coverage(2, 0)]),
      );
    });

    test("an index that is taken ends the insert; what precedes it stays", async () => {
      const taken = await store.log.append([record(3, 100), record(2, 101), record(4, 102)], signal);
      expect(taken).toBe("taken");
      expect(shown(await store.log.rows(2, 10, signal))).toEqual(shown([coverage(2, 0), record(3, 100)]));
    });

    test("a key that is taken ends the insert, be it a rid or a coverage", async () => {
      expect(await store.log.append([record(4, 9)], signal)).toBe("taken");
      expect(await store.log.append([{ ...coverage(4, 0), leafHash: sha256("other") }], signal)).toBe(
        "taken",
      );
      expect(await store.log.size(signal)).toBe(4);
    });

    test("are found by their keys", async () => {
      const keys = [record(0, 9).key, record(0, 77).key, coverage(0, 0).key];
      expect([...(await store.log.indexes(keys, signal))].sort()).toEqual(
        [
          [keys[0], 0],
          [keys[2], 2],
        ].sort(),
      );
      expect(await store.log.indexes([], signal)).toEqual(new Map());
    });

    test("coverage is found by offset, whatever its number of digits", async () => {
      await store.log.append([coverage(4, 10), coverage(5, 100), coverage(6, 3, otherSrc)], signal);
      const from = async (offset: number, of = src) => (await store.log.coverage(of, offset, signal))?.key;
      expect(await from(9)).toBe(coverageKey(src, 0));
      expect(await from(10)).toBe(coverageKey(src, 10));
      expect(await from(99)).toBe(coverageKey(src, 10));
      expect(await from(Number.MAX_SAFE_INTEGER)).toBe(coverageKey(src, 100));
      expect(await from(2, otherSrc)).toBeUndefined();
      const listed = await store.log.coverages(src, 1, 1_000, 10, signal);
      expect(listed.map(({ key }) => key)).toEqual([coverageKey(src, 10), coverageKey(src, 100)]);
      expect(await store.log.coverages(src, 0, 100, 1, signal)).toHaveLength(1);
    });

    test("two writers at the same indexes make no fork", async () => {
      const next = await store.log.size(signal);
      const own = (offset: number) => [record(next, offset), record(next + 1, offset + 1)];
      const ends = await Promise.all([own(500), own(600)].map((rows) => store.log.append(rows, signal)));
      expect(ends.filter((end) => end === "done").length).toBeLessThanOrEqual(1);
      const rows = await store.log.rows(next, next + 10, signal);
      expect(rows.map(({ index }) => index)).toEqual(rows.map((_, at) => next + at));
      expect(new Set(rows.map(({ key }) => key)).size).toBe(rows.length);
    });

    test("an aborted call throws", async () => {
      await expect(store.log.size(AbortSignal.abort())).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    });
  });

  describe(`${name}: records in the log`, () => {
    test("wait in the order of their offsets, and leaves show the entry as it is stored now", async () => {
      await using store = await open();
      const scene = makeScene();
      const rows = [0, 1, 2, 9, 10].map((offset) => scene.record({ offset }));
      await store.records.append(scene.batch({ records: rows }), signal);
      const waiting = await store.log.loggable(scene.src, 1, 10, 100, signal);
      expect(waiting.map(({ offset }) => offset)).toEqual([1, 2, 9]);
      expect(waiting.map(({ rid }) => rid)).toEqual(rows.slice(1, 4).map(({ rid }) => rid));
      expect(waiting.map(({ entry }) => entry)).toEqual(rows.slice(1, 4).map(({ entry }) => entry));
      expect(await store.log.loggable(scene.src, 0, 100, 2, signal)).toHaveLength(2);
      expect(await store.log.loggable(scene.src, 3, 9, 2, signal)).toEqual([]);

      const absent = ridOf(scene.src, 4) as Rid;
      await store.log.append(
        [
          { index: 0, key: rows[0]?.rid as Rid, leafHash: rows[0]?.leafHash as Uint8Array, entry: undefined },
          { index: 1, key: absent, leafHash: sha256("absent"), entry: undefined },
          { ...coverage(2, 0, scene.src) },
        ],
        signal,
      );
      const leaves = await store.log.leaves(0, 3, signal);
      expect(leaves.map(({ stored }) => stored)).toEqual([rows[0]?.entry, undefined, '{"coverage":0}']);
    });
  });

  describe(`${name}: head, tiles, checkpoints`, () => {
    let store: Store;
    beforeAll(async () => {
      store = await open();
    });
    afterAll(async () => store[Symbol.asyncDispose]());

    test("the head moves by compare-and-set", async () => {
      const [first, second] = [
        { size: 1, root: sha256("1") },
        { size: 2, root: sha256("2") },
      ];
      expect(await store.log.head(signal)).toBeUndefined();
      expect(await store.log.moveHead(undefined, first, signal)).toBe(true);
      expect(await store.log.moveHead(undefined, second, signal)).toBe(false);
      expect(await store.log.moveHead({ size: 1, root: sha256("x") }, second, signal)).toBe(false);
      expect(await store.log.moveHead(first, second, signal)).toBe(true);
      const head = await store.log.head(signal);
      expect([head?.size, Buffer.from(head?.root ?? []).equals(second.root)]).toEqual([2, true]);
    });

    test("of two who move the head from one place, one wins", async () => {
      const from = { size: 2, root: sha256("2") };
      const moved = await Promise.all(
        [3, 4].map((size) => store.log.moveHead(from, { size, root: sha256(String(size)) }, signal)),
      );
      expect(moved.filter(Boolean)).toHaveLength(1);
    });

    test("a tile is put once and never changed", async () => {
      const [hashes, others] = [Buffer.alloc(8_192, 1), Buffer.alloc(8_192, 2)];
      expect(await store.log.tile({ level: 0, n: 7 }, signal)).toBeUndefined();
      expect(await store.log.putTile({ level: 0, n: 7 }, hashes, signal)).toBe("stored");
      expect(await store.log.putTile({ level: 0, n: 7 }, hashes, signal)).toBe("same");
      expect(await store.log.putTile({ level: 0, n: 7 }, others, signal)).toBe("different");
      expect(await store.log.putTile({ level: 1, n: 7 }, others, signal)).toBe("stored");
      expect(Buffer.from((await store.log.tile({ level: 0, n: 7 }, signal)) ?? []).equals(hashes)).toBe(true);
    });

    test("a checkpoint goes forward, or gains signatures; never back", async () => {
      const publish = (one: PublishedCheckpoint) => store.log.publish("latest", one, signal);
      expect(await store.log.checkpoint("latest", signal)).toBeUndefined();
      expect(await publish(checkpoint(5, "a"))).toBe(true);
      expect(await publish(checkpoint(5, "a"))).toBe(false);
      expect(await publish(checkpoint(4, "b", 9))).toBe(false);
      expect(await publish(checkpoint(5, "a", 2))).toBe(true);
      expect(await publish(checkpoint(6, "c"))).toBe(true);
      await expect(publish(checkpoint(6, "d", 3))).rejects.toMatchObject({ code: "LOG_HALTED" });
      expect((await store.log.checkpoint("latest", signal))?.note).toBe("note of 6 with 1");
      expect(await store.log.checkpoint("witnessed", signal)).toBeUndefined();
    });

    test("control entries wait in line until they have an index", async () => {
      const control = (id: string) => ({ id, entry: `{"control":"${id}"}` });
      for (const id of ["b", "a", "c"]) await store.log.queueControl(control(id), signal);
      await store.log.queueControl({ id: "a", entry: "{}" }, signal);
      expect(await store.log.pendingControls(2, signal)).toEqual([control("b"), control("a")]);
      const row = { index: 0, key: controlKey("b"), leafHash: sha256("b"), entry: control("b").entry };
      await store.log.append([row], signal);
      expect(await store.log.pendingControls(9, signal)).toEqual([control("a"), control("c")]);
    });

    test("a lease is one holder's until it runs out", async () => {
      const lease = (holder: string, nowMs: number) => store.log.lease(holder, nowMs, nowMs + 10, signal);
      expect(await lease("one", 1_000)).toBe(true);
      expect(await lease("two", 1_009)).toBe(false);
      expect(await lease("one", 1_009)).toBe(true);
      expect(await lease("two", 1_018)).toBe(false);
      expect(await lease("two", 1_019)).toBe(true);
      expect(await lease("one", 1_020)).toBe(false);
    });
  });
}
