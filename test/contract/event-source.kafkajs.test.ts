/** The event source on kafkajs keeps the contract. */
import { afterAll, describe } from "@jest/globals";
import { openKafkajsSource } from "../../src/adapters/kafkajs/event-source.ts";
import { openTopicReader } from "../../src/adapters/platformatic-kafka/topic-reader.ts";
import { kafkaBrokers } from "../support/servers.ts";
import { eventSourceContract } from "./event-source.contract.ts";

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

describe("the event source on kafkajs", () => {
  const topicReader = openTopicReader({ brokers: kafkaBrokers(), clientId: "lastro-test" });
  afterAll(async () => topicReader[Symbol.asyncDispose]());
  eventSourceContract((options) =>
    openKafkajsSource({
      ...options,
      brokers: kafkaBrokers(),
      clientId: "lastro-test",
      topicReader,
      incarnation: undefined,
      fetchBytesPerPartitionMax: 4 * 1024 * 1024,
      fetchBytesMax: 16 * 1024 * 1024,
      partitionsConcurrently: 4,
      log: silent,
      now: Date.now,
    }),
  );
});
