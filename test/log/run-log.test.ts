import { expect, test } from "@jest/globals";
import { LastroError } from "../../src/core/errors.ts";
import { sleep } from "../../src/lib/backoff.ts";
import { type LogRun, type LogState, type RunLogDeps, runLog } from "../../src/log/run-log.ts";
import type { LogPassReport } from "../../src/ports/observer.ts";
import { checkLogged } from "../support/log-checker.ts";
import { type LogWorld, openLogWorld } from "../support/log-world.ts";
import { makeScene } from "../support/records.ts";

const untilMaxMs = 20_000;

type Running = {
  readonly run: LogRun;
  readonly reports: LogPassReport[];
  readonly sizes: number[];
  readonly lines: string[];
  readonly states: LogState[];
  readonly stop: () => Promise<void>;
  /** Resolves at the next turn that the condition holds for. */
  until(condition: (state: LogState) => boolean): Promise<LogState>;
};

function start(world: LogWorld, over: Partial<RunLogDeps> = {}): Running {
  const ending = new AbortController();
  const reports: LogPassReport[] = [];
  const sizes: number[] = [];
  const lines: string[] = [];
  const states: LogState[] = [];
  const line = (code: string): void => void lines.push(code);
  const deps: RunLogDeps = {
    ...world.deps,
    intervalMs: 1,
    holder: "one",
    sleep,
    observer: {
      logPass: (report) => void reports.push(report),
      logStandby: (size) => void sizes.push(size),
      logHalted: () => line("metric: halted"),
    },
    lines: { info: line, warn: line, error: line },
    rest: () => undefined,
    onState: (state) => void states.push(state),
    ...over,
  };
  const run = runLog(deps, ending.signal);
  return {
    run,
    reports,
    sizes,
    lines,
    states,
    async stop() {
      ending.abort();
      await run.ended;
    },
    async until(condition) {
      const deadline = performance.now() + untilMaxMs;
      while (!condition(run.state())) {
        await new Promise((done) => setImmediate(done));
        if (performance.now() > deadline) throw new Error(`still ${JSON.stringify(run.state())} ${lines}`);
      }
      return run.state();
    },
  };
}

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
