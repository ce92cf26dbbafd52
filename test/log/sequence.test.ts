import { expect, test } from "@jest/globals";
import { leafHash } from "../../src/core/leaf.ts";
import { controlEntry } from "../../src/core/log-entries.ts";
import { rootOf } from "../../src/core/merkle.ts";
import { sha256 } from "../../src/lib/sha256.ts";
import { newPassMemory } from "../../src/log/sequence.ts";
import { type LogPoint, logPoints } from "../../src/ports/observer.ts";
import { checkLog, checkLogged, checkPrefixes } from "../support/log-checker.ts";
import { never, openLogWorld } from "../support/log-world.ts";
import { makeScene, startMs } from "../support/records.ts";

const kinds = (log: Awaited<ReturnType<typeof checkLogged>>): readonly string[] =>
  log.leaves.map(({ key }) => (key.startsWith("cov:") ? "cov" : key.startsWith("ctl:") ? "ctl" : "rec"));

test("a log begins with its genesis, which names its origin and the key that signs it", async () => {
  await using world = await openLogWorld();
  expect(await world.pass()).toMatchObject({ kind: "done", size: 1, isPublished: true });
  const { controls } = await checkLogged(world.store);
  const signer = await world.deps.openSigner("x");
  expect(controls).toMatchObject([
    {
      kind: "genesis",
      id: "genesis",
      data: { origin: expect.stringMatching(/^test\.local\/[0-9a-f]{16}$/) },
    },
  ]);
  const [genesis] = controls;
  if (genesis?.kind !== "genesis") throw new Error("no genesis");
  expect((await world.deps.openSigner(genesis.data.origin)).vkeys).toEqual([genesis.data.vkey]);
  expect(signer.vkeys).not.toEqual([genesis.data.vkey]);
  await checkPrefixes(world.store, await checkLogged(world.store), world.notes);
});

test("records enter in offset order, directly before the coverage entry that counts every offset among them", async () => {
  await using world = await openLogWorld();
  const scene = makeScene();
  await world.intake(scene, "sdsrcgs");
  await world.drain();
  const log = await checkLogged(world.store);
  expect(kinds(log)).toEqual(["ctl", "rec", "rec", "rec", "cov"]);
  expect(log.leaves.slice(1, 4).map(({ key }) => key)).toEqual([0, 2, 6].map(scene.rid));
  expect(log.coverages).toMatchObject([
    {
      src: scene.src,
      from: 0,
      to: 7,
      first: 1,
      n: 3,
      counts: { stored: 3, duplicate: 1, conflict: 1, rejected: 1, gap: 1 },
    },
  ]);
});

test("a coverage entry begins where the one before of its source ended, also over several passes", async () => {
  await using world = await openLogWorld();
  const [a, b] = [makeScene(0x41), makeScene(0x42)];
  for (const fates of ["ss", "d", "rrs", "s"]) {
    await world.intake(a, fates);
    await world.intake(b, `${fates}g`);
    await world.drain();
  }
  const { coverages } = await checkLogged(world.store);
  const ranges = (src: string) =>
    coverages.filter((entry) => entry.src === src).map(({ from, to }) => [from, to]);
  expect(ranges(a.src)).toEqual([
    [0, 2],
    [2, 3],
    [3, 6],
    [6, 7],
  ]);
  expect(ranges(b.src)).toEqual([
    [0, 3],
    [3, 5],
    [5, 9],
    [9, 11],
  ]);
});

test("what was stored before the log existed enters it, from where its accounting begins", async () => {
  await using world = await openLogWorld();
  const scene = makeScene();
  const account = scene.step(40, 43);
  const records = [40, 41, 42].map((offset) => scene.record({ offset, entity: `e${offset}`, version: 1 }));
  await world.store.records.append(scene.batch({ records, account }), never);
  await world.drain();
  expect((await checkLogged(world.store)).coverages).toMatchObject([{ from: 40, to: 43, first: 1, n: 3 }]);
});

test("sources enter ascending, and one with a backlog leaves room for the others", async () => {
  await using world = await openLogWorld({ batchMax: 300 });
  const [a, b] = [makeScene(0x42), makeScene(0x41)];
  await world.intake(a, "s".repeat(1_000));
  await world.intake(b, "s".repeat(20));
  const memory = newPassMemory();
  await world.pass({}, memory);
  expect(await world.pass({}, memory)).toMatchObject({ lag: 1_000 - 278 });
  const first = (await checkLog(world.store)).coverages.map(({ src, n }) => [src, n]);
  expect(first).toEqual([
    [b.src, 20],
    [a.src, 278],
  ]);
  await world.drain();
  await checkLogged(world.store);
});

test("a pass adds no more rows than a batch has", async () => {
  await using world = await openLogWorld({ batchMax: 300 });
  await world.drain();
  await world.intake(makeScene(), "sdr".repeat(700));
  let size = 1;
  for (let lag = 1; lag > 0; ) {
    const result = await world.pass();
    if (result.kind !== "done") throw new Error("lost");
    expect(result.size - size).toBeLessThanOrEqual(300);
    [size, lag] = [result.size, result.lag ?? 1];
  }
  await checkLogged(world.store);
});

test("control entries in line enter once, after the coverage entries", async () => {
  await using world = await openLogWorld();
  await world.drain();
  const act = (id: string) => ({
    id,
    entry: controlEntry({ kind: "fence", id, atMs: startMs, data: { act: id, kids: [] } }),
  });
  await world.store.log.queueControl(act("one"), never);
  await world.store.log.queueControl(act("two"), never);
  await world.intake(makeScene(), "s");
  await world.drain();
  await world.drain();
  const log = await checkLogged(world.store);
  expect(kinds(log)).toEqual(["ctl", "rec", "cov", "ctl", "ctl"]);
  expect(log.controls.map(({ id }) => id)).toEqual(["genesis", "one", "two"]);
});

test.each([
  ["ahead", 30_000],
  ["back", -30_000],
])(
  "a log to which nothing was appended gets a heartbeat, also when the clock was set %s",
  async (_, stepMs) => {
    await using world = await openLogWorld();
    await world.drain();
    expect(await world.pass()).toMatchObject({ size: 1, isPublished: false });
    world.nowMs += stepMs - Math.sign(stepMs);
    expect(await world.pass()).toMatchObject({ size: 1, isPublished: false });
    world.nowMs += Math.sign(stepMs);
    // A process that has just started finds the time in the log.
    expect(await world.pass()).toMatchObject({ size: 2, isPublished: true });
    expect(await world.pass()).toMatchObject({ size: 2, isPublished: false });
    const { controls } = await checkLogged(world.store);
    expect(controls.map(({ kind, atMs }) => [kind, atMs])).toEqual([
      ["genesis", world.nowMs - stepMs],
      ["heartbeat", world.nowMs],
    ]);
  },
);

test("a source that only had gaps and duplicates is covered too", async () => {
  await using world = await openLogWorld();
  await world.intake(makeScene(), "ddgg");
  await world.drain();
  expect((await checkLogged(world.store)).coverages).toMatchObject([{ first: 1, n: 0, from: 0, to: 4 }]);
});

test("full tiles of both levels hold what RFC 6962 says, and the root over 66,000 leaves is the one of all of them", async () => {
  await using world = await openLogWorld({ batchMax: 9_000 });
  const scene = makeScene();
  for (let step = 0; step < 66; step++) await world.intake(scene, "s".repeat(1_000));
  await world.drain();
  const log = await checkLogged(world.store);
  expect(await world.store.log.tile({ level: 1, n: 0 }, never)).toHaveLength(8_192);
  await checkPrefixes(world.store, log, world.notes);
}, 120_000);

test("every step is told, in its order", async () => {
  await using world = await openLogWorld();
  const reached: LogPoint[] = [];
  await world.drain();
  await world.intake(makeScene(), "s");
  await world.pass({ reached: (point) => void reached.push(point) });
  expect(reached).toEqual(logPoints);
});

test("an open run that another instance left is finished first, whatever else waits", async () => {
  await using world = await openLogWorld();
  const [a, b] = [makeScene(0x41), makeScene(0x42)];
  await world.drain();
  await world.intake(a, "ss");
  await world.intake(b, "sdss");
  const rows = [0, 2].map((offset, at) => {
    const { rid, leafHash: hash } = b.record({ offset });
    return { index: 1 + at, key: rid, leafHash: hash, entry: undefined };
  });
  await world.store.log.append(rows, never);
  await world.drain();
  const { coverages } = await checkLogged(world.store);
  expect(coverages).toMatchObject([
    { src: b.src, from: 0, to: 4, first: 1, n: 3 },
    { src: a.src, from: 0, to: 2, first: 5, n: 2 },
  ]);
});

test("a checkpoint that was signed but not published is published by the next pass, with the same text", async () => {
  await using world = await openLogWorld();
  await world.drain();
  await world.intake(makeScene(), "s");
  const die = (point: LogPoint) => {
    if (point === "log_signed") throw new Error("died");
  };
  await expect(world.pass({ reached: die })).rejects.toThrow("died");
  expect(await world.pass()).toMatchObject({ size: 3, isPublished: true });
  await checkLogged(world.store);
});

test("the delay is told from the records that a published pass added", async () => {
  await using world = await openLogWorld();
  await world.drain();
  const scene = makeScene();
  const entry = `{"act":"update","at":"2026-11-21T09:00:00.000Z","kind":"change","parts":[{"c":"p","h":"${"A".repeat(43)}","k":"${"A".repeat(22)}","m":"${"A".repeat(43)}"}],"producer":"billing","rid":"${scene.rid(0)}","stm":"${"A".repeat(22)}","t":"record","tenant":"t","type":"account.updated","v":1,"ver":1}`;
  const record = scene.record({ offset: 0, entry, leafHash: leafHash(sha256, entry) });
  await world.store.records.append(scene.batch({ records: [record], account: scene.step(0, 1) }), never);
  const result = await world.pass();
  expect(result).toMatchObject({ isPublished: true, recordedAtMs: [Date.UTC(2026, 10, 21, 9)] });
  expect(rootOf(sha256, (await checkLogged(world.store)).hashes)).toHaveLength(32);
});
