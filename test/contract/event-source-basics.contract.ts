/** What every event source must do of which intake rests: where it reads, and what it delivers. */
import { expect, test } from "@jest/globals";
import type { Src } from "../../src/core/ids.ts";
import type { EventSource } from "../../src/ports/event-source.ts";
import { until } from "../support/until.ts";
import { numbered, type TestKafka } from "./event-source.kafka.ts";
import { recorder } from "./event-source.recorder.ts";

export type SourceBed = {
  readonly kafka: Pick<TestKafka, "createTopic" | "produce" | "transact">;
  /** A source in a group of its own. */
  readonly opened: (topic: string) => Promise<EventSource>;
};

export function eventSourceBasics({ kafka, opened }: SourceBed): void {
  const reading = async (topic: string, from: number) => {
    const source = await opened(topic);
    const seen = recorder(source, () => from);
    await source.start(seen.handler);
    return { source, seen };
  };

  test("an assigned partition delivers nothing before it is resumed, then begins exactly at the offset asked for", async () => {
    const topic = await kafka.createTopic();
    await kafka.produce(topic, numbered(0, 10));
    const source = await opened(topic);
    const seen = recorder(source, () => undefined);
    await source.start(seen.handler);
    await until("assigned", () => seen.assigned.length === 1);
    expect(seen.assigned[0]).toMatchObject({ partition: 0, logStart: 0, logEnd: 10 });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(seen.batches).toEqual([]);
    source.resume(seen.assigned[0]?.src as Src, 4);
    await until("the rest is read", () => seen.events().length === 6);
    expect(seen.batches[0]).toMatchObject({ from: 4, to: 10, logEnd: 10, topic, partition: 0 });
    expect(seen.values()[0]).toBe("event 4");
  });

  test("a batch is followed by one that begins at the number the handler returned, even if that is inside the batch", async () => {
    const topic = await kafka.createTopic();
    await kafka.produce(topic, numbered(0, 10));
    const source = await opened(topic);
    const seen = recorder(source, () => 0);
    seen.onBatch(async (batch) => (batch.from === 0 ? 3 : batch.to));
    await source.start(seen.handler);
    await until("two batches", () => seen.batches.length === 2);
    expect(seen.batches.map(({ from, to }) => [from, to])).toEqual([
      [0, 10],
      [3, 10],
    ]);
    expect(seen.batches[1]?.events[0]?.offset).toBe(3);
  });

  test("aborted and control records are not delivered, and every offset lies in a batch all the same", async () => {
    const topic = await kafka.createTopic();
    await kafka.produce(topic, numbered(0, 2));
    await kafka.transact(topic, numbered(2, 3), "commit");
    await kafka.transact(topic, numbered(100, 3), "abort");
    await kafka.produce(topic, numbered(5, 1));
    await kafka.transact(topic, numbered(200, 1), "abort");
    // Ten events and three control records; the coordinator writes those when it gets to it.
    const { seen } = await reading(topic, 0);
    await until("all offsets are accounted for", () => seen.batches.at(-1)?.to === 13);
    expect(seen.values()).toEqual([0, 1, 2, 3, 4, 5].map((n) => `event ${n}`));
    let next = 0;
    for (const { from, to, events } of seen.batches) {
      expect(from).toBe(next);
      expect(events.every(({ offset }) => from <= offset && offset < to)).toBe(true);
      next = to;
    }
  });

  test("a batch of nothing but control and aborted records is delivered without events", async () => {
    const topic = await kafka.createTopic();
    await kafka.transact(topic, numbered(0, 2), "abort");
    const { seen } = await reading(topic, 0);
    await until("the range is delivered", () => seen.batches.at(-1)?.to === 3);
    expect(seen.events()).toEqual([]);
  });

  test("a paused partition delivers nothing more and its running batch is stale", async () => {
    const topic = await kafka.createTopic();
    await kafka.produce(topic, numbered(0, 3));
    const source = await opened(topic);
    const seen = recorder(source, () => 0);
    const staleness: boolean[] = [];
    seen.onBatch(async (batch, control) => {
      staleness.push(control.isStale());
      source.pause(batch.src);
      staleness.push(control.isStale());
      return batch.to;
    });
    await source.start(seen.handler);
    await until("one batch", () => seen.batches.length === 1);
    await kafka.produce(topic, numbered(3, 3));
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(seen.batches.length).toBe(1);
    expect(staleness).toEqual([false, true]);
    source.resume(seen.batches[0]?.src as Src, 1);
    await until("delivered again from where it was resumed", () => seen.batches.at(-1)?.to !== 3);
    expect(seen.batches[1]?.from).toBe(1);
  });

  test("it tells the cluster's id and every partition of the topic", async () => {
    const topic = await kafka.createTopic({ partitions: 2 });
    await kafka.produce(topic, numbered(0, 3, 1));
    const source = await opened(topic);
    const signal = AbortSignal.timeout(5_000);
    expect(await source.clusterId(signal)).toMatch(/^[A-Za-z0-9_-]{22}$/);
    const partitions = await source.partitions(signal);
    expect(partitions.map(({ partition, logStart, logEnd }) => [partition, logStart, logEnd])).toEqual([
      [0, 0, 0],
      [1, 0, 3],
    ]);
    expect(partitions[0]?.src).toBe(`${partitions[0]?.topicId}.0`);
  });
}
