/** The topic changes under the reader: made anew, cut from the front, cut from the end. Nothing is skipped that an operator did not see. */
import { mkdtempSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { OperationsService } from "../../src/gen/lastro/v1/operations_pb.ts";
import { openTestKafka } from "../contract/event-source.kafka.ts";
import { call, connect, failureOf } from "../support/grpc-client.ts";
import { createTopic, withAdmin } from "../support/kafka-admin.ts";
import type { LastroProcess } from "../support/lastro.ts";
import { until } from "../support/lastro.ts";
import { getIntake, readiness, resumePartition, untilReadiness, untilStopped } from "../support/operator.ts";
import { plainEvents, storedOnly } from "../support/published.ts";
import { kafkaBrokers, startKafka } from "../support/servers.ts";
import { makeWorld, untilDrained, type World } from "../support/world.ts";

const brokers = kafkaBrokers().join(",");

const deleteTopic = (topic: string): Promise<void> =>
  withAdmin(brokers, (admin) => admin.deleteTopics({ topics: [topic] }));

async function acceptEverywhere(lastro: LastroProcess, partitions: number): Promise<void> {
  for (let partition = 0; partition < partitions; partition++)
    await resumePartition(lastro, {
      target: { case: "partition", value: partition },
      acceptIncarnation: true,
    });
}

async function recreateTopic(world: World): Promise<void> {
  await deleteTopic(world.topic);
  await until("the topic is made anew", () => createTopic(brokers, world.topic, 6), 20_000);
}

async function expectToldAndAccept(lastro: LastroProcess): Promise<void> {
  await untilStopped(lastro, "SOURCE_CHANGED", 6);
  const { status, parts } = await readiness(lastro);
  expect(status).toBe("unavailable");
  expect(parts["partitions"]?.detail).toContain("SOURCE_CHANGED");
  for (const { message } of (await getIntake(lastro)).partitions.filter(({ reason }) => reason !== ""))
    expect(message).toContain("ResumePartition");
  const unseen = resumePartition(lastro, { target: { case: "partition", value: 0 } });
  expect((await failureOf(unseen)).reason).toBe("FAILED_PRECONDITION");
  await acceptEverywhere(lastro, 6);
  await untilReadiness(lastro, "it reads the new topic", ({ status: now }) => now === "ok");
}

test("a topic deleted and made anew stops every partition until the operator accepts it; both incarnations are accounted for", async () => {
  await using world = await makeWorld("sqlite");
  const lastro = await world.start();
  const first = await world.publish(1, 600);
  await untilDrained(lastro, first.messages);
  await recreateTopic(world);
  const second = await world.publish(2, 400);
  await expectToldAndAccept(lastro);
  await untilDrained(lastro, first.messages + second.messages);
  expect(await lastro.stop()).toBe(0);

  const after = await world.start();
  expect((await getIntake(after)).partitions.length).toBe(12);
  expect(await after.stop()).toBe(0);
  await world.checkAfter({ fault: "the topic is made anew" }, first, second);
}, 90_000);

test("a topic made anew while the service was away stops every partition for that reason and no other", async () => {
  await using world = await makeWorld("sqlite");
  const before = await world.start();
  const first = await world.publish(1, 300);
  await untilDrained(before, first.messages);
  expect(await before.stop()).toBe(0);
  await recreateTopic(world);
  const second = await world.publish(2, 200);
  const lastro = await world.spawn();
  await until("it answers", async () => (await getIntake(lastro)).partitions.length > 0, 30_000, lastro);
  await expectToldAndAccept(lastro);
  await untilDrained(lastro, first.messages + second.messages);
  expect(await lastro.stop()).toBe(0);
  await world.checkAfter({ fault: "the topic is made anew while the service is away" }, first, second);
}, 90_000);

async function deleteRecords(topic: string, before: number): Promise<void> {
  await using kafka = openTestKafka();
  await kafka.deleteRecords(topic, 0, before);
}

test("what retention took while the service was away is a gap with that cause, and reading goes on behind it", async () => {
  await using world = await makeWorld("sqlite");
  await createTopic(brokers, world.topic, 1);
  const events = plainEvents(1, 500);
  const before = await world.start();
  await world.send(events.slice(0, 200));
  await untilDrained(before, 200);
  expect(await before.stop()).toBe(0);
  await world.send(events.slice(200));
  await deleteRecords(world.topic, 300);

  const lastro = await world.start();
  await untilDrained(lastro, 500);
  const [{ src } = { src: "" }] = (await getIntake(lastro)).partitions;
  using client = connect(lastro.grpcAddress);
  const { outcomes } = await call(client, OperationsService, "listOutcomes", { src });
  expect(outcomes).toMatchObject([{ fromOffset: 200n, toOffset: 300n, reason: "retention" }]);
  expect(await lastro.stop()).toBe(0);
  await world.checkAfter(
    { fault: "retention passes the mark", note: "the 100 offsets it took are a gap" },
    { ...storedOnly([...events.slice(0, 200), ...events.slice(300)]), gaps: 100 },
  );
}, 60_000);

/** Cuts the partition's file in two, as a broken disk may: the broker drops what is not whole when it starts. */
function cutLog(folder: string): void {
  const segment = join(folder, "00000000000000000000.log");
  truncateSync(segment, Math.floor(statSync(segment).size / 2));
}

test("a log that ends below the mark stops its partition; nothing can be skipped there, a new topic can be accepted", async () => {
  const dir = mkdtempSync(join(tmpdir(), "lastro-kafka-"));
  let kafka = await startKafka({ dir });
  try {
    await using world = await makeWorld("sqlite", { LASTRO_KAFKA_BROKERS: kafka.address });
    await createTopic(kafka.address, world.topic, 1);
    const events = plainEvents(1, 400);
    const before = await world.start();
    await world.send(events.slice(0, 100));
    await world.send(events.slice(100, 300));
    await untilDrained(before, 300);
    expect(await before.stop()).toBe(0);
    kafka.kill("SIGKILL");
    await kafka.exited;
    cutLog(join(dir, "logs", `${world.topic}-0`));
    kafka = await startKafka({ dir, port: kafka.port });

    const lastro = await world.spawn();
    await untilStopped(lastro, "OFFSET_OUT_OF_RANGE", 1);
    expect((await readiness(lastro)).parts["partitions"]?.detail).toBe("0: OFFSET_OUT_OF_RANGE");
    const [{ src, mark, message } = { src: "", mark: 0n, message: "" }] = (await getIntake(lastro))
      .partitions;
    expect(mark).toBe(300n);
    expect(message).toContain("accept_incarnation");
    using client = connect(lastro.grpcAddress);
    const skip = { src, fromOffset: 300n, toOffset: 400n, reason: "test" };
    expect((await failureOf(call(client, OperationsService, "skipOffsets", skip))).reason).toBe(
      "FAILED_PRECONDITION",
    );

    await withAdmin(kafka.address, (admin) => admin.deleteTopics({ topics: [world.topic] }));
    await until("the topic is made anew", () => createTopic(kafka.address, world.topic, 1), 20_000);
    await world.send(events.slice(300));
    await resumePartition(lastro, { target: { case: "src", value: src }, acceptIncarnation: true });
    await untilDrained(lastro, 400);
    expect(await lastro.stop()).toBe(0);
    await world.check(storedOnly(events));
  } finally {
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}, 120_000);
