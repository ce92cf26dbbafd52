/** Batches as Kafka's own Java producer packs them: xerial-framed snappy, its LZ4 frames, its zstd. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "@jest/globals";
import { openKafkajsSource } from "../../../src/adapters/kafkajs/event-source.ts";
import { openTopicReader } from "../../../src/adapters/platformatic-kafka/topic-reader.ts";
import { openTestKafka } from "../../contract/event-source.kafka.ts";
import { until } from "../../support/until.ts";

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const programs = new URL("../../../deploy/local/programs.mjs", import.meta.url).href;

async function produceFromJava(broker: string, topic: string, codec: string): Promise<void> {
  const { kafkaJars } = await import(programs);
  const { libs } = await kafkaJars(() => undefined);
  const args = ["-cp", join(libs, "*"), join(import.meta.dirname, "Produce.java"), broker, topic, codec];
  await promisify(execFile)("java", args);
}

describe("batches of the Java producer", () => {
  const kafka = openTestKafka();
  const topicReader = openTopicReader({ brokers: kafka.brokers, clientId: "lastro-test" });
  afterAll(async () => {
    await topicReader[Symbol.asyncDispose]();
    await kafka[Symbol.asyncDispose]();
  });

  test.each(["gzip", "snappy", "lz4", "zstd"])("packed with %s are read", async (codec) => {
    const topic = await kafka.createTopic();
    // As Produce.java sends them, 100 KB in one batch: more than one block of xerial's 32 KiB and of LZ4's 64 KiB.
    const lines = Array.from({ length: 300 }, (_, i) => `line ${i} ${String(i * 7919).repeat(80)}`);
    await produceFromJava(kafka.brokers[0] ?? "", topic, codec);
    await using source = await openKafkajsSource({
      brokers: kafka.brokers,
      topic,
      groupId: topic,
      clientId: "lastro-test",
      topicReader,
      incarnation: async () => undefined,
      fetchBytesPerPartitionMax: 1024 * 1024,
      fetchBytesMax: 1024 * 1024,
      partitionsConcurrently: 1,
      log,
      now: Date.now,
    });
    const values: string[] = [];
    await source.start({
      assigned: ({ src }) => source.resume(src, 0),
      async batch(batch) {
        values.push(...batch.events.map(({ value }) => Buffer.from(value ?? []).toString()));
        return batch.to;
      },
      revoked: () => undefined,
      stopped: (_src, error) => void values.push(error.message),
      crashed: (error) => void values.push(error.message),
    });
    await until("all lines are read", () => values.length >= lines.length);
    expect(values).toEqual(lines);
  });
});
