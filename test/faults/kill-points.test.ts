/** kill -9 at each named point of the way: nothing lost, nothing doubled, no hole. */
import { describe, expect, test } from "@jest/globals";
import { intakePoints } from "../../src/ports/observer.ts";
import { isStorePoint, type StorePoint, storePoints } from "../support/die-at.ts";
import { commandOn, insertOfRecords } from "../support/forged-answers.ts";
import { committedOffsets } from "../support/kafka-admin.ts";
import { type LastroProcess, until } from "../support/lastro.ts";
import { openLink, through } from "../support/link.ts";
import { rounds } from "../support/rounds.ts";
import { makeWorld, type StoreKind, untilDrained, type World } from "../support/world.ts";

/** The stand-in for MongoDB walks the collection for every update, so it gets fewer. */
const eventsOf: Readonly<Record<StoreKind, number>> = { sqlite: 2_000, mongodb: 160 };
const batchesPerRun = 16;
const drainMsMax = 120_000;
const runTimeoutMs = 240_000;

const killPoints = [...intakePoints, ...storePoints, "lettering", "committed"] as const;
type KillPoint = (typeof killPoints)[number];

/** Dies in the middle of its work, not at its first batch. */
const timesReached: Readonly<Record<Exclude<KillPoint, "committed">, number>> = {
  received: 6,
  prepared: 7,
  hinted: 8,
  appending: 4,
  inserted: 300,
  deactivated: 20,
  owned: 150,
  replied: 3,
  appended: 9,
  lettering: 1,
  lettered: 1,
  accounted: 10,
  remembered: 11,
  draining: 1,
};

/** Where MongoDB's protocol is at each step: the request that is not let through, or whose reply is not. */
const wirePoints: Readonly<Record<StorePoint, { readonly request: Buffer; readonly reply: boolean }>> = {
  appending: { request: insertOfRecords, reply: false },
  inserted: { request: insertOfRecords, reply: true },
  replied: { request: commandOn("update", "records"), reply: false },
  deactivated: { request: commandOn("update", "records"), reply: true },
  owned: { request: commandOn("update", "ownerships"), reply: true },
};
const requestThatDies = 5;

/** A process that dies at the point, once the load is there. */
type Dying = { readonly lastro: LastroProcess; readonly whenLoaded: () => Promise<unknown> };

async function startDying(
  world: World,
  kind: StoreKind,
  point: KillPoint,
  opened: AsyncDisposableStack,
): Promise<Dying> {
  if (kind === "mongodb" && isStorePoint(point)) return startBehindLink(world, point, opened);
  if (point === "committed") {
    const group = world.topic;
    const lastro = await world.start({ env: { LASTRO_KAFKA_GROUP: group } });
    const isCommitted = async (): Promise<boolean> =>
      (await committedOffsets(world.env["LASTRO_KAFKA_BROKERS"] ?? "", group, world.topic)).some(
        (offset) => offset > 0,
      );
    return {
      lastro,
      async whenLoaded() {
        await until("an offset is committed", isCommitted, drainMsMax, lastro);
        lastro.process.kill("SIGKILL");
      },
    };
  }
  const lastro = await world.start({ dieAt: { point, times: timesReached[point] } });
  return { lastro, whenLoaded: async () => point === "draining" && lastro.stop("SIGTERM") };
}

async function startBehindLink(
  world: World,
  point: StorePoint,
  opened: AsyncDisposableStack,
): Promise<Dying> {
  const url = world.env["LASTRO_STORE_URL"] ?? "";
  const link = opened.use(await openLink(Number(new URL(url).port)));
  const lastro = await world.start({ env: { LASTRO_STORE_URL: through(url, link) } });
  const { request, reply } = wirePoints[point];
  const reached = reply ? link.holdAnswer(request, requestThatDies) : link.hold(request, requestThatDies);
  void reached.then(() => lastro.process.kill("SIGKILL"));
  return { lastro, whenLoaded: async () => undefined };
}

async function dieAndRecover(kind: StoreKind, point: KillPoint, seed: number): Promise<void> {
  const events = eventsOf[kind];
  await using opened = new AsyncDisposableStack();
  const world = opened.use(await makeWorld(kind, { LASTRO_BATCH_SIZE_MAX: String(events / batchesPerRun) }));
  const { lastro: first, whenLoaded } = await startDying(world, kind, point, opened);
  const published = await world.publish(seed, events);
  await whenLoaded();
  expect(await first.ended).toBe("SIGKILL");
  const diedMs = performance.now();
  const second = await world.start();
  await untilDrained(second, events, drainMsMax);
  const recoveryMs = performance.now() - diedMs;
  expect(await second.stop()).toBe(0);
  await world.checkAfter({ fault: `kill -9 at \`${point}\``, recoveryMs }, published);
}

describe.each(["sqlite", "mongodb"] as const)("on %s", (kind) => {
  test.concurrent.each(killPoints)(
    "dying at the point %s loses no event, doubles none and leaves no hole",
    async (point) => {
      for (let round = 1; round <= rounds; round++) await dieAndRecover(kind, point, 100 * round);
    },
    rounds * runTimeoutMs,
  );
});
