/** kill -9 at each named point of the way: nothing lost, nothing doubled, no hole. */
import { describe, expect, test } from "@jest/globals";
import { type IntakePoint, intakePoints } from "../../src/ports/observer.ts";
import { makeWorld, type StoreKind, untilDrained } from "../support/world.ts";

const rounds = Number(process.env["LASTRO_TEST_FAULT_ROUNDS"] ?? 1);
/** The stand-in for MongoDB walks the collection for every update, so it gets fewer. */
const eventsOf: Readonly<Record<StoreKind, number>> = { sqlite: 2_000, mongodb: 160 };
const drainMsMax = 120_000;
const runTimeoutMs = 240_000;

/** Dies in the middle of its work, not at its first batch. */
const timesReached: Readonly<Record<IntakePoint, number>> = {
  received: 6,
  prepared: 7,
  hinted: 8,
  appended: 9,
  lettered: 1,
  accounted: 10,
  remembered: 11,
  draining: 1,
};

async function dieAndRecover(kind: StoreKind, point: IntakePoint, seed: number): Promise<void> {
  const events = eventsOf[kind];
  await using world = await makeWorld(kind, {
    LASTRO_BATCH_SIZE_MAX: String(events / 16),
  });
  const first = await world.start({ dieAt: { point, times: timesReached[point] } });
  const published = await world.publish(seed, events);
  if (point === "draining") await first.stop("SIGTERM");
  expect(await first.ended).toBe("SIGKILL");
  const second = await world.start();
  const backMs = performance.now();
  await untilDrained(second, events, drainMsMax);
  const recoveryMs = performance.now() - backMs;
  expect(await second.stop()).toBe(0);
  await world.checkAfter({ fault: `kill -9 when a batch is ${point}`, recoveryMs }, published);
}

describe.each(["sqlite", "mongodb"] as const)("on %s", (kind) => {
  test.concurrent.each(intakePoints)(
    "dying when a batch is %s loses no event, doubles none and leaves no hole",
    async (point) => {
      for (let round = 1; round <= rounds; round++) await dieAndRecover(kind, point, 100 * round);
    },
    rounds * runTimeoutMs,
  );
});
