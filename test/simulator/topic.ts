/** The audit topic of a world: partitions with holes, whose oldest events retention takes; made again, they are others. */
import type { SourceEvent } from "../../src/core/event.ts";
import { type Src, srcOf, type TopicId } from "../../src/core/ids.ts";
import type { SourcePartition } from "../../src/ports/event-source.ts";

/** Of one incarnation of the topic. */
export type Partition = {
  readonly src: Src;
  readonly topicId: TopicId;
  readonly number: number;
  /** By offset; undefined is one that is never delivered. */
  readonly events: (SourceEvent | undefined)[];
  /** What lies below is not to be read any more. */
  logStart: number;
};

export const topic = "audit";
export const deadLetterTopic = "audit.dlq";
export const clusterId = "AAAAAAAAAAAAAAAAAAAAAA";
const topicIdBytes = 16;

export function newPartition(incarnation: number, number: number): Partition {
  const topicId = Buffer.alloc(topicIdBytes, incarnation).toString("base64url") as TopicId;
  return { src: srcOf(topicId, number), topicId, number, events: [], logStart: 0 };
}

export const extentOf = ({ src, topicId, number, events, logStart }: Partition): SourcePartition => ({
  src,
  topicId,
  partition: number,
  logStart,
  logEnd: events.length,
});

export const valueAt = (partition: Partition | undefined, offset: number): string | undefined => {
  const value = partition?.events[offset]?.value;
  return value ? Buffer.from(value).toString("utf8") : undefined;
};

export const partitionOf = (
  partitions: readonly Partition[],
  at: { readonly topicId: TopicId; readonly partition: number } | undefined,
): Partition | undefined =>
  partitions.find(({ topicId, number }) => topicId === at?.topicId && number === at.partition);
