/** Topics as operators and accidents handle them: made, deleted, cut, read to the end. */
import { Consumer } from "@platformatic/kafka";
import kafkajs, { type Admin } from "kafkajs";
import { untilLed } from "../../src/adapters/kafkajs/topics.ts";
import type { StoredRecord } from "../../src/adapters/platformatic-kafka/record-reader.ts";
import { openTopicReader } from "../../src/adapters/platformatic-kafka/topic-reader.ts";
import type { EventHeader } from "../../src/core/event.ts";
import { until } from "./lastro.ts";

const client = (brokers: string) =>
  new kafkajs.Kafka({ brokers: brokers.split(","), logLevel: kafkajs.logLevel.NOTHING });

export async function withAdmin<T>(brokers: string, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = client(brokers).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

export const createTopic = (brokers: string, topic: string, numPartitions: number): Promise<boolean> =>
  withAdmin(brokers, async (admin) => {
    const configEntries = [{ name: "max.message.bytes", value: String(4 * 1024 * 1024) }];
    const topics = [{ topic, numPartitions, configEntries }];
    const isMade = await admin.createTopics({ topics, waitForLeaders: false });
    if (isMade) await untilLed(admin, topic);
    return isMade;
  });

/** Sets how large the messages of a topic may be, leaves its other settings as they are and waits until the broker knows; gives what it was. */
export const limitMessages = (brokers: string, topic: string, bytesMax: number): Promise<number> =>
  withAdmin(brokers, async (admin) => {
    const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic };
    const read = async () => {
      const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [resource] });
      const all = resources.flatMap(({ configEntries }) => configEntries);
      return { all, limit: Number(all.find(({ configName }) => configName === messageBytes)?.configValue) };
    };
    const { all, limit } = await read();
    const own = all
      .filter(({ configSource }) => configSource === kafkajs.ConfigSource.TOPIC_CONFIG)
      .map(({ configName, configValue }) => ({ name: configName, value: configValue }));
    const configEntries = [
      ...own.filter(({ name }) => name !== messageBytes),
      { name: messageBytes, value: String(bytesMax) },
    ];
    await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries }] });
    const what = `${topic} takes messages of ${bytesMax} bytes`;
    await until(what, async () => (await read()).limit === bytesMax, 30_000);
    return limit;
  });
const messageBytes = "max.message.bytes";

const fetchBytesMax = 1024 * 1024;
const readCommitted = 1;

/** Every record of a topic, by partition and offset. */
export async function readTopic(brokers: string, topic: string): Promise<readonly StoredRecord[]> {
  const bootstrapBrokers = brokers.split(",");
  await using topicReader = openTopicReader({ brokers: bootstrapBrokers, clientId: "lastro-test" });
  const { partitions } = await topicReader.read(topic, AbortSignal.timeout(30_000));
  const consumer = new Consumer({ groupId: "lastro-test", clientId: "lastro-test", bootstrapBrokers });
  try {
    const all: StoredRecord[] = [];
    for (const { partition, logStart, logEnd } of partitions) {
      for (let offset = logStart; offset < logEnd; ) {
        const some = await fetchFrom(consumer, topic, partition, offset);
        if (some.length === 0) throw new Error(`nothing lies at offset ${offset} of ${topic}/${partition}`);
        all.push(...some);
        offset += some.length;
      }
    }
    return all;
  } finally {
    await consumer.close(true);
  }
}

/** One fetch: what lies at this offset and behind it. */
async function fetchFrom(
  consumer: Consumer,
  topic: string,
  partition: number,
  offset: number,
): Promise<readonly StoredRecord[]> {
  const metadata = (await consumer.metadata({ topics: [topic] })).topics.get(topic);
  const node = metadata?.partitions[partition]?.leader;
  if (metadata === undefined || node === undefined) throw new Error(`${topic}/${partition} has no leader`);
  const wanted = { partition, fetchOffset: BigInt(offset), partitionMaxBytes: fetchBytesMax };
  const { responses } = await consumer.fetch({
    node,
    minBytes: 1,
    maxWaitTime: 500,
    maxBytes: fetchBytesMax,
    isolationLevel: readCommitted,
    topics: [
      { topicId: metadata.id, partitions: [{ ...wanted, currentLeaderEpoch: -1, lastFetchedEpoch: -1 }] },
    ],
  });
  const batches = responses.flatMap(({ partitions }) => partitions.flatMap(({ records }) => records ?? []));
  return batches.flatMap(({ firstOffset, records }) =>
    records
      .filter(({ offsetDelta }) => Number(firstOffset) + offsetDelta >= offset)
      .map(({ key, value, headers }) => ({
        key,
        value,
        headers: headers.map(([name, bytes]): EventHeader => [name?.toString() ?? "", bytes]),
      })),
  );
}

/** What the group has committed, partition by partition; −1 where nothing is. */
export const committedOffsets = (
  brokers: string,
  groupId: string,
  topic: string,
): Promise<readonly number[]> =>
  withAdmin(brokers, async (admin) =>
    (await admin.fetchOffsets({ groupId, topics: [topic] })).flatMap(({ partitions }) =>
      partitions.map(({ offset }) => Number(offset)),
    ),
  );

export const membersOf = (brokers: string, groupId: string): Promise<number> =>
  withAdmin(brokers, async (admin) =>
    (await admin.describeGroups([groupId])).groups.reduce((sum, { members }) => sum + members.length, 0),
  );
