/** After an election a store may answer majority reads as of before for a while (MongoDB before 8.0, SERVER-53813): until today's primary has acknowledged a write. */
import { expect, test } from "@jest/globals";
import type { RunLogDeps } from "../../src/log/run-log.ts";
import type { LogStore } from "../../src/ports/log-store.ts";
import { checkLogged } from "../support/log-checker.ts";
import { type LogWorld, never, openLogWorld } from "../support/log-world.ts";
import { makeScene } from "../support/records.ts";
import { start } from "../support/running-log.ts";

type Elected = {
  readonly log: LogStore;
  /** From now on it answers as it would have at the last call of `remember`. */
  elect(): void;
  remember(): Promise<void>;
  /** Resolves once the lease was written so often since the election. */
  writes(count: number): Promise<void>;
};

/** `isOlder`: what it has forgotten stays forgotten, as after a restore. */
function electedOver({ store: { log } }: LogWorld, isOlder: boolean): Elected {
  let before: { head: Awaited<ReturnType<LogStore["head"]>>; size: number } | undefined;
  let [isStale, written] = [false, 0];
  let wanted: { count: number; done: () => void } | undefined;
  const seen = () => (isStale ? before : undefined);
  const below = <T extends { readonly index: number }>(rows: readonly T[]): readonly T[] =>
    rows.filter(({ index }) => index < (seen()?.size ?? Number.POSITIVE_INFINITY));
  return {
    log: {
      ...log,
      head: async (signal) => seen()?.head ?? log.head(signal),
      size: async (signal) => seen()?.size ?? log.size(signal),
      rows: async (...args) => below(await log.rows(...args)),
      leaves: async (...args) => below(await log.leaves(...args)),
      async lease(...args) {
        const isHeld = await log.lease(...args);
        isStale &&= isOlder;
        if (++written === wanted?.count) wanted.done();
        return isHeld;
      },
    },
    elect() {
      isStale = true;
      written = 0;
    },
    async remember() {
      before = { head: await log.head(never), size: await log.size(never) };
    },
    writes: (count) =>
      new Promise((done) => {
        if (written >= count) done();
        wanted = { count, done };
      }),
  };
}

/** A log of seven entries whose store answers as of three from the moment on that it is given. */
async function elected(isOlder: boolean, over: Partial<RunLogDeps> = {}) {
  const world = await openLogWorld();
  const scene = makeScene();
  const store = electedOver(world, isOlder);
  const running = start(world, { log: store.log, ...over });
  const grow = async (size: number): Promise<void> => {
    await world.intake(scene, "s");
    await running.until(() => running.reports.at(-1)?.size === size && running.reports.at(-1)?.lag === 0);
  };
  await grow(3);
  await store.remember();
  await grow(5);
  return { world, running, store, grow };
}

test.each([
  ["were signed", []],
  ["a witness saw", [5]],
])(
  "a store that tells of fewer leaves than %s until it has acknowledged a write does not halt the log",
  async (_, saw) => {
    let seen: readonly number[] = [];
    const { world, running, store, grow } = await elected(false, { witnessSizes: async () => seen });
    await using __ = world;
    seen = saw;
    store.elect();
    await store.writes(1);
    await grow(7);
    await running.stop();
    expect(running.states.every(({ kind }) => kind === "sequencing")).toBe(true);
    expect(running.lines).toEqual(["log_runs", "log_read_again"]);
    await checkLogged(world.store);
  },
);

test("a store that tells the same after the write halts the log, for the same reason", async () => {
  const { world, running, store } = await elected(true);
  await using _ = world;
  store.elect();
  await running.run.ended;
  expect(running.run.state()).toEqual({
    kind: "halted",
    halt: { reason: "ROLLED_BACK", where: "the store holds 3 leaves, 5 were signed" },
  });
  expect(running.lines).toEqual(["log_runs", "metric: halted", "log_halted"]);
});

test("a log whose lease another instance took meanwhile is left to it, whatever this one read", async () => {
  const { world, running, store } = await elected(true);
  await using _ = world;
  await world.store.log.lease("other", Number.MAX_SAFE_INTEGER, world.nowMs + 20_000, never);
  store.elect();
  const state = await running.until(({ kind }) => kind !== "sequencing");
  await running.stop();
  expect(state).toEqual({ kind: "standby", size: 3 });
});
