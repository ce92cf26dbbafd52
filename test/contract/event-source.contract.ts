/** What every event source must do, on a real Kafka. */
import { randomUUID } from "node:crypto";
import { afterAll, afterEach, expect, test } from "@jest/globals";
import type { Src } from "../../src/core/ids.ts";
import type { EventSource } from "../../src/ports/event-source.ts";
import { until } from "../support/until.ts";
import { numbered, openTestKafka, text } from "./event-source.kafka.ts";
import { recorder } from "./event-source.recorder.ts";
import { eventSourceBasics } from "./event-source-basics.contract.ts";

export type OpenSource = (options: {
  topic: string;
  groupId: string;
  sessionTimeoutMs: number;
}) => Promise<EventSource>;

const sessionTimeoutMs = 6_000;
/** A source beats ten times a session or more. */
const heartbeatMs = sessionTimeoutMs / 10;

export function eventSourceContract(open: OpenSource): void {
  const kafka = openTestKafka();
  const sources: EventSource[] = [];
  const opened = async (topic: string, groupId: string = randomUUID()) => {
    const source = await open({ topic, groupId, sessionTimeoutMs });
    sources.push(source);
    return source;
  };
  const reading = async (topic: string, from: number, groupId?: string) => {
    const source = await opened(topic, groupId);
    const seen = recorder(source, () => from);
    await source.start(seen.handler);
    return { source, seen };
  };
  afterEach(async () => {
    await Promise.all(sources.splice(0).map((source) => source[Symbol.asyncDispose]()));
  });
  afterAll(async () => kafka[Symbol.asyncDispose]());

  eventSourceBasics({ kafka, opened: (topic) => opened(topic) });

  test("aborted records of transactions that cross are not delivered, wherever reading begins and whatever their keys; what was committed beside them is", async () => {
    const topic = await kafka.createTopic();
    const [longest, shorter, committed] = await Promise.all([1, 2, 3].map(() => kafka.transaction()));
    if (!longest || !shorter || !committed) throw new Error("three transactions were begun");
    await longest.send(topic, [
      ...numbered(100, 1),
      { key: Buffer.alloc(4), value: text("event 101") },
      ...numbered(102, 1),
    ]);
    await shorter.send(topic, numbered(200, 1));
    await committed.send(topic, numbered(4, 2));
    await kafka.produce(topic, [{ key: Buffer.alloc(4), value: text("event 6") }]);
    await shorter.end("abort");
    await kafka.untilEnd(topic, 8);
    await longest.send(topic, numbered(103, 1));
    await committed.end("commit");
    await kafka.untilEnd(topic, 10);
    await longest.end("abort");
    await kafka.untilEnd(topic, 11);
    for (const from of [0, 1, 3, 4, 8]) {
      const { seen } = await reading(topic, from);
      await until("all is accounted for", () => seen.batches.at(-1)?.to === 11);
      expect(seen.values()).toEqual([4, 5, 6].filter((n) => n >= from).map((n) => `event ${n}`));
    }
  }, 60_000);

  test("a group offset far ahead of the mark is not followed", async () => {
    const topic = await kafka.createTopic();
    const groupId = randomUUID();
    await kafka.produce(topic, numbered(0, 10));
    const first = await reading(topic, 0, groupId);
    await until("read", () => first.seen.events().length === 10);
    first.source.commit(first.seen.assigned[0]?.src as Src, 10);
    await first.source[Symbol.asyncDispose]();
    const second = await reading(topic, 2, groupId);
    await until("read again", () => second.seen.events().length === 8);
    expect(second.seen.batches[0]?.from).toBe(2);
  });

  test("null and empty keys, values and headers, repeated headers and bytes that are no text arrive as they were sent", async () => {
    const topic = await kafka.createTopic();
    const bytes = Buffer.from([0xff, 0x00, 0x80]);
    await kafka.produce(topic, [
      { key: null, value: null },
      { key: Buffer.alloc(0), value: Buffer.alloc(0) },
      {
        key: bytes,
        value: bytes,
        headers: [
          ["a", text("1")],
          ["a", null],
          ["a", text("2")],
          ["constructor", text("c")],
          ["__proto__", bytes],
          ["n", null],
          ["e", Buffer.alloc(0)],
        ],
      },
    ]);
    const { seen } = await reading(topic, 0);
    await until("read", () => seen.events().length === 3);
    const [nothing, empty, full] = seen.events();
    expect([nothing?.key, nothing?.value, nothing?.headers]).toEqual([null, null, []]);
    expect([empty?.key, empty?.value]).toEqual([Buffer.alloc(0), Buffer.alloc(0)]);
    expect([full?.key, full?.value]).toEqual([bytes, bytes]);
    expect(full?.headers).toEqual([
      ["a", text("1")],
      ["a", null],
      ["a", text("2")],
      ["constructor", text("c")],
      ["__proto__", bytes],
      ["n", null],
      ["e", Buffer.alloc(0)],
    ]);
    expect(Math.abs(Date.now() - (full?.timestampMs ?? 0))).toBeLessThan(60_000);
  });

  test.each(["gzip", "snappy", "lz4", "zstd"] as const)(
    "batches packed with %s are read",
    async (compression) => {
      const topic = await kafka.createTopic();
      const large = { value: Buffer.alloc(200_000, `${compression} `) };
      await kafka.produce(topic, [...numbered(0, 50), large], compression);
      const { seen } = await reading(topic, 10);
      await until("read", () => seen.events().length === 41);
      expect(seen.values()[0]).toBe("event 10");
      expect(large.value.equals(seen.events().at(-1)?.value ?? Buffer.alloc(0))).toBe(true);
    },
  );

  test("a batch of 130,000 records without keys and values is read like any other, and what follows it is", async () => {
    const topic = await kafka.createTopic();
    const count = 130_000;
    await kafka.produce(
      topic,
      Array.from({ length: count }, () => ({ value: null })),
      "zstd",
    );
    await kafka.produce(topic, numbered(count, 1));
    const { seen } = await reading(topic, 0);
    await until("read", () => seen.events().length > count, 60_000);
    expect(seen.events().every(({ offset }, at) => offset === at)).toBe(true);
    expect(seen.values().filter((value) => value !== undefined)).toEqual([`event ${count}`]);
    expect(seen.stopped).toEqual([]);
  }, 90_000);

  test("an offset that retention removed stops the partition and resets nothing", async () => {
    const topic = await kafka.createTopic();
    await kafka.produce(topic, numbered(0, 10));
    await kafka.deleteRecords(topic, 0, 6);
    const { source, seen } = await reading(topic, 2);
    await until("stopped", () => seen.stopped.length === 1);
    expect(seen.stopped[0]?.code).toBe("OFFSET_OUT_OF_RANGE");
    expect(seen.stopped[0]?.message).toContain("offset 2");
    expect(seen.batches).toEqual([]);
    expect(seen.assigned[0]).toMatchObject({ logStart: 6, logEnd: 10 });
    source.resume(seen.assigned[0]?.src as Src, 6);
    await until("an operator's way on", () => seen.events().length === 4);
  });

  test("a topic that was deleted and made again stops the partition until its new incarnation is accepted", async () => {
    const topic = await kafka.createTopic();
    await kafka.produce(topic, numbered(0, 5));
    const { source, seen } = await reading(topic, 0);
    await until("read", () => seen.events().length === 5);
    const old = seen.assigned[0]?.src as Src;
    await kafka.deleteTopic(topic);
    await kafka.createTopic({ name: topic });
    await kafka.produce(topic, numbered(1000, 8));
    await until("stopped", () => seen.stopped.some(({ code }) => code === "SOURCE_CHANGED"), 30_000);
    expect(seen.stopped.at(-1)?.message).toContain("ResumePartition");
    source.resume(old, 0);
    await source.acceptIncarnation(0);
    await until("the new incarnation is announced", () => seen.assigned.at(-1)?.src !== old);
    await until("and read from its start", () => seen.events().length === 13);
    const fresh = seen.batches.filter(({ src }) => src !== old);
    expect(fresh[0]?.from).toBe(0);
    expect(seen.batches.filter(({ src }) => src === old).flatMap((b) => b.events).length).toBe(5);
  }, 60_000);

  test("R-01 two consumers share the partitions and read every event; when one leaves, the other takes over what it had", async () => {
    const topic = await kafka.createTopic({ partitions: 4 });
    const groupId = randomUUID();
    const next = new Map<number, number>();
    const join = async () => {
      const source = await opened(topic, groupId);
      const seen = recorder(source, ({ partition }) => next.get(partition) ?? 0);
      seen.onBatch(async (batch) => {
        next.set(batch.partition, batch.to);
        return batch.to;
      });
      await source.start(seen.handler);
      return { source, seen };
    };
    const all = (count: number) => [0, 1, 2, 3].flatMap((partition) => numbered(0, count, partition));
    const a = await join();
    await kafka.produce(topic, all(5));
    await until("the first reads all", () => a.seen.events().length === 20);
    const b = await join();
    await until("the second has its share", () => b.seen.assigned.length === 2);
    expect(a.seen.revoked.length).toBe(4);
    await until("the first keeps the rest", () => a.seen.assigned.length === 6);
    await kafka.produce(topic, all(5));
    await until("shared", () => a.seen.events().length + b.seen.events().length === 40);
    expect(b.seen.events().length).toBe(10);
    await b.source[Symbol.asyncDispose]();
    await kafka.produce(topic, all(5));
    await until("taken over", () => a.seen.events().length === 50, 30_000);
    expect(a.seen.crashed).toEqual([]);
  }, 60_000);

  test("a running batch is drained before the partition is let go", async () => {
    const topic = await kafka.createTopic();
    const groupId = randomUUID();
    await kafka.produce(topic, numbered(0, 1));
    const source = await opened(topic, groupId);
    const seen = recorder(source, () => 0);
    const end = Promise.withResolvers<void>();
    let revokedBefore = -1;
    let stale = false;
    seen.onBatch(async (batch, control) => {
      await end.promise;
      revokedBefore = seen.revoked.length;
      stale = control.isStale();
      return batch.to;
    });
    await source.start(seen.handler);
    await until("running", () => seen.batches.length === 1);
    const other = await opened(topic, groupId);
    const joined = other.start(recorder(other, () => undefined).handler);
    await kafka.untilGroupIs("PreparingRebalance", groupId);
    // For the source to hear of it from its next heartbeat; it may drain for longer.
    await new Promise((resolve) => setTimeout(resolve, 2 * heartbeatMs));
    end.resolve();
    await joined;
    expect({ revokedBefore, stale }).toEqual({ revokedBefore: 0, stale: false });
    await until("let go", () => seen.revoked.length === 1);
  }, 40_000);

  test("thousands of commits do not hold up reading or the membership, and the last of them is committed", async () => {
    const topic = await kafka.createTopic();
    const groupId = randomUUID();
    const { source, seen } = await reading(topic, 0, groupId);
    await until("assigned", () => seen.assigned.length === 1);
    const src = seen.assigned[0]?.src as Src;
    // One by one they would take the coordinator minutes.
    const [rounds, commitsOfEach] = [20, 2_000];
    for (let round = 1; round <= rounds; round++) {
      for (let n = 1; n <= commitsOfEach; n++) {
        source.commit(src, (round - 1) * commitsOfEach + n);
        if (n % 10 === 0) await new Promise(setImmediate);
      }
      await kafka.produce(topic, numbered(round - 1, 1));
      await until("delivered", () => seen.events().length === round);
    }
    await kafka.untilCommitted(groupId, topic, rounds * commitsOfEach);
    expect(seen.revoked).toEqual([]);
    expect(source.isConnected()).toBe(true);
  });

  test("closing lets the running batch end and gives the partition back", async () => {
    const topic = await kafka.createTopic();
    await kafka.produce(topic, numbered(0, 1));
    const source = await opened(topic);
    const seen = recorder(source, () => 0);
    let ended = false;
    seen.onBatch(async (batch) => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      ended = true;
      return batch.to;
    });
    await source.start(seen.handler);
    await until("running", () => seen.batches.length === 1);
    await source[Symbol.asyncDispose]();
    expect(ended).toBe(true);
    expect(seen.revoked).toEqual([seen.assigned[0]?.src]);
    expect(source.isConnected()).toBe(false);
  });

  test("a handler that waits for longer than a session keeps its partitions: the source sends the heartbeats", async () => {
    const topic = await kafka.createTopic();
    await kafka.produce(topic, numbered(0, 2));
    const source = await opened(topic);
    const seen = recorder(source, () => 0);
    let wasStale: boolean | undefined;
    seen.onBatch(async (batch, control) => {
      await new Promise((resolve) => setTimeout(resolve, 8_000));
      wasStale = control.isStale();
      return batch.to;
    });
    await source.start(seen.handler);
    await until("the batch has ended", () => wasStale !== undefined);
    expect({ wasStale, revoked: seen.revoked, batches: seen.batches.length }).toEqual({
      wasStale: false,
      revoked: [],
      batches: 1,
    });
  });
}
