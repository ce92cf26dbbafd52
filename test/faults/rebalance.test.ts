/** Several service processes on one MongoDB share the partitions; what becomes of them when one stands still, comes back, or dies. */
import { readFile } from "node:fs/promises";
import { afterAll, expect, test } from "@jest/globals";
import { PartitionState } from "../../src/gen/lastro/v1/operations_pb.ts";
import { insertOfRecords } from "../support/forged-answers.ts";
import { membersOf } from "../support/kafka-admin.ts";
import { type LastroProcess, until } from "../support/lastro.ts";
import { openLink, through } from "../support/link.ts";
import { getIntake, metric } from "../support/operator.ts";
import { kafkaBrokers, startMongo } from "../support/servers.ts";
import { temporaryFolder } from "../support/sqlite.ts";
import { makeWorld, outcomesSeen, untilDrained, type World } from "../support/world.ts";

const folder = temporaryFolder();
/** Tests that stand side by side begin before hooks do. */
const mongo = startMongo({ dir: folder.path });
afterAll(async () => {
  await (await mongo).stop();
  folder[Symbol.dispose]();
});

const partitions = 6;
/** Side by side they share one small store. */
const [drainMsMax, testMsMax] = [120_000, 300_000];

const makeMongoWorld = async (): Promise<World> =>
  makeWorld("mongodb", { LASTRO_BATCH_SIZE_MAX: "20", LASTRO_STORE_URL: (await mongo).url });

const runningIn = async (lastro: LastroProcess): Promise<number> =>
  (await getIntake(lastro)).partitions.filter(({ state }) => state === PartitionState.RUNNING).length;

/** One letter, T for stopped: see proc(5). */
async function stateOf({ process: { pid } }: LastroProcess): Promise<string | undefined> {
  return /\) (\w)/.exec(await readFile(`/proc/${pid}/stat`, "utf8"))?.[1];
}

const untilShared = (one: LastroProcess, other: LastroProcess): Promise<void> =>
  until(
    "each process reads a share",
    async () => {
      const [mine, others] = await Promise.all([runningIn(one), runningIn(other)]);
      return mine > 0 && others > 0 && mine + others === partitions;
    },
    drainMsMax,
  );

test.concurrent(
  "inserts of a process that stood still meet the unique indexes after its successor has stored the same batch",
  async () => {
    await using link = await openLink((await mongo).port);
    await using world = await makeMongoWorld();
    const storeUrl = through(world.env["LASTRO_STORE_URL"] ?? "", link);
    const zombie = await world.start({ env: { LASTRO_STORE_URL: storeUrl } });
    const successor = await world.start();
    await untilShared(zombie, successor);
    const held = link.hold(insertOfRecords);
    const published = await world.publish(1, 240);
    await held;
    zombie.process.kill("SIGSTOP");
    await untilDrained(successor, published.messages, drainMsMax);

    await link.become({});
    zombie.process.kill("SIGCONT");
    await untilShared(zombie, successor);
    const later = await world.publish(2, 60);
    await untilDrained(successor, published.messages + later.messages, drainMsMax);
    expect(await Promise.all([zombie.stop(), successor.stop()])).toEqual([0, 0]);
    await world.checkAfter({ fault: "zombie: stands still with an insert under way" }, published, later);
  },
  testMsMax,
);

test.concurrent(
  "the account of a process that stood still finds the mark moved; no offset gets a second outcome",
  async () => {
    await using world = await makeMongoWorld();
    const zombie = await world.start({ dieAt: { point: "lettered", times: 1, signal: "SIGSTOP" } });
    const successor = await world.start();
    await untilShared(zombie, successor);
    const published = await world.publish(1, 240);
    await untilDrained(successor, published.messages, drainMsMax);
    expect(await stateOf(zombie)).toBe("T");

    zombie.process.kill("SIGCONT");
    await untilShared(zombie, successor);
    const later = await world.publish(2, 60);
    await untilDrained(successor, published.messages + later.messages, drainMsMax);
    expect(await Promise.all([zombie.stop(), successor.stop()])).toEqual([0, 0]);
    await world.checkAfter({ fault: "zombie: stands still before its account" }, published, later);
  },
  testMsMax,
);

test.concurrent(
  "R-01 processes share the partitions on MongoDB; when one is killed the other takes over all of them",
  async () => {
    await using world = await makeMongoWorld();
    const one = await world.start();
    const other = await world.start();
    await untilShared(one, other);
    const first = await world.publish(1, 300);
    await until(
      "both work",
      async () => (await outcomesSeen(one)) > 0 && (await outcomesSeen(other)) > 0,
      30_000,
    );
    await one.stop("SIGKILL");
    const second = await world.publish(2, 200);
    await untilDrained(other, first.messages + second.messages, drainMsMax);
    expect(await runningIn(other)).toBe(partitions);
    expect(await metric(other, "lastro_internal_errors_total")).toBe(0);
    expect(await other.stop()).toBe(0);
    await world.checkAfter({ fault: "one of two processes is killed" }, first, second);
  },
  testMsMax,
);

test.concurrent(
  "on SQLite a process that stood still past its session joins again and goes on; the store's lock kept every other out",
  async () => {
    await using world = await makeWorld("sqlite");
    const zombie = await world.start({
      env: { LASTRO_KAFKA_GROUP: world.topic },
      dieAt: { point: "lettered", times: 1, signal: "SIGSTOP" },
    });
    const published = await world.publish(1, 2_000);
    await until("it stands still", async () => (await stateOf(zombie)) === "T", 30_000);
    const other = await world.spawn();
    expect(await other.ended).toBe(1);
    expect(other.output()).toContain("STORE_LOCKED");
    const brokers = kafkaBrokers().join(",");
    await until("its session is over", async () => (await membersOf(brokers, world.topic)) === 0, 40_000);

    zombie.process.kill("SIGCONT");
    const backMs = performance.now();
    const later = await world.publish(2, 200);
    await untilDrained(zombie, published.messages + later.messages, drainMsMax);
    const recoveryMs = performance.now() - backMs;
    expect(await zombie.stop()).toBe(0);
    await world.checkAfter({ fault: "stands still past its session", recoveryMs }, published, later);
  },
  testMsMax,
);
