/** The real consumer and its operator over a real SQLite store, with a scripted source in place of Kafka. */
import { afterAll } from "@jest/globals";
import { type Src, srcOf, type TopicId } from "../../src/core/ids.ts";
import { newBreaker } from "../../src/ingest/breaker.ts";
import { type Consumer, consume } from "../../src/ingest/consume.ts";
import { operate } from "../../src/ingest/operate.ts";
import type { EventSource, SourceHandler, SourcePartition } from "../../src/ports/event-source.ts";
import type { RecordStore } from "../../src/ports/record-store.ts";
import { batchOf, type Intake, topicId } from "./intake.ts";

export const src = srcOf(topicId, 0);
/** Values of which none is an event, as many as the breaker's window: it opens. */
export const flood = Array.from({ length: 4 }, () => '{"producer_service":"a"}');
const life = new AbortController();
/** Ends what still waits, too, when the tests of a file have ended. */
afterAll(() => life.abort());
export const signal = AbortSignal.any([life.signal, AbortSignal.timeout(30_000)]);

type Scripted = EventSource & {
  handler: SourceHandler;
  extents: SourcePartition[];
  readonly resumed: [Src, number][];
  readonly paused: Src[];
  readonly committed: number[];
};

function scriptedSource(): Scripted {
  const idle: SourceHandler = {
    assigned: () => undefined,
    batch: async (batch) => batch.from,
    revoked: () => undefined,
    stopped: () => undefined,
    crashed: () => undefined,
  };
  const source: Scripted = {
    handler: idle,
    extents: [{ src, topicId, partition: 0, logStart: 0, logEnd: 100 }],
    resumed: [] as [Src, number][],
    paused: [] as Src[],
    committed: [] as number[],
    start: async (handler: SourceHandler) => {
      source.handler = handler;
    },
    resume: (of: Src, from: number) => void source.resumed.push([of, from]),
    pause: (of: Src) => void source.paused.push(of),
    commit: (_: Src, next: number) => void source.committed.push(next),
    partitions: async () => source.extents,
    acceptIncarnation: async () => source.handler.assigned(source.extents[0] as SourcePartition),
    clusterId: async () => "cluster",
    isConnected: () => true,
    [Symbol.asyncDispose]: async () => undefined,
  };
  return source;
}

export async function consuming(intake: Intake, over: Partial<RecordStore> = {}) {
  const source = scriptedSource();
  const accepted: TopicId[] = [topicId];
  const deps = {
    ...intake.deps,
    records: { ...intake.deps.records, ...over },
    source,
    state: intake.store.state,
    breaker: newBreaker({ enabled: true, windowSize: 4, ratio: 0.5, producersMin: 1 }),
    eventsInWorkMax: 2_000,
    accepted: async () => accepted,
    accept: async (id: TopicId) => void accepted.push(id),
    onCrash: () => undefined,
  };
  const consumer = consume(deps, signal);
  await consumer.start();
  const operations = operate({ ...deps, replayAttemptsMax: 3 }, consumer);
  const extent = source.extents[0] as SourcePartition;
  const assign = async (partition: Partial<SourcePartition> = {}) => {
    source.handler.assigned({ ...extent, ...partition });
    await settled(consumer);
  };
  const deliver = (from: number, values: readonly (string | undefined)[]) =>
    source.handler.batch(batchOf(from, values), intake.control);
  return { source, consumer, operations, accepted, assign, deliver };
}

export const conditionOf = (consumer: Consumer, of: Src = src) => consumer.held.get(of)?.condition;
/** Until no partition is being opened. */
export async function settled(consumer: Consumer): Promise<void> {
  const isOpening = () => [...consumer.held.values()].some(({ condition }) => condition.kind === "opening");
  for (; isOpening(); signal.throwIfAborted()) await new Promise(setImmediate);
}
export const until = async (holds: () => boolean): Promise<void> => {
  for (; !holds(); signal.throwIfAborted()) await new Promise((turn) => setTimeout(turn, 1));
};
