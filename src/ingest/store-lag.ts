/** How far the store lies behind Kafka, whichever process reads: all that Kafka held so long ago has its outcome. */
import type { Src } from "../core/ids.ts";
import type { Clock } from "../ports/clock.ts";
import type { EventSource, SourcePartition } from "../ports/event-source.ts";
import type { RecordStore } from "../ports/record-store.ts";

type StoreLagDeps = {
  readonly source: Pick<EventSource, "partitions">;
  readonly records: Pick<RecordStore, "sources">;
  /** Does not jump with the machine's clock. */
  readonly steadyNow: Clock;
};

export type StoreLag = {
  /** A bound that is never too low. Undefined until the marks have once reached what Kafka held. */
  ms(): number | undefined;
  /** Compares the marks with what Kafka holds, or held when they had not reached it yet. Throws what Kafka or the store throws. */
  look(signal: AbortSignal): Promise<void>;
};

type Held = { readonly atMs: number; readonly partitions: readonly SourcePartition[] };

export function storeLag({ source, records, steadyNow }: StoreLagDeps): StoreLag {
  let awaited: Held | undefined;
  let reachedMs: number | undefined;
  return {
    ms: () => (reachedMs === undefined ? undefined : steadyNow() - reachedMs),
    async look(signal) {
      const found = { atMs: steadyNow(), partitions: await source.partitions(signal) };
      if (awaited === undefined || !isSameTopic(awaited, found)) awaited = found;
      const marks = new Map((await records.sources(signal)).map(({ src, mark }) => [src, mark]));
      if (!awaited.partitions.every((partition) => isReached(partition, marks))) return;
      reachedMs = awaited.atMs;
      awaited = undefined;
    },
  };
}

const isSameTopic = (one: Held, other: Held): boolean =>
  one.partitions[0]?.topicId === other.partitions[0]?.topicId;

const isReached = ({ src, logStart, logEnd }: SourcePartition, marks: ReadonlyMap<Src, number>): boolean =>
  (marks.get(src) ?? logStart) >= logEnd;
