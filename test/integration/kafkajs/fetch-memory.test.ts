/** Small batches that unpack to much: a fetch holds a bounded part of them, and everything arrives all the same. */
import { afterAll, expect, test } from "@jest/globals";
import { fetchUnpackedBytesMax } from "../../../src/adapters/kafkajs/codecs.ts";
import { openKafkajsSource } from "../../../src/adapters/kafkajs/event-source.ts";
import { batchRecordsMax } from "../../../src/adapters/kafkajs/record-batches.ts";
import { openTopicReader } from "../../../src/adapters/platformatic-kafka/topic-reader.ts";
import type { Src } from "../../../src/core/ids.ts";
import type { EventSource, SourceBatch } from "../../../src/ports/event-source.ts";
import { numbered, openTestKafka } from "../../contract/event-source.kafka.ts";
import { recorder } from "../../contract/event-source.recorder.ts";
import { until } from "../../support/until.ts";

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const kafka = openTestKafka();
const topicReader = openTopicReader({ brokers: kafka.brokers, clientId: "lastro-test" });
afterAll(async () => {
  await topicReader[Symbol.asyncDispose]();
  await kafka[Symbol.asyncDispose]();
});

const opened = (topic: string): Promise<EventSource> =>
  openKafkajsSource({
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

test("batches of a few kilobytes that unpack to much are not held unpacked all at once", async () => {
  const topic = await kafka.createTopic({ partitions: 2 });
  const value = Buffer.alloc(fetchUnpackedBytesMax / 3);
  for (let i = 0; i < 8; i += 1) await kafka.produce(topic, [{ partition: i % 2, value }], "zstd");
  const heard: { partition: number; offsets: number[]; bytes: number }[] = [];
  await using source = await opened(topic);
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

test("a batch of more records than any batch of events has stops its partition and says so, and the other goes on", async () => {
  const topic = await kafka.createTopic({ partitions: 2 });
  await kafka.produce(topic, numbered(0, 2));
  await kafka.produce(
    topic,
    Array.from({ length: batchRecordsMax + 1 }, () => ({ value: null })),
    "zstd",
  );
  await kafka.produce(topic, numbered(2, 1));
  await kafka.produce(topic, numbered(0, 3, 1));
  await using source = await opened(topic);
  const seen = recorder(source, () => 0);
  await source.start(seen.handler);
  await until("stopped", () => seen.stopped.length === 1, 30_000);
  await until("the others are read", () => seen.events().length === 5);
  expect(seen.stopped[0]?.code).toBe("BATCH_TOO_LARGE");
  expect(seen.stopped[0]?.message).toContain(`offset 2 holds ${batchRecordsMax + 1} records`);
  const stopped = seen.assigned.find(({ partition }) => partition === 0)?.src as Src;
  source.resume(stopped, batchRecordsMax + 3);
  await until("an operator's way on", () => seen.values().includes("event 2") && seen.events().length === 6);
}, 90_000);
