/** Contract suite of the log's store: every adapter passes it unchanged. */
import { hash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { ridOf, type Src, srcOf, type TopicId } from "../../src/core/ids.ts";
import type { LogKey, LogRow, LogStore } from "../../src/ports/log-store.ts";
import { controlKey, coverageKey, logRowsMax } from "../../src/ports/log-store.ts";
import type { Store } from "../../src/ports/store.ts";
import { makeScene } from "../support/records.ts";

const signal = new AbortController().signal;
const sha256 = (text: string): Uint8Array => hash("sha256", text, "buffer");
const topicId = "AAAAAAAAAAAAAAAAAAAAAA" as TopicId;
const [src, otherSrc, tenthSrc] = [0, 1, 10].map((partition) => srcOf(topicId, partition)) as [Src, Src, Src];

const row = (index: number, key: LogKey, entry?: string): LogRow => ({
  index,
  key,
  leafHash: sha256(`${index} ${key}`),
  entry,
});
const record = (index: number, offset: number, of = src): LogRow => row(index, ridOf(of, offset));
const coverage = (index: number, from: number, of = src): LogRow =>
  row(index, coverageKey(of, from), `{"coverage":${from}}`);
/** Records at consecutive indexes and offsets. */
const run = (index: number, offset: number, count: number): readonly LogRow[] =>
  Array.from({ length: count }, (_, at) => record(index + at, offset + at));

/** Bytes as text, so that rows compare whatever class a driver makes of them. */
const shown = <T extends LogRow>(rows: readonly T[]) =>
  rows.map((one) => ({ ...one, leafHash: Buffer.from(one.leafHash).toString("hex") }));
const keysOf = (rows: readonly LogRow[]): readonly LogKey[] => rows.map(({ key }) => key);

export function logStoreContract(name: string, open: () => Promise<Store>): void {
  let store: Store;
  beforeAll(async () => {
    store = await open();
  });
  afterAll(async () => store[Symbol.asyncDispose]());

  rowContract(name, open);
  keyContract(name, open);
  recordContract(name, () => store);

  describe(`${name}: log calls that are given up`, () => {
    const calls: readonly ((log: LogStore, given: AbortSignal) => Promise<unknown>)[] = [
      (log, given) => log.size(given),
      (log, given) => log.append([record(0, 0)], given),
      (log, given) => log.rows(0, 1, given),
      (log, given) => log.leaves(0, 1, given),
      (log, given) => log.indexes([ridOf(src, 0)], given),
      (log, given) => log.coverage(src, 0, given),
      (log, given) => log.coverages(src, 0, 1, 1, given),
      (log, given) => log.loggable(src, 0, 1, 1, given),
      (log, given) => log.head(given),
      (log, given) => log.moveHead(undefined, { size: 1, root: sha256("") }, given),
      (log, given) => log.putTile({ level: 0, n: 0 }, Buffer.alloc(8_192), given),
      (log, given) => log.tile({ level: 0, n: 0 }, given),
      (log, given) => log.checkpoint("latest", given),
      (log, given) => log.publish("latest", { size: 1, root: sha256(""), note: "", signatures: 1 }, given),
      (log, given) => log.queueControl({ id: "a", entry: "{}" }, given),
      (log, given) => log.pendingControls(1, given),
      (log, given) => log.lease("one", 0, 1, given),
    ];

    test("before they begin are unavailable and have no effect", async () => {
      await using fresh = await open();
      for (const call of calls)
        await expect(call(fresh.log, AbortSignal.abort())).rejects.toMatchObject({
          code: "STORE_UNAVAILABLE",
        });
      expect(await fresh.log.size(signal)).toBe(0);
      expect(await fresh.log.head(signal)).toBeUndefined();
      expect(await fresh.log.tile({ level: 0, n: 0 }, signal)).toBeUndefined();
      expect(await fresh.log.checkpoint("latest", signal)).toBeUndefined();
      expect(await fresh.log.pendingControls(1, signal)).toEqual([]);
      expect(await fresh.log.lease("two", 0, 1, signal)).toBe(true);
    });

    test("while they run leave a prefix of the rows", async () => {
      await using fresh = await open();
      const stop = new AbortController();
      const appending = fresh.log.append(run(0, 0, logRowsMax), stop.signal);
      stop.abort();
      await expect(appending).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      const rows = await fresh.log.rows(0, logRowsMax, signal);
      expect(rows.length).toBeLessThan(logRowsMax);
      expect(rows.map(({ index }) => index)).toEqual(rows.map((_, at) => at));
    });
  });
}

function rowContract(name: string, open: () => Promise<Store>): void {
  describe(`${name}: rows of the log`, () => {
    test("begin empty, lie as they were appended, and count up to the highest index", async () => {
      await using store = await open();
      expect(await store.log.size(signal)).toBe(0);
      expect(await store.log.rows(0, 10, signal)).toEqual([]);
      expect(await store.log.append([], signal)).toBe("done");
      const rows = [
        row(0, controlKey("genesis"), '{"control":"é"}'),
        record(1, 9),
        record(2, Number.MAX_SAFE_INTEGER, tenthSrc),
        coverage(3, 0),
      ];
      expect(await store.log.append(rows, signal)).toBe("done");
      expect(await store.log.size(signal)).toBe(4);
      expect(shown(await store.log.rows(0, 10, signal))).toEqual(shown(rows));
    });

    test("are read within bounds, ascending, and those that are missing are absent", async () => {
      await using store = await open();
      const rows = [record(0, 5), record(1, 4), record(5, 3), record(6, 2)];
      await store.log.append(rows, signal);
      expect(await store.log.size(signal)).toBe(7);
      const read = async (from: number, to: number) => {
        const [some, leaves] = [
          await store.log.rows(from, to, signal),
          await store.log.leaves(from, to, signal),
        ];
        expect(keysOf(leaves)).toEqual(keysOf(some));
        return some.map(({ index }) => index);
      };
      expect(await read(0, 100)).toEqual([0, 1, 5, 6]);
      expect(await read(1, 6)).toEqual([1, 5]);
      expect(await read(2, 5)).toEqual([]);
      expect(await read(7, 9)).toEqual([]);
      expect(await read(5, 5)).toEqual([]);
      expect(await read(6, 1)).toEqual([]);
    });

    test("an index or a key that is taken ends the insert; what precedes it stays, what follows does not go in", async () => {
      await using store = await open();
      await store.log.append([record(0, 9), coverage(1, 0), row(2, controlKey("a"), "{}")], signal);
      const clashing = [record(2, 50), record(4, 9), coverage(4, 0), row(4, controlKey("a"), "{}")];
      for (const [at, clash] of clashing.entries()) {
        const next = await store.log.size(signal);
        const before = record(next, 100 + at);
        const rows = [
          before,
          { ...clash, index: clash.index === 2 ? 2 : next + 1 },
          record(next + 2, 200 + at),
        ];
        expect(await store.log.append(rows, signal)).toBe("taken");
        expect(shown(await store.log.rows(next, next + 9, signal))).toEqual(shown([before]));
      }
    });

    test("a clash deep in a large batch leaves exactly the rows before it", async () => {
      await using store = await open();
      await store.log.append([record(0, 0)], signal);
      const rows = [...run(1, 1, 2_050), record(2_051, 0), ...run(2_052, 2_052, 300)];
      expect(await store.log.append(rows, signal)).toBe("taken");
      expect(await store.log.size(signal)).toBe(2_051);
      expect(keysOf(await store.log.rows(0, 3_000, signal))).toEqual(keysOf(run(0, 0, 2_051)));
    });

    test("of writers that append at one index, one gets all of its rows in and the others none", async () => {
      await using store = await open();
      const writers = [1_000, 2_000, 3_000].map((offset) => run(0, offset, 250));
      const ends = await Promise.all(writers.map((rows) => store.log.append(rows, signal)));
      expect([...ends].sort()).toEqual(["done", "taken", "taken"]);
      const winner = writers[ends.indexOf("done")] ?? [];
      expect(shown(await store.log.rows(0, 1_000, signal))).toEqual(shown(winner));
    });

    test("writers that overlap make no fork: each index and each key is there once, and who was told done has all of its rows in", async () => {
      await using store = await open();
      const writers = [0, 1, 60, 120].map((index, at) => run(index, index + 100 * at, 130));
      const ends = await Promise.all(writers.map((rows) => store.log.append(rows, signal)));
      const rows = await store.log.rows(0, 1_000, signal);
      expect(new Set(rows.map(({ index }) => index)).size).toBe(rows.length);
      expect(new Set(keysOf(rows)).size).toBe(rows.length);
      const there = new Map(rows.map(({ index, key }) => [index, key]));
      for (const [at, written] of writers.entries())
        if (ends[at] === "done") for (const { index, key } of written) expect(there.get(index)).toBe(key);
      expect(ends).toContain("taken");
    });
  });
}

function keyContract(name: string, open: () => Promise<Store>): void {
  describe(`${name}: keys of the log`, () => {
    let log: LogStore;
    let opened: Store;
    const rows = [
      record(0, 9), coverage(1, 0), coverage(2, 9), coverage(3, 10), coverage(4, 100), coverage(5, 3, otherSrc),
      coverage(6, 0, tenthSrc), row(7, controlKey("a"), "{}"), record(8, 0, tenthSrc),
    ]; // biome-ignore format: a list
    beforeAll(async () => {
      opened = await open();
      log = opened.log;
      await log.append(rows, signal);
    });
    afterAll(async () => opened[Symbol.asyncDispose]());

    test("give the indexes of those that have one", async () => {
      const unknown = [ridOf(src, 77), ridOf(otherSrc, 9), coverageKey(src, 1), controlKey("b")];
      const found = await log.indexes([...unknown, ...keysOf(rows)], signal);
      expect([...found].sort(([, a], [, b]) => a - b)).toEqual(rows.map(({ key, index }) => [key, index]));
      expect(await log.indexes([], signal)).toEqual(new Map());
    });

    test("coverage of an offset is the last that begins at or before it, whatever its digits", async () => {
      const at = async (offset: number, of = src) => (await log.coverage(of, offset, signal))?.key;
      for (const [offset, from] of [[0, 0], [8, 0], [9, 9], [10, 10], [99, 10], [100, 100]] as const) // biome-ignore format: a table
        expect(await at(offset)).toBe(coverageKey(src, from));
      expect(await at(Number.MAX_SAFE_INTEGER)).toBe(coverageKey(src, 100));
      expect(await at(2, otherSrc)).toBeUndefined();
      expect(await at(500, otherSrc)).toBe(coverageKey(otherSrc, 3));
      expect(await at(500, srcOf(topicId, 2))).toBeUndefined();
      const whole = await log.coverage(src, 99, signal);
      expect(whole && shown([whole])).toEqual(shown([coverage(3, 10)]));
    });

    test("coverage of a source is listed by where it begins, at most as many as asked for", async () => {
      const list = async (from: number, to: number, limit: number, of = src) =>
        keysOf(await log.coverages(of, from, to, limit, signal));
      const of = (...froms: readonly number[]) => froms.map((from) => coverageKey(src, from));
      expect(await list(0, 1_000, 10)).toEqual(of(0, 9, 10, 100));
      expect(await list(1, 100, 10)).toEqual(of(9, 10));
      expect(await list(0, 1_000, 2)).toEqual(of(0, 9));
      expect(await list(10, 10, 5)).toEqual([]);
      expect(await list(0, 1_000, 10, otherSrc)).toEqual([coverageKey(otherSrc, 3)]);
    });
  });
}

function recordContract(name: string, store: () => Store): void {
  describe(`${name}: records and the log`, () => {
    test("records of a source wait in the order of their offsets, within a range and up to a limit", async () => {
      const scene = makeScene();
      const neighbour = makeScene(0x41, 4);
      const offsets = [0, 1, 2, 9, 10, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER - 1];
      const records = offsets.map((offset, at) => scene.record({ offset, version: at + 1 }));
      const theirs = neighbour.record({ offset: 5, version: 1 });
      await store().records.append(scene.batch({ records: [...records].reverse() }), signal);
      await store().records.append(scene.batch({ records: [theirs] }), signal);
      const waiting = async (from: number, to: number, limit: number) =>
        (await store().log.loggable(scene.src, from, to, limit, signal)).map(({ offset }) => offset);
      expect(await waiting(0, Number.MAX_SAFE_INTEGER, 100)).toEqual(offsets);
      expect(await waiting(1, 10, 100)).toEqual([1, 2, 9]);
      expect(await waiting(0, 100, 2)).toEqual([0, 1]);
      expect(await waiting(3, 9, 2)).toEqual([]);
      expect(await waiting(9, 3, 2)).toEqual([]);
      expect(await waiting(0, 100, 0)).toEqual([]);
      const [first] = await store().log.loggable(scene.src, 9, 10, 1, signal);
      const expected = records[3];
      expect({ ...first, leafHash: [...(first?.leafHash ?? [])] }).toEqual({
        rid: expected?.rid,
        offset: 9,
        entry: expected?.entry,
        leafHash: [...(expected?.leafHash ?? [])],
      });
    });

    test("leaves bring the entry that lies with the record, and of others the log's own", async () => {
      const scene = makeScene();
      const stored = scene.record({ offset: 0 });
      await store().records.append(scene.batch({ records: [stored] }), signal);
      const next = await store().log.size(signal);
      const rows = [
        row(next, stored.rid),
        row(next + 1, scene.rid(4)),
        coverage(next + 2, 0, scene.src),
        row(next + 3, controlKey(scene.tenant), '{"control":1}'),
      ];
      expect(await store().log.append(rows, signal)).toBe("done");
      const leaves = await store().log.leaves(next, next + 9, signal);
      const entries = [stored.entry, undefined, '{"coverage":0}', '{"control":1}'];
      expect(shown(leaves)).toEqual(shown(rows.map((one, at) => ({ ...one, stored: entries[at] }))));
    });

    test("an entry that lies beside a record's key in the log is not taken for the record's", async () => {
      const scene = makeScene();
      const stored = scene.record({ offset: 0 });
      await store().records.append(scene.batch({ records: [stored] }), signal);
      const next = await store().log.size(signal);
      await store().log.append(
        [row(next, stored.rid, "false"), row(next + 1, scene.rid(1), "false")],
        signal,
      );
      const leaves = await store().log.leaves(next, next + 2, signal);
      expect(leaves.map((leaf) => leaf.stored)).toEqual([stored.entry, undefined]);
    });

    test("many leaves and many records come whole and in order", async () => {
      const scene = makeScene();
      const count = 2_300;
      const records = Array.from({ length: count }, (_, offset) =>
        scene.record({ offset, entity: `e${offset}`, version: 1 }),
      );
      await store().records.append(scene.batch({ records }), signal);
      const waiting = await store().log.loggable(scene.src, 0, count, logRowsMax, signal);
      expect(waiting.map(({ entry }) => entry)).toEqual(records.map(({ entry }) => entry));
      const next = await store().log.size(signal);
      const rows = waiting.map(({ rid }, at) => row(next + at, rid));
      expect(await store().log.append(rows, signal)).toBe("done");
      const leaves = await store().log.leaves(next, next + count, signal);
      expect(leaves.map((leaf) => leaf.stored)).toEqual(records.map(({ entry }) => entry));
      const indexes = await store().log.indexes(keysOf(rows), signal);
      expect(rows.map(({ key }) => indexes.get(key))).toEqual(rows.map(({ index }) => index));
    });
  });
}
