/** The machine's clock jumps by ten years, there and back, or is set back by seconds, while events come in: order, promises and the log do not depend on it. */
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import type { RecordRow } from "../../src/core/record.ts";
import { allRecords } from "../support/checker.ts";
import { drawFrom } from "../support/draw.ts";
import { jumpingClock } from "../support/jumping-clock.ts";
import { until } from "../support/lastro.ts";
import { logGauge, untilLogged } from "../support/log-gauges.ts";
import { checkWorldLog } from "../support/log-process.ts";
import { getIntake } from "../support/operator.ts";
import type { Published } from "../support/published.ts";
import { seed } from "../support/rounds.ts";
import { makeWorld, outcomesSeen, untilDrained, type World } from "../support/world.ts";

const years = 10 * 365 * 24 * 3_600_000;
const jumps = { none: 0, "ten years ahead": years, "ten years back": -years } as const;
const eventsPerStep = 400;
const stepsBack = 8;

async function recordsOf(world: World): Promise<readonly RecordRow[]> {
  await using store = await world.openStore();
  return await allRecords(store);
}

const flagsOf = async (world: World): Promise<ReadonlyMap<string, number>> => {
  const flags = (await recordsOf(world)).flatMap(({ projection }) => projection.flags);
  return new Map([...Map.groupBy(flags, (flag) => flag)].map(([flag, all]) => [flag, all.length]));
};

/** The clock of processes that are started with these arguments; right at first. */
function clockOf(world: World) {
  const file = join(world.dataDir, "clock");
  const setClock = (offsetMs: number): void => {
    writeFileSync(`${file}.new`, String(offsetMs));
    renameSync(`${file}.new`, file);
  };
  setClock(jumps.none);
  return { setClock, nodeArgs: jumpingClock(file) };
}

test.each(["sqlite", "mongodb"] as const)(
  "on %s, in a zone other than UTC, a clock that jumps ten years ahead and back loses nothing and turns nothing round; events from its future are flagged, and the next process extends the log",
  async (kind) => {
    const count = kind === "sqlite" ? eventsPerStep : eventsPerStep / 10;
    await using world = await makeWorld(kind, {
      LASTRO_LOG_INTERVAL_MS: "100",
      LASTRO_LOG_HEARTBEAT_MS: "1000",
      TZ: "America/Sao_Paulo",
    });
    const { setClock, nodeArgs } = clockOf(world);
    const first = await world.start({ nodeArgs });
    const published: Published[] = [];
    const total = (): number => published.reduce((sum, { messages }) => sum + messages, 0);
    for (const jump of [jumps.none, jumps["ten years ahead"], jumps["ten years back"], jumps.none]) {
      const seen = await outcomesSeen(first);
      const load = world.publish(published.length + 1, count);
      await until("it is at work", async () => (await outcomesSeen(first)) > seen, 60_000, first);
      setClock(jump);
      published.push(await load);
      await untilDrained(first, total(), 120_000);
    }
    setClock(jumps["ten years ahead"]);
    published.push(await world.publish(published.length + 1, count));
    await untilDrained(first, total(), 120_000);
    await untilLogged(first, 1);
    expect(await first.stop("SIGKILL")).toBe("SIGKILL");

    setClock(jumps.none);
    const backMs = performance.now();
    const second = await world.start({ nodeArgs });
    published.push(await world.publish(published.length + 1, count));
    await untilDrained(second, total(), 120_000);
    const recoveryMs = performance.now() - backMs;
    await untilLogged(
      second,
      published.reduce((sum, { ids }) => sum + ids.size, 0),
    );
    expect(await logGauge(second, "halted")).toBe(0);
    expect((await getIntake(second)).partitions.every(({ reason }) => reason === "")).toBe(true);
    expect(await second.stop()).toBe(0);
    expect((await flagsOf(world)).get("clock_skew")).toBeGreaterThan(count / 4);
    await checkWorldLog(world, []);
    await world.checkAfter({ fault: "the clock jumps ten years ahead and back", recoveryMs }, ...published);
  },
  600_000,
);

/** Versions that were recorded before the one that precedes them. */
const turnedIn = (stream: readonly RecordRow[]): readonly RecordRow[] =>
  stream
    .toSorted((a, b) => a.version - b.version)
    .filter(({ recordedAtMs }, index, all) => recordedAtMs < (all[index - 1]?.recordedAtMs ?? 0));

test.each(["sqlite", "mongodb"] as const)(
  "on %s a clock that is set back under load, by one to five seconds again and again, takes no stream back in time, and the lag returns to zero",
  async (kind) => {
    const count = kind === "sqlite" ? eventsPerStep : eventsPerStep / 10;
    const draw = drawFrom(seed);
    await using world = await makeWorld(kind);
    const { setClock, nodeArgs } = clockOf(world);
    const lastro = await world.start({ nodeArgs });
    const published: Published[] = [];
    let [offsetMs, messages] = [0, 0];
    for (let step = 1; step <= stepsBack; step++) {
      const seen = await outcomesSeen(lastro);
      const load = world.publish(seed + step, count);
      await until("it is at work", async () => (await outcomesSeen(lastro)) > seen, 60_000, lastro);
      offsetMs -= 1_000 * (1 + draw(5));
      setClock(offsetMs);
      published.push(await load);
      messages += count;
    }
    const setMs = performance.now();
    await untilDrained(lastro, messages, 120_000);
    const recoveryMs = performance.now() - setMs;
    expect(await lastro.stop()).toBe(0);
    const streams = Map.groupBy(await recordsOf(world), ({ stream, kind: of }) => `${of}:${stream}`);
    expect([...streams.values()].flatMap(turnedIn)).toEqual([]);
    const fault = "the clock is set back by seconds, again and again";
    await world.checkAfter({ fault, recoveryMs, note: `${-offsetMs / 1_000} s in all` }, ...published);
  },
  300_000,
);
