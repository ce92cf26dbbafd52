/** What a topic is right now: its incarnation and what lies in it. Kept apart from the event source, whose client cannot read topic ids. */
import type { TopicId } from "../core/ids.ts";

export type PartitionExtent = {
  readonly partition: number;
  /** `logStart` ≤ offsets < `logEnd` are there to be read. */
  readonly logStart: number;
  readonly logEnd: number;
};

export type TopicState = {
  readonly clusterId: string;
  readonly topicId: TopicId;
  /** Ascending by partition. */
  readonly partitions: readonly PartitionExtent[];
};

/** Contract. Always asks the broker. Throws SOURCE_UNAVAILABLE (no answer, or no such topic just now) and TOPIC_UNSUITABLE (a broker without topic ids). */
export type TopicReader = AsyncDisposable & {
  topicId(topic: string, signal: AbortSignal): Promise<TopicId>;
  read(topic: string, signal: AbortSignal): Promise<TopicState>;
};
