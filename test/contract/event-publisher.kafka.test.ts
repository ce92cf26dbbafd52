/** The publisher through @platformatic/kafka keeps the contract. */
import { randomUUID } from "node:crypto";
import { afterAll, describe, expect, test } from "@jest/globals";
import kafkajs from "kafkajs";
import { openEventPublisher } from "../../src/adapters/platformatic-kafka/event-publisher.ts";
import { readRecords } from "../../src/adapters/platformatic-kafka/record-reader.ts";
import { openTopicReader } from "../../src/adapters/platformatic-kafka/topic-reader.ts";
import { parseRid } from "../../src/core/ids.ts";
import { createTopic } from "../support/kafka-admin.ts";
import { kafkaBrokers } from "../support/servers.ts";
import { eventPublisherContract } from "./event-publisher.contract.ts";
import { openTestKafka } from "./event-source.kafka.ts";

const topicBytesMax = 4 * 1024 * 1024;
const nobodysPort = "127.0.0.1:1";

describe("events published on Kafka", () => {
  const brokers = kafkaBrokers();
  const clientId = "lastro-test";
  const kafka = openTestKafka();
  const topicReader = openTopicReader({ brokers, clientId });
  const opened: AsyncDisposable[] = [kafka, topicReader];
  afterAll(async () => {
    for (const one of opened.reverse()) await one[Symbol.asyncDispose]();
  });

  eventPublisherContract(async () => {
    const topic = `audit-${randomUUID()}`;
    await createTopic(brokers.join(","), topic, 3);
    const publisher = openEventPublisher({ brokers, clientId, topicReader, topic });
    const unreachable = openEventPublisher({ brokers: [nobodysPort], clientId, topicReader, topic });
    opened.push(publisher, unreachable);
    return {
      publisher,
      unreachable,
      valueBytesMax: topicBytesMax,
      async read(rid) {
        const place = parseRid(rid);
        if (place === undefined) throw new Error(`${rid} is no rid`);
        const options = { brokers, clientId, topicReader };
        for await (const record of readRecords(options, topic, [place], AbortSignal.timeout(30_000)))
          if (record !== undefined) return record;
        throw new Error(`nothing lies at ${rid}`);
      },
      async recreate() {
        await kafka.deleteTopic(topic);
        await createTopic(brokers.join(","), topic, 3);
      },
    };
  });

  test("R-20 a key has the partition that Kafka's own clients give it", async () => {
    const topic = `audit-${randomUUID()}`;
    const partitions = 6;
    await createTopic(brokers.join(","), topic, partitions);
    await using publisher = openEventPublisher({ brokers, clientId, topicReader, topic });
    const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
      partitionId,
      leader: 1,
      partitionErrorCode: 0,
      replicas: [1],
      isr: [1],
    }));
    const partitionOf = kafkajs.Partitioners.DefaultPartitioner();
    const keys = Array.from({ length: 100 }, (_, n) => (n % 2 === 0 ? `${1000 + n}` : `ação-${n}`));
    const value = Buffer.from("{}");
    const until = AbortSignal.timeout(30_000);
    const rids = await Promise.all(keys.map((key) => publisher.publish({ key, value, headers: {} }, until)));
    expect(rids.map((rid) => parseRid(rid)?.partition)).toEqual(
      keys.map((key) => partitionOf({ topic, partitionMetadata, message: { key, value } })),
    );
  });
});
