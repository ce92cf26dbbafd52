/** Dead letters through @platformatic/kafka keep the contract. */
import { randomUUID } from "node:crypto";
import { afterAll, describe } from "@jest/globals";
import { prepareTopics } from "../../src/adapters/kafkajs/topics.ts";
import { openDeadLetters } from "../../src/adapters/platformatic-kafka/dead-letters.ts";
import { readRecords } from "../../src/adapters/platformatic-kafka/record-reader.ts";
import { openTopicReader } from "../../src/adapters/platformatic-kafka/topic-reader.ts";
import { kafkaBrokers } from "../support/servers.ts";
import { deadLettersContract, type Stored } from "./dead-letters.contract.ts";

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

describe("dead letters in Kafka", () => {
  const brokers = kafkaBrokers();
  const clientId = "lastro-test";
  const topicReader = openTopicReader({ brokers, clientId });
  const opened: AsyncDisposable[] = [topicReader];
  const signal = AbortSignal.timeout(60_000);
  afterAll(async () => {
    for (const one of opened.reverse()) await one[Symbol.asyncDispose]();
  });

  deadLettersContract(async () => {
    const topic = `audit-${randomUUID()}`;
    const deadLetterTopic = `${topic}.dlq`;
    await prepareTopics({ brokers, clientId, log, topic, deadLetterTopic, create: true });
    const letters = openDeadLetters({
      brokers,
      clientId,
      topicReader,
      topic,
      deadLetterTopic,
      consumer: "test-group",
    });
    opened.push(letters);
    const present = (record: Stored | undefined): Stored => {
      if (record === undefined) throw new Error("no such record");
      return record;
    };
    const at = async (name: string, positions: { partition: number; offset: number }[]) =>
      (await readRecords({ brokers, clientId, topicReader }, name, positions, signal)).map(present);
    return {
      letters,
      topic,
      deadLetterTopic,
      read: async (position) => present((await at(position.topic, [position]))[0]),
      async readAll(name, partition) {
        const extent = (await topicReader.read(name, signal)).partitions[partition];
        return at(
          name,
          Array.from({ length: extent?.logEnd ?? 0 }, (_, offset) => ({ partition, offset })),
        );
      },
    };
  });
});
