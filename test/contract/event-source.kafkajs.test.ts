/** The event source on kafkajs keeps the contract. */
import { randomUUID } from "node:crypto";
import { afterAll, describe, expect, test } from "@jest/globals";
import { openKafkajsSource } from "../../src/adapters/kafkajs/event-source.ts";
import { openTopicReader } from "../../src/adapters/platformatic-kafka/topic-reader.ts";
import type { Src, TopicId } from "../../src/core/ids.ts";
import type { Log } from "../../src/ports/log.ts";
import { kafkaBrokers } from "../support/servers.ts";
import { joinAsStranger } from "../support/stranger.ts";
import { until } from "../support/until.ts";
import { eventSourceContract, type OpenSource } from "./event-source.contract.ts";
import { numbered, openTestKafka } from "./event-source.kafka.ts";
import { recorder } from "./event-source.recorder.ts";

const silent: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

describe("the event source on kafkajs", () => {
  const topicReader = openTopicReader({ brokers: kafkaBrokers(), clientId: "lastro-test" });
  afterAll(async () => topicReader[Symbol.asyncDispose]());
  const openWith =
    (incarnation: () => Promise<TopicId | undefined>, log = silent): OpenSource =>
    (options) =>
      openKafkajsSource({
        ...options,
        brokers: kafkaBrokers(),
        clientId: "lastro-test",
        topicReader,
        incarnation,
        fetchBytesPerPartitionMax: 4 * 1024 * 1024,
        fetchBytesMax: 16 * 1024 * 1024,
        partitionsConcurrently: 4,
        log,
        now: Date.now,
      });
  eventSourceContract(openWith(async () => undefined));

  test("an incarnation that another process accepted is read after a rebalance, without being accepted again", async () => {
    await using kafka = openTestKafka();
    const topic = await kafka.createTopic();
    const [groupId, signal] = [randomUUID(), AbortSignal.timeout(60_000)];
    let accepted: TopicId | undefined = await topicReader.topicId(topic, signal);
    const join = async () => {
      const source = await openWith(async () => accepted)({ topic, groupId, sessionTimeoutMs: 6_000 });
      const seen = recorder(source, () => 0);
      await source.start(seen.handler);
      return { source, seen };
    };
    await using stack = new AsyncDisposableStack();
    const { source, seen } = await join();
    stack.use(source);
    await until("assigned", () => seen.assigned.length === 1);
    await kafka.deleteTopic(topic);
    await kafka.createTopic({ name: topic });
    await kafka.produce(topic, numbered(1000, 8));
    await until("stopped", () => seen.stopped.some(({ code }) => code === "SOURCE_CHANGED"), 30_000);
    accepted = await topicReader.topicId(topic, signal);
    const stops = seen.stopped.length;
    const other = await join();
    await other.source[Symbol.asyncDispose]();
    await until("the new incarnation is announced", () => seen.assigned.at(-1)?.topicId === accepted);
    // Once more after each rebalance, for nothing is committed.
    await until("and read", () => new Set(seen.events().map(({ offset }) => offset)).size === 8);
    expect([seen.stopped.length, other.seen.stopped]).toEqual([stops, []]);
  }, 60_000);

  test("a group offset that cannot be committed is told and hurts nobody: the next one is committed", async () => {
    await using kafka = openTestKafka();
    const topic = await kafka.createTopic();
    const told: string[] = [];
    const log: Log = { ...silent, warn: (code) => void told.push(code) };
    const groupId = randomUUID();
    await using source = await openWith(
      async () => undefined,
      log,
    )({ topic, groupId, sessionTimeoutMs: 6_000 });
    const seen = recorder(source, () => 0);
    await source.start(seen.handler);
    await until("assigned", () => seen.assigned.length === 1);
    const src = seen.assigned[0]?.src as Src;
    // kafkajs sends no negative offset.
    source.commit(src, -1);
    await until("told", () => told.includes("commit_failed"));
    source.commit(src, 5);
    await kafka.untilCommitted(groupId, topic, 5);
    expect([seen.revoked, seen.crashed, source.isConnected()]).toEqual([[], [], true]);
  });

  test("a group whose members share partitions in another way is not joined: the start says so, and the client ends", async () => {
    await using kafka = openTestKafka();
    const topic = await kafka.createTopic();
    const groupId = randomUUID();
    await using _stranger = await joinAsStranger(topic, groupId);
    await using source = await openWith(async () => undefined)({ topic, groupId, sessionTimeoutMs: 6_000 });
    const seen = recorder(source, () => 0);
    const refused = { code: "SOURCE_UNAVAILABLE", message: expect.stringContaining("does not restart") };
    await expect(source.start(seen.handler)).rejects.toMatchObject(refused);
    expect(seen.crashed).toMatchObject([refused]);
    expect([seen.assigned, source.isConnected()]).toEqual([[], false]);
  });
});
