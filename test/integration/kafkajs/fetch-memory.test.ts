/** Small batches that unpack to much: a fetch holds a bounded part of them, and everything arrives all the same. */
import { afterAll, expect, test } from "@jest/globals";
import { fetchUnpackedBytesMax } from "../../../src/adapters/kafkajs/codecs.ts";
import { openKafkajsSource } from "../../../src/adapters/kafkajs/event-source.ts";
import { openTopicReader } from "../../../src/adapters/platformatic-kafka/topic-reader.ts";
import type { SourceBatch } from "../../../src/ports/event-source.ts";
import { openTestKafka } from "../../contract/event-source.kafka.ts";
import { until } from "../../support/until.ts";

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const kafka = openTestKafka();
const topicReader = openTopicReader({ brokers: kafka.brokers, clientId: "lastro-test" });
afterAll(async () => {
  await topicReader[Symbol.asyncDispose]();
  await kafka[Symbol.asyncDispose]();
});

test("batches of a few kilobytes that unpack to much are not held unpacked all at once", async () => {
  const topic = await kafka.createTopic({ partitions: 2 });
  const value = Buffer.alloc(fetchUnpackedBytesMax / 3);
  for (let i = 0; i < 8; i += 1) await kafka.produce(topic, [{ partition: i % 2, value }], "zstd");
  const heard: { partition: number; offsets: number[]; bytes: number }[] = [];
  await using source = await openKafkajsSource({
    brokers: kafka.brokers,
    topic,
    groupId: topic,
    clientId: "lastro-test",
    topicReader,
    incarnation: async () => undefined,
    fetchBytesPerPartitionMax: 1024 * 1024,
    fetchBytesMax: 4 * 1024 * 1024,
    partitionsConcurrently: 2,
    log,
    now: Date.now,
  });
  await source.start({
    assigned: ({ src }) => source.resume(src, 0),
    async batch({ partition, events, to }: SourceBatch) {
      const bytes = events.reduce((sum, event) => sum + (event.value?.length ?? 0), 0);
      heard.push({ partition, offsets: events.map(({ offset }) => offset), bytes });
      return to;
    },
    revoked: () => undefined,
    stopped: () => undefined,
    crashed: () => undefined,
  });
  await until("all are read", () => heard.flatMap(({ offsets }) => offsets).length === 8);
  for (const partition of [0, 1])
    expect(heard.filter((one) => one.partition === partition).flatMap(({ offsets }) => offsets)).toEqual([
      0, 1, 2, 3,
    ]);
  expect(Math.max(...heard.map(({ bytes }) => bytes))).toBeLessThanOrEqual(fetchUnpackedBytesMax);
}, 60_000);
