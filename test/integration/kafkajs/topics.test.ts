/** Topics are made as promised, and refused with the command that mends them. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import kafkajs, { type Admin } from "kafkajs";
import { openClient } from "../../../src/adapters/kafkajs/client.ts";
import { prepareTopics } from "../../../src/adapters/kafkajs/topics.ts";
import { kafkaBrokers } from "../../support/servers.ts";

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

describe("the topics", () => {
  const brokers = kafkaBrokers();
  const options = (create: boolean) => {
    const topic = `audit-${randomUUID()}`;
    return { brokers, clientId: "lastro-test", log, topic, deadLetterTopic: `${topic}.dlq`, create };
  };
  let admin: Admin;
  beforeAll(async () => {
    admin = openClient({ brokers, clientId: "lastro-test", log }).admin();
    await admin.connect();
  });
  afterAll(async () => admin.disconnect());
  const configOf = async (name: string) => {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name }],
    });
    return Object.fromEntries(
      resources[0]?.configEntries.map((one) => [one.configName, one.configValue]) ?? [],
    );
  };

  test("are made with six partitions, cleanup delete and room for 4 MiB and the dead letters' headers; once", async () => {
    const wanted = options(true);
    expect(await prepareTopics(wanted)).toEqual({ created: [wanted.topic, wanted.deadLetterTopic] });
    expect(await prepareTopics({ ...wanted, create: false })).toEqual({ created: [] });
    const { topics } = await admin.fetchTopicMetadata({ topics: [wanted.topic, wanted.deadLetterTopic] });
    expect(topics.map(({ partitions }) => partitions.length)).toEqual([6, 6]);
    expect(await configOf(wanted.topic)).toMatchObject({
      "cleanup.policy": "delete",
      "max.message.bytes": "4194304",
    });
    expect(await configOf(wanted.deadLetterTopic)).toMatchObject({
      "cleanup.policy": "delete",
      "max.message.bytes": "4456448",
      "message.timestamp.type": "LogAppendTime",
    });
  });

  test("take no event whose producer's clock is years ahead of the broker's: Kafka's time bounds the event's own", async () => {
    const wanted = options(true);
    await prepareTopics(wanted);
    const producer = openClient({ brokers, clientId: "lastro-test", log }).producer();
    await producer.connect();
    const send = (atMs: number) =>
      producer.send({ topic: wanted.topic, messages: [{ value: "{}", timestamp: String(atMs) }] });
    try {
      await expect(send(Date.UTC(2099, 0))).rejects.toMatchObject({ type: "INVALID_TIMESTAMP" });
      expect(await send(Date.now())).toMatchObject([{ topicName: wanted.topic, errorCode: 0 }]);
    } finally {
      await producer.disconnect();
    }
  });

  test("that are absent are refused with the command that makes them when we may not", async () => {
    const wanted = options(false);
    await expect(prepareTopics(wanted)).rejects.toMatchObject({
      code: "TOPIC_UNSUITABLE",
      message: expect.stringContaining(
        `kafka-topics.sh --bootstrap-server ${brokers[0]} --create --topic ${wanted.topic} --partitions 6`,
      ),
    });
  });

  test("a compacted audit topic is refused: Kafka would remove events", async () => {
    const wanted = options(true);
    await admin.createTopics({
      topics: [{ topic: wanted.topic, configEntries: [{ name: "cleanup.policy", value: "compact" }] }],
    });
    await expect(prepareTopics(wanted)).rejects.toMatchObject({
      code: "TOPIC_UNSUITABLE",
      message: expect.stringContaining("--add-config cleanup.policy=delete"),
    });
  });

  test("a dead letter topic that cannot take the largest event is refused", async () => {
    const wanted = options(true);
    const configEntries = [{ name: "max.message.bytes", value: "1048588" }];
    await admin.createTopics({ topics: [{ topic: wanted.deadLetterTopic, configEntries }] });
    await expect(prepareTopics(wanted)).rejects.toMatchObject({
      code: "TOPIC_UNSUITABLE",
      message: expect.stringContaining(
        `--entity-name ${wanted.deadLetterTopic} --add-config max.message.bytes=4456448`,
      ),
    });
  });
});
