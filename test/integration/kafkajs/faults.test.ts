/** A Kafka of our own that loses its data's integrity and its life. */
import { once } from "node:events";
import { mkdtemp, open as openFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openKafkajsSource } from "../../../src/adapters/kafkajs/event-source.ts";
import { openTopicReader } from "../../../src/adapters/platformatic-kafka/topic-reader.ts";
import type { LastroError } from "../../../src/core/errors.ts";
import type { Src } from "../../../src/core/ids.ts";
import type { EventSource, SourceBatch } from "../../../src/ports/event-source.ts";
import type { TopicReader } from "../../../src/ports/topic-reader.ts";
import { numbered, openTestKafka, smallSource, type TestKafka } from "../../contract/event-source.kafka.ts";
import { type RunningServer, startKafka } from "../../support/servers.ts";
import { until } from "../../support/until.ts";

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

describe("the event source on a Kafka in trouble", () => {
  let dir = "";
  let server: RunningServer;
  let kafka: TestKafka;
  let topicReader: TopicReader;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "lastro-kafka-"));
    server = await startKafka({ dir });
    kafka = openTestKafka([server.address]);
    topicReader = openTopicReader({ brokers: kafka.brokers, clientId: "lastro-test" });
  }, 120_000);
  afterAll(async () => {
    await topicReader[Symbol.asyncDispose]();
    await kafka[Symbol.asyncDispose]();
    await server.stop();
    await rm(dir, { recursive: true, force: true });
  }, 60_000);

  const open = (options: { topic: string; drainBudgetMs?: number }): Promise<EventSource> =>
    openKafkajsSource({
      ...options,
      brokers: kafka.brokers,
      groupId: options.topic,
      clientId: "lastro-test",
      topicReader,
      ...smallSource,
      log,
      now: Date.now,
    });

  async function reading(topic: string) {
    const batches: SourceBatch[] = [];
    const stopped: { src: Src; error: LastroError }[] = [];
    const crashed: LastroError[] = [];
    const next = new Map<number, number>();
    const source = await open({ topic });
    await source.start({
      assigned: ({ src, partition }) => source.resume(src, next.get(partition) ?? 0),
      async batch(batch) {
        batches.push(batch);
        next.set(batch.partition, batch.to);
        return batch.to;
      },
      revoked: () => undefined,
      stopped: (src, error) => void stopped.push({ src, error }),
      crashed: (error) => void crashed.push(error),
    });
    const offsets = (partition: number) =>
      batches.filter((b) => b.partition === partition).flatMap((b) => b.events.map(({ offset }) => offset));
    return { source, stopped, crashed, offsets };
  }

  /** A broker that was silent for long takes no topics before its controller has heard of it again. */
  async function brokerIsBack(): Promise<void> {
    const isBack = (): Promise<boolean> =>
      kafka.createTopic().then(
        () => true,
        () => false,
      );
    for (const deadline = Date.now() + 20_000; !(await isBack()); )
      if (Date.now() > deadline) throw new Error("the broker did not come back");
  }

  test("a batch that cannot be decoded stops its partition only, after everything before it was delivered", async () => {
    const topic = await kafka.createTopic({ partitions: 2 });
    await kafka.produce(topic, numbered(0, 3, 0));
    await kafka.produce(topic, numbered(3, 50, 0), "zstd");
    await kafka.produce(topic, numbered(53, 2, 0));
    await kafka.produce(topic, numbered(0, 5, 1));
    await spoilSecondBatch(join(dir, "logs", `${topic}-0`));

    const { source, stopped, crashed, offsets } = await reading(topic);
    await until("stopped", () => stopped.length === 1);
    expect(stopped[0]?.error.code).toBe("CORRUPT_BATCH");
    expect(stopped[0]?.error.message).toContain("offset 3");
    expect(offsets(0)).toEqual([0, 1, 2]);
    await kafka.produce(topic, numbered(5, 5, 1));
    await until("the other partition goes on", () => offsets(1).length === 10);
    source.resume(stopped[0]?.src as Src, 53);
    await until("an operator's way on", () => offsets(0).length === 5);
    expect(crashed).toEqual([]);
    await source[Symbol.asyncDispose]();
  }, 60_000);

  test("the drain budget is what is asked for", async () => {
    const topic = await kafka.createTopic();
    await kafka.produce(topic, numbered(0, 1));
    const source = await open({ topic, drainBudgetMs: 500 });
    const ended: string[] = [];
    let running = false;
    await source.start({
      assigned: ({ src }) => source.resume(src, 0),
      async batch({ to }, { signal }) {
        running = true;
        await once(signal, "abort");
        ended.push("the batch");
        return to;
      },
      revoked: () => undefined,
      stopped: () => undefined,
      crashed: () => undefined,
    });
    await until("running", () => running);
    // However slow the machine is, timers end in the order in which they are due.
    const [early, late] = [450, 4_000].map((ms) => setTimeout(() => ended.push(`${ms} ms`), ms));
    await source[Symbol.asyncDispose]();
    clearTimeout(early);
    clearTimeout(late);
    expect(ended).toEqual(["450 ms", "the batch"]);
  }, 60_000);

  test("closing while Kafka is silent and a batch does not end takes less than 8 s, however often it is asked for", async () => {
    const topic = await kafka.createTopic();
    await kafka.produce(topic, numbered(0, 1));
    const source = await open({ topic, drainBudgetMs: 500 });
    let release = (): void => undefined;
    const hanging = new Promise<void>((resolve) => {
      release = resolve;
    });
    let running = false;
    await source.start({
      assigned: ({ src }) => source.resume(src, 0),
      async batch({ src, to }) {
        source.commit(src, to);
        running = true;
        await hanging;
        return to;
      },
      revoked: () => undefined,
      stopped: () => undefined,
      crashed: () => undefined,
    });
    await until("running", () => running);
    server.kill("SIGSTOP");
    try {
      const begun = Date.now();
      await Promise.all([source[Symbol.asyncDispose](), source[Symbol.asyncDispose]()]);
      await source[Symbol.asyncDispose]();
      expect(Date.now() - begun).toBeLessThan(8_000);
    } finally {
      release();
      server.kill("SIGCONT");
    }
    await brokerIsBack();
  }, 60_000);

  test("a broker that goes away and comes back is read on from the mark, without a hole and without a restart", async () => {
    const topic = await kafka.createTopic();
    const { source, crashed, offsets } = await reading(topic);
    await kafka.produce(topic, numbered(0, 5));
    await until("read", () => offsets(0).length === 5);
    server.kill("SIGKILL");
    await server.exited;
    await until("it says so", () => !source.isConnected(), 30_000);
    server = await startKafka({ dir, port: server.port });
    await kafka.produce(topic, numbered(5, 5));
    await until("read on", () => offsets(0).length === 10, 60_000);
    expect(offsets(0)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(source.isConnected()).toBe(true);
    expect(crashed).toEqual([]);
    await source[Symbol.asyncDispose]();
  }, 150_000);
});

/** Overwrites the packed records of the second batch: brokers serve what is on disk as it is. */
async function spoilSecondBatch(folder: string): Promise<void> {
  const segment = (await readdir(folder)).find((name) => name.endsWith(".log"));
  const file = await openFile(join(folder, segment ?? ""), "r+");
  const head = Buffer.alloc(12);
  await file.read(head, 0, 12, 0);
  const second = 12 + head.readInt32BE(8);
  await file.write(Buffer.alloc(20, 0xee), 0, 20, second + 61);
  await file.close();
}
