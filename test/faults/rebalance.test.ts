/** Several service processes on one MongoDB share the partitions; what becomes of them when one stands still, comes back, or dies. */
import { mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { PartitionState } from "../../src/gen/lastro/v1/operations_pb.ts";
import { insertOfRecords } from "../support/forged-answers.ts";
import { membersOf } from "../support/kafka-admin.ts";
import { type LastroProcess, until } from "../support/lastro.ts";
import { openLink, through } from "../support/link.ts";
import { getIntake, metric } from "../support/operator.ts";
import { kafkaBrokers, type RunningServer, startMongo } from "../support/servers.ts";
import { makeWorld, outcomesSeen, untilDrained } from "../support/world.ts";

const dir = mkdtempSync(join(tmpdir(), "lastro-mongo-"));
let mongo: RunningServer;
beforeAll(async () => {
  mongo = await startMongo({ dir });
}, 90_000);
afterAll(async () => {
  await mongo.stop();
  rmSync(dir, { recursive: true, force: true });
});

const partitions = 6;
const small = { LASTRO_BATCH_SIZE_MAX: "20" };

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
    40_000,
  );

test("inserts of a process that stood still meet the unique indexes after its successor has stored the same batch", async () => {
  await using link = await openLink(mongo.port);
  await using world = await makeWorld("mongodb", { ...small, LASTRO_STORE_URL: mongo.url });
  const storeUrl = through(world.env["LASTRO_STORE_URL"] ?? "", link);
  const zombie = await world.start({ env: { LASTRO_STORE_URL: storeUrl } });
  const successor = await world.start();
  await untilShared(zombie, successor);
  const held = link.hold(insertOfRecords);
  const published = await world.publish(1, 240);
  await held;
  zombie.process.kill("SIGSTOP");
  await untilDrained(successor, published.messages);

  await link.become({});
  zombie.process.kill("SIGCONT");
  await untilShared(zombie, successor);
  const later = await world.publish(2, 60);
  await untilDrained(successor, published.messages + later.messages);
  expect(await Promise.all([zombie.stop(), successor.stop()])).toEqual([0, 0]);
  await world.checkAfter({ fault: "zombie: stands still with an insert under way" }, published, later);
}, 90_000);

test("the account of a process that stood still finds the mark moved; no offset gets a second outcome", async () => {
  await using world = await makeWorld("mongodb", { ...small, LASTRO_STORE_URL: mongo.url });
  const zombie = await world.start({ dieAt: { point: "lettered", times: 1, signal: "SIGSTOP" } });
  const successor = await world.start();
  await untilShared(zombie, successor);
  const published = await world.publish(1, 240);
  await untilDrained(successor, published.messages);
  expect(await stateOf(zombie)).toBe("T");

  zombie.process.kill("SIGCONT");
  await untilShared(zombie, successor);
  const later = await world.publish(2, 60);
  await untilDrained(successor, published.messages + later.messages);
  expect(await Promise.all([zombie.stop(), successor.stop()])).toEqual([0, 0]);
  await world.checkAfter({ fault: "zombie: stands still before its account" }, published, later);
}, 90_000);

test("R-01 processes share the partitions on MongoDB; when one is killed the other takes over all of them", async () => {
  await using world = await makeWorld("mongodb", { ...small, LASTRO_STORE_URL: mongo.url });
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
  await untilDrained(other, first.messages + second.messages);
  expect(await runningIn(other)).toBe(partitions);
  expect(await metric(other, "lastro_internal_errors_total")).toBe(0);
  expect(await other.stop()).toBe(0);
  await world.checkAfter({ fault: "one of two processes is killed" }, first, second);
}, 90_000);

test("on SQLite a process that stood still past its session joins again and goes on; the store's lock kept every other out", async () => {
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
  await untilDrained(zombie, published.messages + later.messages);
  const recoveryMs = performance.now() - backMs;
  expect(await zombie.stop()).toBe(0);
  await world.checkAfter({ fault: "stands still past its session", recoveryMs }, published, later);
}, 120_000);
