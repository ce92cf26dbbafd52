/** Reads topic ids and log extents through @platformatic/kafka: its metadata requests are new enough to carry ids. Reads only. */
import { Admin, type ClusterTopicMetadata } from "@platformatic/kafka";
import { LastroError } from "../../core/errors.ts";
import type { TopicId } from "../../core/ids.ts";
import { untilAborted, withDeadline } from "../../lib/signals.ts";
import type { PartitionExtent, TopicReader } from "../../ports/topic-reader.ts";
import { type ClientOptions, clientOptions, hearing } from "./client.ts";

/** Of a question with all its tries: enough for one that a silent broker held up to be asked of another. */
const askMsMax = 15_000;
const earliestTimestamp = -2n;
const latestTimestamp = -1n;

export function openTopicReader(options: ClientOptions): TopicReader {
  const admin = hearing(new Admin(clientOptions(options)));

  async function topicMetadata(topic: string) {
    const cluster = await admin.metadata({ topics: [topic], forceUpdate: true });
    const metadata = cluster.topics.get(topic);
    if (metadata === undefined) throw new Error("the topic is not there");
    return { clusterId: cluster.id, metadata };
  }

  async function extents(topic: string, metadata: ClusterTopicMetadata): Promise<PartitionExtent[]> {
    const offsetsAt = async (timestamp: bigint) => {
      const partitions = metadata.partitions.map((_, partitionIndex) => ({ partitionIndex, timestamp }));
      const [listed] = await admin.listOffsets({ topics: [{ name: topic, partitions }] });
      return new Map(listed?.partitions.map((p) => [p.partitionIndex, safeOffset(p.offset)]));
    };
    const starts = await offsetsAt(earliestTimestamp);
    const ends = await offsetsAt(latestTimestamp);
    return metadata.partitions.map((_, partition) => {
      const [logStart, logEnd] = [starts.get(partition), ends.get(partition)];
      if (logStart === undefined || logEnd === undefined) throw new Error("a partition has no offsets");
      return { partition, logStart, logEnd };
    });
  }

  return {
    async topicId(topic, signal) {
      return asking(topic, signal, async () => topicIdOf(topic, (await topicMetadata(topic)).metadata.id));
    },
    async read(topic, signal) {
      return asking(topic, signal, async () => {
        const { clusterId, metadata } = await topicMetadata(topic);
        const topicId = topicIdOf(topic, metadata.id);
        return { clusterId, topicId, partitions: await extents(topic, metadata) };
      });
    },
    async [Symbol.asyncDispose]() {
      await admin.close();
    },
  };
}

async function asking<T>(topic: string, signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
  try {
    return await untilAborted(ask(), withDeadline(signal, askMsMax));
  } catch (cause) {
    if (cause instanceof LastroError) throw cause;
    const message = `Kafka did not tell what the topic ${topic} holds: check that the brokers answer and that the topic exists`;
    throw new LastroError("SOURCE_UNAVAILABLE", message, { cause });
  }
}

const noTopicId = /^[0-]*$/;

function topicIdOf(topic: string, uuid: string): TopicId {
  if (noTopicId.test(uuid)) {
    const message = `the broker gives the topic ${topic} no topic id: Lastro needs Apache Kafka 3.0 or newer with inter.broker.protocol.version 2.8 or above`;
    throw new LastroError("TOPIC_UNSUITABLE", message);
  }
  return Buffer.from(uuid.replaceAll("-", ""), "hex").toString("base64url") as TopicId;
}

function safeOffset(offset: bigint): number {
  const number = Number(offset);
  if (!Number.isSafeInteger(number)) throw new Error("an offset is beyond 2^53 − 1");
  return number;
}
