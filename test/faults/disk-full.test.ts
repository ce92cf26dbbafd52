/** The disk under a store or under Kafka fills up: partitions wait and say why, the process lives, and goes on by itself once there is room. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { createTopic } from "../support/kafka-admin.ts";
import { type LastroProcess, until } from "../support/lastro.ts";
import { untilLogged } from "../support/log-gauges.ts";
import { checkWorldLog } from "../support/log-process.ts";
import { readiness, untilReadiness } from "../support/operator.ts";
import { plainEvents, publish, storedOnly } from "../support/published.ts";
import { keepReading } from "../support/reading.ts";
import { fewRounds } from "../support/rounds.ts";
import { startKafka, startMongo } from "../support/servers.ts";
import { fillDisk, mountSmallDisk } from "../support/small-disk.ts";
import { temporaryFolder } from "../support/sqlite.ts";
import { makeWorld, outcomesSeen, untilDrained } from "../support/world.ts";

const diskBytes = 64 * 1024 * 1024;
/** What is left when the filler lies there: enough for some events, too little for all. */
const roomBytes = 2 * 1024 * 1024;
const eventsPerRound = 3_000;
/** The stand-in for MongoDB walks the collection for every update, so it gets few. */
const [mongoRoomBytes, eventsOfMongo] = [256 * 1024, 200];
const kafkaRoomBytes = 256 * 1024;

const untilPartitionsWait = (lastro: LastroProcess): Promise<void> =>
  untilReadiness(
    lastro,
    "partitions wait for the store",
    ({ status, parts }) =>
      status === "unavailable" && parts["partitions"]?.detail?.includes("STORE_UNAVAILABLE") === true,
    60_000,
  );

test(
  "on a full disk partitions wait, readiness names the store, reads are answered and say how far behind they are, the same process goes on when there is room, and nothing is lost",
  async () => {
    for (let round = 1; round <= fewRounds; round++) {
      await using world = await makeWorld("sqlite");
      using _disk = mountSmallDisk(world.dataDir, diskBytes);
      const lastro = await world.start();
      await using reading = await keepReading(lastro);
      const filler = fillDisk(world.dataDir, roomBytes);
      const events = plainEvents(round, eventsPerRound);
      await world.send(events);
      await untilPartitionsWait(lastro);
      const seen = await outcomesSeen(lastro);
      expect(seen).toBeLessThan(eventsPerRound);
      expect(lastro.output()).toContain("check disk space");
      expect((await readiness(lastro)).parts["kafka"]?.ok).toBe(true);
      expect(lastro.process.exitCode).toBeNull();
      await until("answers say that they are behind", async () => (reading.lag() ?? 0) >= 5, 30_000, lastro);

      rmSync(filler);
      const freedMs = performance.now();
      await untilDrained(lastro, eventsPerRound);
      const recoveryMs = performance.now() - freedMs;
      await untilReadiness(lastro, "all is well", ({ status }) => status === "ok");
      await untilLogged(lastro, eventsPerRound);
      await until("answers are up to date again", async () => (reading.lag() ?? 5) < 5, 30_000, lastro);
      const note = await reading.end();
      expect(await lastro.stop()).toBe(0);
      await checkWorldLog(world, []);
      await world.checkAfter(
        { fault: "the disk is full, then has room", recoveryMs, note },
        storedOnly(events),
      );
    }
  },
  fewRounds * 240_000,
);

test("a service that dies on a full disk loses nothing: started there it waits or says what it lacks, and started with room it goes on", async () => {
  await using world = await makeWorld("sqlite");
  using _disk = mountSmallDisk(world.dataDir, diskBytes);
  const lastro = await world.start();
  const filler = fillDisk(world.dataDir, roomBytes);
  const events = plainEvents(1, eventsPerRound);
  await world.send(events);
  await untilReadiness(lastro, "partitions wait", ({ parts }) => parts["partitions"]?.ok === false, 60_000);
  expect(await lastro.stop("SIGKILL")).toBe("SIGKILL");

  const there = await world.spawn();
  const end = await Promise.race([
    there.ended,
    until("it waits", async () => (await readiness(there)).parts["partitions"]?.ok === false, 60_000).then(
      () => "waits",
    ),
  ]);
  if (end === "waits") await there.stop("SIGKILL");
  else expect(there.output()).toMatch(/^STORE_UNAVAILABLE: .*check disk space/m);

  rmSync(filler);
  const freedMs = performance.now();
  const after = await world.start();
  await untilDrained(after, eventsPerRound);
  const recoveryMs = performance.now() - freedMs;
  expect(await after.stop()).toBe(0);
  await world.checkAfter(
    { fault: "the disk is full, the service dies, then has room", recoveryMs },
    storedOnly(events),
  );
}, 240_000);

test("on a full disk under a store of MongoDB's protocol partitions wait, nothing becomes a dead letter, and the same process goes on when there is room", async () => {
  await using open = new AsyncDisposableStack();
  const dir = open.use(temporaryFolder()).path;
  open.use(mountSmallDisk(dir, diskBytes));
  const mongo = await startMongo({ dir });
  open.defer(() => mongo.stop());
  const env = { LASTRO_STORE_URL: mongo.url, LASTRO_BATCH_SIZE_MAX: "20" };
  const world = open.use(await makeWorld("mongodb", env));
  const lastro = await world.start();
  const filler = fillDisk(dir, mongoRoomBytes);
  const events = plainEvents(1, eventsOfMongo);
  await world.send(events);
  await untilPartitionsWait(lastro);
  expect(await outcomesSeen(lastro)).toBeLessThan(eventsOfMongo);

  rmSync(filler);
  const freedMs = performance.now();
  await untilDrained(lastro, eventsOfMongo, 120_000);
  const recoveryMs = performance.now() - freedMs;
  await untilReadiness(lastro, "all is well", ({ status }) => status === "ok");
  expect(await lastro.stop()).toBe(0);
  await world.checkAfter({ fault: "the disk is full, then has room", recoveryMs }, storedOnly(events));
}, 240_000);

test("Kafka, whose disk is full, ends; the service waits and says so, and goes on by itself once Kafka has room and is started again", async () => {
  await using open = new AsyncDisposableStack();
  const dir = open.use(temporaryFolder()).path;
  const logs = join(dir, "logs");
  mkdirSync(logs);
  open.use(mountSmallDisk(logs, diskBytes));
  let kafka = await startKafka({ dir });
  open.defer(() => kafka.stop());
  const world = open.use(await makeWorld("sqlite", { LASTRO_KAFKA_BROKERS: kafka.address }));
  const lastro = await world.start();
  const other = `${world.topic}.other`;
  await createTopic(kafka.address, other, 1);
  const before = await world.publish(1, 3_000);
  const filler = fillDisk(logs, kafkaRoomBytes);
  // Into another topic, since what Kafka would not tell the fate of could not be checked.
  await publish([kafka.address], other, plainEvents(2, 1_000)).catch(() => undefined);
  await kafka.exited;
  await untilReadiness(lastro, "it says that Kafka is away", ({ parts }) => parts["kafka"]?.ok === false);

  rmSync(filler);
  kafka = await startKafka({ dir, port: kafka.port });
  const backMs = performance.now();
  const after = await world.publish(3, 1_000);
  await untilDrained(lastro, before.messages + after.messages, 90_000);
  const recoveryMs = performance.now() - backMs;
  await untilReadiness(lastro, "all is well", ({ status }) => status === "ok");
  expect(await lastro.stop()).toBe(0);
  await world.checkAfter({ fault: "Kafka's disk is full, then has room", recoveryMs }, before, after);
}, 240_000);
