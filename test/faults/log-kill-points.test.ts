/** kill -9 at each named step of the sequencer while intake goes on: the log stays dense, names each record once, and nothing that was ever published is taken back. */
import { describe, expect, test } from "@jest/globals";
import { type LogPoint, logPoints } from "../../src/ports/observer.ts";
import { createTopic } from "../support/kafka-admin.ts";
import type { LastroProcess } from "../support/lastro.ts";
import { untilLogged } from "../support/log-gauges.ts";
import { checkWorldLog, publishedNote } from "../support/log-process.ts";
import { combined, type Published } from "../support/published.ts";
import { kafkaBrokers } from "../support/servers.ts";
import { makeWorld, type StoreKind, untilDrained } from "../support/world.ts";

const rounds = Number(process.env["LASTRO_TEST_FAULT_ROUNDS"] ?? 2);
/** Of each round. The stand-in for MongoDB walks the collection for every update, so it gets fewer. */
const eventsOf: Readonly<Record<StoreKind, number>> = { sqlite: 200, mongodb: 24 };
const partitions = 3;
/** The log grows by heartbeats when intake is done, so that every step is reached again and again. */
const quick = { LASTRO_LOG_INTERVAL_MS: "50", LASTRO_LOG_HEARTBEAT_MS: "1000" };
const calm = { LASTRO_LOG_HEARTBEAT_MS: "60000" };
const drainMsMax = 120_000;
const roundTimeoutMs = 60_000;
const endTimeoutMs = 240_000;

/** Every checkpoint that this process serves until it ends. */
async function watchCheckpoints({ httpUrl, ended }: LastroProcess, notes: Set<string>): Promise<void> {
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
  });
  while (!hasEnded) {
    const answer = await fetch(`${httpUrl}/checkpoint`).catch(() => undefined);
    const text = await answer?.text().catch(() => undefined);
    if (answer?.ok && text !== undefined) notes.add(text);
    await new Promise((done) => setTimeout(done, 20));
  }
}

async function dieAgainAndAgain(kind: StoreKind, point: LogPoint): Promise<void> {
  await using world = await makeWorld(kind, quick);
  await createTopic(kafkaBrokers().join(","), world.topic, partitions);
  const published: Published[] = [];
  const notes = new Set<string>();
  for (let round = 1; round <= rounds; round++) {
    const dying = await world.spawn({ dieAt: { point, times: 1 + (round % 3) } });
    const watched = watchCheckpoints(dying, notes);
    published.push(await world.publish(round, eventsOf[kind]));
    expect(await dying.ended).toBe("SIGKILL");
    await watched;
    for (const note of await publishedNote(world)) notes.add(note);
  }
  const whole = combined(published);
  const last = await world.start({ env: calm });
  const watched = watchCheckpoints(last, notes);
  await untilDrained(last, whole.messages, drainMsMax);
  await untilLogged(last, whole.ids.size);
  expect(await last.stop()).toBe(0);
  await watched;
  await world.check(whole);
  expect(notes.size).toBeGreaterThan(0);
  await checkWorldLog(world, [...notes]);
}

describe.each(["sqlite", "mongodb"] as const)("on %s", (kind) => {
  test.concurrent.each(logPoints)(
    "R-80 dying again and again when the log is at %s leaves indexes dense, each record once, and every published checkpoint a prefix",
    async (point) => {
      await dieAgainAndAgain(kind, point);
    },
    rounds * roundTimeoutMs + endTimeoutMs,
  );
});
