/** Reads single records by their offsets, headers in order and nulls kept. Commits nothing and joins no group. */
import { Consumer, type KafkaRecord } from "@platformatic/kafka";
import type { EventHeader } from "../../core/event.ts";
import { untilAborted } from "../../lib/signals.ts";
import type { TopicReader } from "../../ports/topic-reader.ts";
import { type ClientOptions, clientOptions, hearing } from "./client.ts";

const fetchWaitMs = 500;
/** A broker returns the whole first batch however large it is; this bounds what comes beside it. */
const fetchBytesMax = 64 * 1024;
const readCommitted = 1;

export type StoredRecord = {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly EventHeader[];
};

type Position = { readonly partition: number; readonly offset: number };
type Options = ClientOptions & { readonly topicReader: TopicReader };

/** The records at these positions in the same order, each read when it is asked for; undefined where the log holds none (any more). */
export async function* readRecords(
  options: Options,
  topic: string,
  positions: readonly Position[],
  signal: AbortSignal,
): AsyncGenerator<StoredRecord | undefined> {
  const { partitions } = await options.topicReader.read(topic, signal);
  const consumer = hearing(
    new Consumer({ groupId: `${options.clientId}-reader`, ...clientOptions(options) }),
  );
  try {
    for (const { partition, offset } of positions) {
      const extent = partitions.find((one) => one.partition === partition);
      const there = extent !== undefined && extent.logStart <= offset && offset < extent.logEnd;
      yield there ? await untilAborted(readOne(consumer, topic, partition, offset), signal) : undefined;
    }
  } finally {
    await consumer.close(true);
  }
}

async function readOne(
  consumer: Consumer,
  topic: string,
  partition: number,
  offset: number,
): Promise<StoredRecord | undefined> {
  const metadata = (await consumer.metadata({ topics: [topic] })).topics.get(topic);
  const node = metadata?.partitions[partition]?.leader;
  if (metadata === undefined || node === undefined) throw new Error("the partition has no leader");
  const wanted = { partition, fetchOffset: BigInt(offset), partitionMaxBytes: fetchBytesMax };
  const { responses } = await consumer.fetch({
    node,
    minBytes: 1,
    maxWaitTime: fetchWaitMs,
    maxBytes: fetchBytesMax,
    isolationLevel: readCommitted,
    topics: [
      { topicId: metadata.id, partitions: [{ ...wanted, currentLeaderEpoch: -1, lastFetchedEpoch: -1 }] },
    ],
  });
  for (const { partitions } of responses) {
    for (const batch of partitions.find((one) => one.partitionIndex === partition)?.records ?? []) {
      const delta = offset - Number(batch.firstOffset);
      const record = batch.records.find((one) => one.offsetDelta === delta);
      if (record !== undefined) return toStored(record);
    }
  }
  return undefined;
}

const toStored = ({ key, value, headers }: KafkaRecord): StoredRecord => ({
  key,
  value,
  headers: headers.map(([name, bytes]) => [name?.toString() ?? "", bytes]),
});
