/** Topics as operators and accidents handle them: made, deleted, cut, read to the end. */
import kafkajs, { type Admin } from "kafkajs";
import { untilLed } from "../../src/adapters/kafkajs/topics.ts";
import { readRecords, type StoredRecord } from "../../src/adapters/platformatic-kafka/record-reader.ts";
import { openTopicReader } from "../../src/adapters/platformatic-kafka/topic-reader.ts";

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

/** Every record of a topic, by partition and offset. */
export async function readTopic(brokers: string, topic: string): Promise<readonly StoredRecord[]> {
  const options = { brokers: brokers.split(","), clientId: "lastro-test" };
  await using topicReader = openTopicReader(options);
  const signal = AbortSignal.timeout(30_000);
  const { partitions } = await topicReader.read(topic, signal);
  const positions = partitions.flatMap(({ partition, logStart, logEnd }) =>
    Array.from({ length: logEnd - logStart }, (_, index) => ({ partition, offset: logStart + index })),
  );
  const records = await readRecords({ ...options, topicReader }, topic, positions, signal);
  return records.map((record) => {
    if (record === undefined) throw new Error("a record vanished");
    return record;
  });
}
