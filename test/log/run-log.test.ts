import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { openCheckpointSigner } from "../../src/adapters/files/checkpoint-signer.ts";
import { openSqliteStore } from "../../src/adapters/sqlite/open.ts";
import { LastroError } from "../../src/core/errors.ts";
import { sleep } from "../../src/lib/backoff.ts";
import { openCosigner } from "../../src/log/cosign.ts";
import type { RunLogDeps } from "../../src/log/run-log.ts";
import { runWitnesses, type WitnessRun } from "../../src/log/run-witnesses.ts";
import type { LogStore } from "../../src/ports/log-store.ts";
import { testWitness } from "../support/asked-witness.ts";
import { ed25519, sha256 } from "../support/log.ts";
import { checkLogged } from "../support/log-checker.ts";
import { type LogWorldOptions, openLogWorld } from "../support/log-world.ts";
import { makeScene } from "../support/records.ts";
import { type Running, start } from "../support/running-log.ts";
import { temporaryFolder } from "../support/sqlite.ts";

test("passes follow each other until everything accounted for is logged, and go on with what comes", async () => {
  await using world = await openLogWorld({ batchMax: 300 });
  const scene = makeScene();
  await world.intake(scene, "sd".repeat(500));
  const running = start(world);
  await running.until((state) => state.kind === "sequencing" && state.size === 503);
  await world.intake(scene, "ss");
  await running.until((state) => state.kind === "sequencing" && state.size === 506);
  await running.stop();
  await checkLogged(world.store);
  expect(running.lines).toEqual(["log_runs"]);
  expect(running.states.at(0)).toEqual({ kind: "sequencing", size: 1 });
  expect(running.states.at(-1)).toEqual(running.run.state());
  expect(running.reports.slice(0, 3).map(({ lag }) => lag)).toEqual([undefined, 1_000 - 597, 0]);
});

test("without a pause while there is a backlog, with one when there is none; then the store may do what it put off", async () => {
  await using world = await openLogWorld({ batchMax: 300 });
  await world.intake(makeScene(), "s".repeat(1_000));
  const hour = 3_600_000;
  const rests: number[] = [];
  const running = start(world, { intervalMs: hour, rest: () => rests.push(running.reports.length) });
  await running.until(() => running.reports.at(-1)?.lag === 0);
  expect(running.reports).toHaveLength(5);
  await running.stop();
  expect(rests).toEqual([5]);
  await checkLogged(world.store);
});

test("one instance works while it holds the lease, the other stands by and goes on when the first has ended", async () => {
  await using world = await openLogWorld();
  const [one, two] = [start(world), start(world, { holder: "two" })];
  await one.until((state) => state.kind === "sequencing");
  await two.until((state) => state.kind === "standby");
  expect(two.reports).toEqual([]);
  await world.intake(makeScene(), "s");
  await two.until((state) => state.kind === "standby" && state.size === 3);
  expect(two.sizes.at(-1)).toBe(3);
  await one.stop();
  await two.until((state) => state.kind === "sequencing");
  await two.stop();
  await checkLogged(world.store);
});

test("an instance that died without a word is replaced once its lease has run out", async () => {
  await using world = await openLogWorld();
  await world.store.log.lease("dead", world.nowMs, world.nowMs + 10_000, new AbortController().signal);
  const running = start(world);
  await running.until((state) => state.kind === "standby");
  world.nowMs += 10_000;
  await running.until((state) => state.kind === "sequencing");
  await running.stop();
});

test("a lease of years, of a clock that was ahead, holds the log up for no longer than two heartbeats; while the log grows it is respected", async () => {
  await using world = await openLogWorld();
  const { heartbeatMs } = world.deps.limits;
  const signal = new AbortController().signal;
  await world.drain();
  await world.store.log.lease("ahead", world.nowMs, world.nowMs + 10 * 365 * 86_400_000, signal);
  const running = start(world);
  await running.until((state) => state.kind === "standby" && state.size === 1);
  await world.intake(makeScene(), "s");
  world.nowMs += heartbeatMs;
  await world.drain();
  await running.until((state) => state.kind === "standby" && state.size === 3);
  world.nowMs += 2 * heartbeatMs - 1;
  const seen = running.states.length;
  await running.until(() => running.states.length > seen + 2);
  expect(running.states.every(({ kind }) => kind === "standby")).toBe(true);
  world.nowMs += 1;
  await running.until((state) => state.kind === "sequencing");
  await running.stop();
  await checkLogged(world.store);
});

test("a halt ends the passes, is told once, and stays until a restart", async () => {
  await using world = await openLogWorld();
  const scene = makeScene();
  await world.intake(scene, "ss");
  await world.drain();
  const log = { ...world.deps.log, size: async () => 2 };
  const running = start(world, { log });
  await running.run.ended;
  expect(running.run.state()).toMatchObject({ kind: "halted", halt: { reason: "HEAD_BEYOND_LOG" } });
  expect(running.lines).toEqual(["metric: halted", "log_halted"]);
  // Intake goes on, and what it stored enters the log after the restart.
  await world.intake(scene, "ss");
  const restarted = start(world);
  await restarted.until(() => restarted.reports.at(-1)?.size === 7);
  await restarted.stop();
  await checkLogged(world.store);
});

/** A log and its witness. */
async function witnessed(options: LogWorldOptions = {}) {
  const world = await openLogWorld(options);
  const scene = makeScene();
  const witness = await testWitness(world, "w.test/1");
  const cosignerOf = (log: RunLogDeps["log"]) =>
    openCosigner({ log, witnesses: [witness], quorum: 1, sha256, verify: ed25519, timeoutMs: 20_000 });
  const intake = (events: number): Promise<void> => world.intake(scene, "s".repeat(events));
  const grow = async (events: number): Promise<void> => {
    await intake(events);
    await world.drain();
  };
  const stop = new AbortController();
  return {
    world,
    witness,
    intake,
    grow,
    cosign: () => cosignerOf(world.store.log).pass(stop.signal),
    /** Starts it on the store as it answers now. */
    startOn(over: Partial<RunLogDeps["log"]>): Running & { readonly witnesses: WitnessRun } {
      const log = { ...world.deps.log, ...over };
      const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
      const observer = { witnessesAsked: () => undefined };
      const asking = { cosigner: cosignerOf(log), intervalMs: 1, sleep, observer, lines: silent };
      const witnesses = runWitnesses(asking, stop.signal);
      const asked = { witnessSizes: witnesses.sizes, onLease: witnesses.forget };
      return { ...start(world, { log, ...asked }), witnesses };
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await world[Symbol.asyncDispose]();
    },
  };
}

describe("what is damaged below a head that a witness has not seen yet halts the log as it does without a witness", () => {
  const signal = new AbortController().signal;
  test.each<readonly [string, (log: RunLogDeps["log"]) => Partial<RunLogDeps["log"]>]>([
    [
      "HEAD_BEYOND_LOG",
      ({ rows }) => ({
        size: async () => 300,
        rows: async (from, to) => (await rows(from, Math.min(to, 300), signal)).filter(() => from < 300),
        tile: async () => undefined,
      }),
    ],
    [
      "INDEX_ABSENT",
      ({ rows }) => ({
        rows: async (from, to) => (await rows(from, to, signal)).filter(({ index }) => index !== 600),
      }),
    ],
    ["ROOT_MISMATCH", () => ({ tile: async () => new Uint8Array(8_160) })],
  ])("%s", async (reason, damage) => {
    await using log = await witnessed();
    await log.grow(300);
    await log.cosign();
    await log.grow(300);
    const running = log.startOn(damage(log.world.deps.log));
    const state = await running.until(({ kind }) => kind !== "starting");
    await running.stop();
    expect(state).toMatchObject({ kind: "halted", halt: { reason } });
    expect(running.lines).toEqual(["metric: halted", "log_halted"]);
  });
});

test("a tile that the head's root does not take, and the proof for a witness does, halts the log", async () => {
  await using log = await witnessed();
  await log.grow(300);
  await log.cosign();
  await log.grow(300);
  const { tile } = log.world.deps.log;
  let isCut = false;
  const cut: RunLogDeps["log"]["tile"] = async (id, signal) => {
    const bytes = await tile(id, signal);
    return isCut && id.n === 1 ? bytes?.slice(32) : bytes;
  };
  // The root of a full tile is remembered for a minute, the leaves of one are not.
  const running = log.startOn({ tile: cut });
  await running.until(({ kind }) => kind === "sequencing");
  isCut = true;
  log.witness.seen = undefined;
  await log.grow(1);
  running.witnesses.start(() => true);
  const state = await running.until(({ kind }) => kind !== "sequencing");
  await running.stop();
  expect(state).toMatchObject({ kind: "halted", halt: { reason: "ROOT_MISMATCH" } });
});

test("another tree that is witnessed at the size of the head halts the log", async () => {
  await using log = await witnessed();
  await log.grow(3);
  const signal = new AbortController().signal;
  const published = await log.world.store.log.checkpoint("latest", signal);
  if (published === undefined) throw new Error("nothing is published");
  await log.world.store.log.publish("witnessed", { ...published, root: new Uint8Array(32) }, signal);
  const running = log.startOn({});
  const state = await running.until(({ kind }) => kind !== "starting");
  await running.stop();
  expect(state).toMatchObject({ kind: "halted", halt: { reason: "CHECKPOINT_DIFFERS" } });
  expect(running.lines).toEqual(["metric: halted", "log_halted"]);
});

test("an instance that extends the log again asks the witnesses what they saw from the other: a store that was put back meanwhile halts it", async () => {
  using folder = temporaryFolder();
  using others = temporaryFolder();
  const path = join(folder.path, "lastro.db");
  const copyPath = join(folder.path, "copy.db");
  const signal = new AbortController().signal;
  await using log = await witnessed({ store: await openSqliteStore({ path }), folder: folder.path });
  const { world } = log;
  await log.grow(3);
  let put: LogStore = world.store.log;
  const running = log.startOn({
    head: (...args) => put.head(...args),
    size: (...args) => put.size(...args),
    rows: (...args) => put.rows(...args),
    lease: (...args) => put.lease(...args),
    checkpoint: (...args) => put.checkpoint(...args),
    publish: (...args) => put.publish(...args),
  });
  await running.until(({ kind }) => kind === "sequencing");
  await world.store.log.lease("other", Number.MAX_SAFE_INTEGER, world.nowMs + 20_000, signal);
  world.nowMs += 9_000;
  await running.until(({ kind }) => kind === "standby");
  // The other instance has the key, and a memory of its own of what it signed.
  const keyFile = join(others.path, "log-key.json");
  copyFileSync(world.keyFile, keyFile);
  const { random } = world.deps;
  const openSigner = await openCheckpointSigner({ path: keyFile, create: false, random });
  const grow = async (): Promise<void> => {
    await log.intake(2);
    await world.drain({ openSigner });
  };
  await grow();
  copyFileSync(path, copyPath);
  copyFileSync(`${path}-wal`, `${copyPath}-wal`);
  await grow();
  await log.cosign();
  await using copy = await openSqliteStore({ path: copyPath });
  const older = await copy.log.head(signal);
  put = copy.log;
  world.nowMs += 20_000;
  const state = await running.until(({ kind }) => kind !== "standby");
  expect(state).toMatchObject({ kind: "halted", halt: { reason: "WITNESS_AHEAD" } });
  expect((await copy.log.checkpoint("latest", signal))?.size).toBe(older?.size);
});

test("nothing is signed while it is not known what the witnesses have seen, and the log goes on by itself once it is", async () => {
  await using log = await witnessed();
  await log.grow(3);
  const before = log.world.notes.length;
  let isAway = true;
  const running = start(log.world, {
    random: (bytes) => new Uint8Array(bytes),
    async witnessSizes() {
      if (isAway) throw new LastroError("STORE_UNAVAILABLE", "away");
      return [5];
    },
  });
  await running.until((state) => state.kind === "waiting");
  expect(log.world.notes).toHaveLength(before);
  isAway = false;
  await running.until((state) => state.kind === "sequencing");
  await running.stop();
});

test("a store that is away is waited for, told once, and nothing is lost", async () => {
  await using world = await openLogWorld();
  await world.intake(makeScene(), "s");
  let isAway = true;
  const log: RunLogDeps["log"] = {
    ...world.deps.log,
    head: async (signal) => {
      if (isAway) throw new LastroError("STORE_UNAVAILABLE", "away");
      return world.deps.log.head(signal);
    },
  };
  const running = start(world, { log, random: (bytes) => new Uint8Array(bytes) });
  await running.until((state) => state.kind === "waiting");
  expect(running.run.state()).toMatchObject({ code: "STORE_UNAVAILABLE" });
  isAway = false;
  await running.until((state) => state.kind === "sequencing" && running.reports.at(-1)?.size === 3);
  await running.stop();
  expect(running.lines).toEqual(["log_waits", "log_runs"]);
  await checkLogged(world.store);
});
