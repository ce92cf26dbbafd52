import { expect, test } from "@jest/globals";
import type { SequencerDeps } from "../../src/log/deps.ts";
import { haltReasons, haltSentence } from "../../src/log/halt.ts";
import type { LogLeaf, LogRow, LogStore } from "../../src/ports/log-store.ts";
import { haltOf, type LogWorld, never, openLogWorld } from "../support/log-world.ts";
import { makeScene, type Scene } from "../support/records.ts";

const other = new Uint8Array(32).fill(7);

/** A world with a log of a few entries and one source. */
async function begun(): Promise<{ readonly world: LogWorld; readonly scene: Scene }> {
  const world = await openLogWorld();
  const scene = makeScene();
  await world.intake(scene, "ssd");
  await world.drain();
  return { world, scene };
}

/** The store as it answers after somebody changed it. */
const changed = (world: LogWorld, log: Partial<LogStore>): Partial<SequencerDeps> => ({
  log: { ...world.deps.log, ...log },
});
const changedRows = (world: LogWorld, change: (row: LogRow) => LogRow | undefined): Partial<SequencerDeps> =>
  changed(world, {
    rows: async (from, to, signal) =>
      (await world.deps.log.rows(from, to, signal)).flatMap((row) => change(row) ?? []),
  });
const changedLeaves = (
  world: LogWorld,
  change: (leaf: LogLeaf) => LogLeaf | undefined,
): Partial<SequencerDeps> =>
  changed(world, {
    leaves: async (from, to, signal) =>
      (await world.deps.log.leaves(from, to, signal)).flatMap((leaf) => change(leaf) ?? []),
  });

test("each reason says what the operator does", () => {
  expect(haltReasons.length).toBeGreaterThan(15);
  for (const reason of haltReasons) expect(haltSentence({ reason, where: "x" }).length).toBeGreaterThan(40);
});

test("ROOT_MISMATCH: the head names another root than its rows have", async () => {
  const { world } = await begun();
  await using _ = world;
  const head = async () => ({ size: 4, root: other });
  expect(await haltOf(world.pass(changed(world, { head })))).toMatchObject({ reason: "ROOT_MISMATCH" });
});

test("ROOT_MISMATCH: a leaf hash behind the last full tile was changed", async () => {
  const { world } = await begun();
  await using _ = world;
  const over = changedRows(world, (row) => (row.index === 1 ? { ...row, leafHash: other } : row));
  expect(await haltOf(world.pass(over))).toMatchObject({ reason: "ROOT_MISMATCH" });
});

test("ROOT_MISMATCH: a full tile was changed, or is gone, once its root is read again", async () => {
  const { world, scene } = await begun();
  await using _ = world;
  await world.intake(scene, "s".repeat(300));
  await world.drain();
  const tile = new Uint8Array(8_192);
  expect(await haltOf(world.pass(changed(world, { tile: async () => tile })))).toMatchObject({
    reason: "ROOT_MISMATCH",
  });
  const gone = changed(world, { tile: async () => undefined });
  expect(await haltOf(world.pass(gone))).toMatchObject({
    reason: "ROOT_MISMATCH",
    where: "tile 0/0 is absent or cut",
  });
});

test("HEAD_BEYOND_LOG: rows below the head are gone", async () => {
  const { world } = await begun();
  await using _ = world;
  const size = async () => 3;
  expect(await haltOf(world.pass(changed(world, { size })))).toMatchObject({ reason: "HEAD_BEYOND_LOG" });
});

test("INDEX_ABSENT: an acknowledged row is gone when it is read back", async () => {
  const { world, scene } = await begun();
  await using _ = world;
  await world.intake(scene, "sss");
  const over = changedLeaves(world, (leaf) => (leaf.key === scene.rid(4) ? undefined : leaf));
  expect(await haltOf(world.pass(over))).toMatchObject({ reason: "INDEX_ABSENT" });
});

test("RECORD_ABSENT: accounting promises a record that is not there", async () => {
  const { world, scene } = await begun();
  await using _ = world;
  await world.store.records.account(scene.step(3, 5, [scene.duplicate(4)]), never);
  expect(await haltOf(world.pass())).toEqual({ reason: "RECORD_ABSENT", where: `offset 3 of ${scene.src}` });
});

test("RECORD_ABSENT: a record is gone between its index and the head", async () => {
  const { world, scene } = await begun();
  await using _ = world;
  await world.intake(scene, "sss");
  const over = changedLeaves(world, (leaf) =>
    leaf.key === scene.rid(4) ? { ...leaf, stored: undefined } : leaf,
  );
  expect(await haltOf(world.pass(over))).toMatchObject({ reason: "RECORD_ABSENT" });
});

test("LEAF_MISMATCH: an entry is not what its leaf hash says, before or after it got its index", async () => {
  const { world, scene } = await begun();
  await using _ = world;
  const record = scene.record({ offset: 3, leafHash: other });
  await world.store.records.append(scene.batch({ records: [record], account: scene.step(3, 4) }), never);
  expect(await haltOf(world.pass())).toEqual({ reason: "LEAF_MISMATCH", where: `record ${scene.rid(3)}` });
  const second = await begun();
  await using __ = second.world;
  await second.world.intake(second.scene, "s");
  const over = changedLeaves(second.world, (leaf) => ({ ...leaf, stored: `${leaf.stored} ` }));
  expect(await haltOf(second.world.pass(over))).toMatchObject({ reason: "LEAF_MISMATCH" });
});

test("COLUMNS_DIFFER: the entry names another rid than the row it lies in", async () => {
  const { world, scene } = await begun();
  await using _ = world;
  const { entry, leafHash } = scene.record({ offset: 9 });
  const record = scene.record({ offset: 3, entry, leafHash });
  await world.store.records.append(scene.batch({ records: [record], account: scene.step(3, 4) }), never);
  expect(await haltOf(world.pass())).toEqual({ reason: "COLUMNS_DIFFER", where: `record ${scene.rid(3)}` });
});

test("COLUMNS_DIFFER: a row that was read back names another entry than it holds", async () => {
  const { world } = await begun();
  await using _ = world;
  world.nowMs += 60_000;
  const over = changedLeaves(world, (leaf) => ({ ...leaf, key: "ctl:another" }));
  expect(await haltOf(world.pass(over))).toMatchObject({ reason: "COLUMNS_DIFFER" });
});

test("TILE_DIFFERS: another full tile lies there already", async () => {
  const { world, scene } = await begun();
  await using _ = world;
  await world.store.log.putTile({ level: 0, n: 0 }, new Uint8Array(8_192), never);
  await world.intake(scene, "s".repeat(300));
  expect(await haltOf(world.drain())).toEqual({ reason: "TILE_DIFFERS", where: "tile 0/0" });
});

test("ROLLED_BACK: the store holds less than was signed", async () => {
  const { world } = await begun();
  await using _ = world;
  await using older = await openLogWorld();
  await older.drain();
  // The signer that signed the larger log, over a store whose log is shorter.
  const { openSigner } = world.deps;
  expect(await haltOf(older.pass({ openSigner }))).toMatchObject({ reason: "KEY_UNKNOWN" });
  const head = async () => ({
    size: 1,
    root: (await world.store.log.rows(0, 1, never))[0]?.leafHash ?? other,
  });
  const size = async () => 1;
  expect(await haltOf(world.pass(changed(world, { head, size })))).toEqual({
    reason: "ROLLED_BACK",
    where: "the store holds 1 leaves, 4 were signed",
  });
});

test("ROLLED_BACK: the store is empty, and the signer has signed", async () => {
  const { world } = await begun();
  await using _ = world;
  await using empty = await openLogWorld();
  expect(await haltOf(empty.pass({ openSigner: world.deps.openSigner }))).toEqual({
    reason: "ROLLED_BACK",
    where: expect.stringContaining("the log is empty"),
  });
  expect(await empty.store.log.size(never)).toBe(0);
});

test("ROLLED_BACK: the tree of the size that was signed is another one", async () => {
  const { world, scene } = await begun();
  await using _ = world;
  const openSigner: SequencerDeps["openSigner"] = async (origin) => {
    const signer = await world.deps.openSigner(origin);
    return { ...signer, state: async () => ({ origin, size: 2, root: other }) };
  };
  await world.intake(scene, "s");
  expect(await haltOf(world.pass({ openSigner }))).toMatchObject({ reason: "ROLLED_BACK" });
});

test("ROLLED_BACK: more is published than the head counts", async () => {
  const { world } = await begun();
  await using _ = world;
  const published = await world.store.log.checkpoint("latest", never);
  if (published === undefined) throw new Error("nothing is published");
  const checkpoint = async () => ({ ...published, size: published.size + 1 });
  expect(await haltOf(world.pass(changed(world, { checkpoint })))).toMatchObject({ reason: "ROLLED_BACK" });
});

test("CHECKPOINT_DIFFERS: another root is published at the head's size", async () => {
  const { world } = await begun();
  await using _ = world;
  const published = await world.store.log.checkpoint("latest", never);
  if (published === undefined) throw new Error("nothing is published");
  const checkpoint = async () => ({ ...published, root: other });
  expect(await haltOf(world.pass(changed(world, { checkpoint })))).toMatchObject({
    reason: "CHECKPOINT_DIFFERS",
  });
});

test("WITNESS_AHEAD: a witness has seen more than the store holds; nothing is signed before its answer is known", async () => {
  const { world, scene } = await begun();
  await using _ = world;
  const before = world.notes.length;
  await world.intake(scene, "s");
  expect(await haltOf(world.pass({ witnessSizes: async () => [2, 5] }))).toEqual({
    reason: "WITNESS_AHEAD",
    where: "the store holds 4 leaves, a witness saw 5",
  });
  expect(world.notes).toHaveLength(before);
  await world.drain({ witnessSizes: async () => [4] });
  expect(world.notes.length).toBeGreaterThan(before);
});

test("DOUBLE_OUTCOME: an offset is a record and lies in an outcome row", async () => {
  const { world, scene } = await begun();
  await using _ = world;
  const records = [scene.record({ offset: 3 }), scene.record({ offset: 4 })];
  const account = scene.step(3, 5, [scene.rejected(4)]);
  await world.store.records.append(scene.batch({ records, account }), never);
  expect(await haltOf(world.pass())).toEqual({ reason: "DOUBLE_OUTCOME", where: `offset 4 of ${scene.src}` });
});

test("LOG_UNAUDITED: a record appeared among those of an open run", async () => {
  const { world, scene } = await begun();
  await using _ = world;
  await world.intake(scene, "sss");
  const { rid, leafHash } = scene.record({ offset: 4 });
  await world.store.log.append([{ index: 4, key: rid, leafHash, entry: undefined }], never);
  expect(await haltOf(world.drain())).toEqual({
    reason: "LOG_UNAUDITED",
    where: `record ${scene.rid(3)} has no index`,
  });
});

test("RUN_BROKEN: an open run holds records of two sources", async () => {
  const { world, scene } = await begun();
  await using _ = world;
  const stranger = makeScene();
  await world.intake(scene, "s");
  await world.intake(stranger, "s");
  const rows = [scene.record({ offset: 3 }), stranger.record({ offset: 0 })].map(({ rid, leafHash }, at) => ({
    index: 4 + at,
    key: rid,
    leafHash,
    entry: undefined,
  }));
  await world.store.log.append(rows, never);
  expect(await haltOf(world.drain())).toMatchObject({ reason: "RUN_BROKEN" });
});

test("COVERAGE_BROKEN: the last coverage entry of a source is another entry", async () => {
  const { world, scene } = await begun();
  await using _ = world;
  await world.intake(scene, "s");
  const coverage = async () => (await world.store.log.rows(0, 1, never))[0];
  expect(await haltOf(world.pass(changed(world, { coverage })))).toMatchObject({ reason: "COVERAGE_BROKEN" });
});

test("MARK_BEHIND_LOG: accounting ends below what the log covers", async () => {
  const { world, scene } = await begun();
  await using _ = world;
  const records: SequencerDeps["records"] = {
    sources: async () => [{ src: scene.src, begin: 0, mark: 2 }],
    mark: async () => 2,
    outcomes: (query, signal) => world.store.records.outcomes(query, signal),
  };
  expect(await haltOf(world.pass({ records }))).toMatchObject({ reason: "MARK_BEHIND_LOG" });
});

test("CONTROL_INVALID: an entry in line is no control entry of that id", async () => {
  const { world } = await begun();
  await using _ = world;
  await world.store.log.queueControl({ id: "x", entry: "{}" }, never);
  expect(await haltOf(world.pass())).toEqual({ reason: "CONTROL_INVALID", where: "x" });
});

test("GENESIS_INVALID: index 0 holds another entry", async () => {
  const { world } = await begun();
  await using _ = world;
  const rows: LogStore["rows"] = async (from, to, signal) =>
    from === 0 && to === 1 ? world.deps.log.rows(3, 4, signal) : world.deps.log.rows(from, to, signal);
  expect(await haltOf(world.pass(changed(world, { rows })))).toMatchObject({ reason: "GENESIS_INVALID" });
});

test("KEY_UNKNOWN: the signer's key is none of the log's, and nothing is appended", async () => {
  const { world, scene } = await begun();
  await using _ = world;
  await using stranger = await openLogWorld();
  await world.intake(scene, "s");
  expect(await haltOf(world.pass({ openSigner: stranger.deps.openSigner }))).toMatchObject({
    reason: "KEY_UNKNOWN",
  });
  expect(await world.store.log.size(never)).toBe(4);
});
