/** Several sequencers at once, dying ones, and stores that lose what they acknowledged: the log stays one, or it halts. */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { openSqliteStore } from "../../src/adapters/sqlite/open.ts";
import { newPassMemory } from "../../src/log/sequence.ts";
import type { LogRow, LogStore } from "../../src/ports/log-store.ts";
import { logPoints } from "../../src/ports/observer.ts";
import { checkLogged, checkPrefixes } from "../support/log-checker.ts";
import { at, haltOf, type LogWorld, never, openLogWorld } from "../support/log-world.ts";
import { makeScene, type Scene } from "../support/records.ts";
import { temporaryFolder } from "../support/sqlite.ts";

async function begun(): Promise<{ readonly world: LogWorld; readonly scenes: readonly [Scene, Scene] }> {
  const world = await openLogWorld({ batchMax: 300 });
  const scenes = [makeScene(0x41), makeScene(0x42)] as const;
  await world.intake(scenes[0], "sdsg");
  await world.drain();
  await world.intake(scenes[0], "s".repeat(280));
  await world.intake(scenes[1], "sdsr".repeat(20));
  return { world, scenes };
}

const died = (): never => {
  throw new Error("died");
};

describe("a sequencer that dies", () => {
  test.each(logPoints)("at %s leaves a log that the next one finishes", async (point) => {
    const { world, scenes } = await begun();
    await using _ = world;
    await expect(world.pass({ reached: at(point, died) })).rejects.toThrow("died");
    await world.intake(scenes[1], "ss");
    await world.drain();
    await checkPrefixes(world.store, await checkLogged(world.store), world.notes);
  });

  test.each([1, 2, 40, 279, 280])("in the middle of its append, after %i rows, does too", async (rows) => {
    const { world, scenes } = await begun();
    await using _ = world;
    const append: LogStore["append"] = async (all, signal) => {
      await world.deps.log.append(all.slice(0, rows), signal);
      return died();
    };
    await expect(world.pass({ log: { ...world.deps.log, append } })).rejects.toThrow("died");
    // What comes meanwhile for the open run's source is covered with it.
    await world.intake(scenes[0], "ds");
    await world.drain();
    await checkPrefixes(world.store, await checkLogged(world.store), world.notes);
  });

  test.each(logPoints)("at %s of the very first pass leaves one genesis", async (point) => {
    await using world = await openLogWorld();
    await world.intake(makeScene(), "sss");
    await expect(world.pass({ reached: at(point, died) })).rejects.toThrow("died");
    await world.drain();
    const { controls } = await checkLogged(world.store);
    expect(controls.map(({ kind }) => kind)).toEqual(["genesis"]);
  });
});

describe("of two sequencers, the one that was held", () => {
  test.each(logPoints)("at %s and let go later does no harm", async (point) => {
    const { world, scenes } = await begun();
    await using _ = world;
    const gate = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    const hold = async (): Promise<void> => {
      held.resolve();
      await gate.promise;
    };
    const zombie = world.pass({ reached: at(point, hold) });
    await held.promise;
    await world.drain();
    await world.intake(scenes[0], "sdr".repeat(120));
    await world.drain();
    gate.resolve();
    // What it finds changed makes it begin anew; it never halts the log and never takes anything back.
    await zombie;
    await world.drain();
    const log = await checkLogged(world.store);
    await checkPrefixes(world.store, log, world.notes);
    const sizes = world.notes.map((note) => Number(note.split("\n")[1]));
    expect(sizes).toEqual(sizes.toSorted((a, b) => a - b));
  });

  test("two that begin a log at once agree on one origin", async () => {
    await using world = await openLogWorld();
    await world.intake(makeScene(), "ss");
    await Promise.all(Array.from({ length: 4 }, () => world.pass()));
    await world.drain();
    const { controls } = await checkLogged(world.store);
    expect(controls.map(({ kind }) => kind)).toEqual(["genesis"]);
  });
});

/** A store whose primary acknowledged rows and was then replaced by one that had never seen one of them. */
const forgetful = (log: LogStore, lost: (rows: readonly LogRow[]) => LogRow | undefined): LogStore => ({
  ...log,
  append: (rows, signal) =>
    log.append(
      rows.filter((row) => row !== lost(rows)),
      signal,
    ),
});

describe("after a failover that lost an acknowledged row", () => {
  test.each([
    ["in the middle of the run", -50],
    ["at the end of the log", -1],
  ])("%s the log halts before anything is signed", async (_, lost) => {
    const { world } = await begun();
    await using __ = world;
    const before = [...world.notes];
    const log = forgetful(world.deps.log, (rows) => rows.at(lost));
    expect(await haltOf(world.pass({ log }))).toMatchObject({ reason: "INDEX_ABSENT" });
    expect(world.notes).toEqual(before);
  });

  test("below the head, the log halts and what is published does not go back", async () => {
    const { world } = await begun();
    await using _ = world;
    await world.drain();
    const before = await world.store.log.checkpoint("latest", never);
    const size = await world.store.log.size(never);
    const rows: LogStore["rows"] = async (from, to, signal) =>
      (await world.deps.log.rows(from, to, signal)).filter(({ index }) => index < size - 2);
    const log = { ...world.deps.log, rows, size: async () => size - 2 };
    expect(await haltOf(world.pass({ log }))).toMatchObject({ reason: "HEAD_BEYOND_LOG" });
    expect(await world.store.log.checkpoint("latest", never)).toEqual(before);
  });

  test("a record that vanished before it was logged halts the log", async () => {
    const { world, scenes } = await begun();
    await using _ = world;
    const loggable: LogStore["loggable"] = async (...args) =>
      (await world.deps.log.loggable(...args)).filter(({ rid }) => rid !== scenes[0].rid(9));
    const log = { ...world.deps.log, loggable };
    expect(await haltOf(world.pass({ log }))).toEqual({
      reason: "RECORD_ABSENT",
      where: `offset 9 of ${scenes[0].src}`,
    });
  });
});

test("a pass whose memory is old finds out within a minute that a full tile was changed", async () => {
  const { world } = await begun();
  await using _ = world;
  const memory = newPassMemory();
  for (let lag: number | undefined = 1; lag !== 0; ) {
    const result = await world.pass({}, memory);
    lag = result.kind === "done" ? result.lag : 1;
  }
  const changedTile: LogStore["tile"] = async () => new Uint8Array(8_192);
  await world.pass({}, memory);
  world.nowMs += 60_000;
  const log = { ...world.deps.log, tile: changedTile };
  expect(await haltOf(world.pass({ log }, memory))).toMatchObject({ reason: "ROOT_MISMATCH" });
});

test("a store restored from an older copy halts the log as rolled back, and takes in events all the same", async () => {
  using folder = temporaryFolder();
  const [path, copy] = [join(folder.path, "a.db"), join(folder.path, "b.db")];
  const scene = makeScene();
  const open = async (file: string): Promise<LogWorld> =>
    openLogWorld({ store: await openSqliteStore({ path: file }), folder: folder.path });
  {
    await using world = await open(path);
    await world.intake(scene, "sds");
    await world.drain();
  }
  copyFileSync(path, copy);
  {
    await using world = await open(path);
    await world.intake(scene, "sss");
    await world.drain();
  }
  await using restored = await open(copy);
  expect(await haltOf(restored.pass())).toEqual({
    reason: "ROLLED_BACK",
    where: "the store holds 4 leaves, 8 were signed",
  });
  await restored.intake(scene, "ssss");
  expect(await haltOf(restored.drain())).toMatchObject({ reason: "ROLLED_BACK" });
  expect(await restored.store.log.size(never)).toBe(4);
  expect(await restored.store.records.mark(scene.src, never)).toBe(7);
});

test("a sequencer that was held before its signature, while another one with the same signer went on, halts nothing", async () => {
  const { world, scenes } = await begun();
  await using _ = world;
  await world.pass();
  const openSigner: typeof world.deps.openSigner = async (origin) => {
    const signer = await world.deps.openSigner(origin);
    const sign: typeof signer.sign = async (...asked) => {
      await world.intake(scenes[0], "ss");
      await world.drain();
      return signer.sign(...asked);
    };
    return { ...signer, sign };
  };
  expect(await world.pass({ openSigner })).toMatchObject({ kind: "done", isPublished: false });
  await checkPrefixes(world.store, await checkLogged(world.store), world.notes);
});
