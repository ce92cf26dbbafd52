/** A real Kafka for the contract of event sources: topics of their own, producers that share no code with the consumer under test. */
import { randomUUID } from "node:crypto";
import { Admin, type CompressionAlgorithmValue, ListOffsetTimestamps, Producer } from "@platformatic/kafka";
import { until } from "../support/lastro.ts";
import { kafkaBrokers } from "../support/servers.ts";

export type TestMessage = {
  readonly partition?: number;
  readonly key?: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: readonly (readonly [string, Buffer | null])[];
};

export type TestProducer = Producer<Buffer | null, Buffer | null, Buffer, Buffer | null>;

export type TestTransaction = {
  send(topic: string, messages: readonly TestMessage[]): Promise<void>;
  end(how: "commit" | "abort"): Promise<void>;
};

export type TestKafka = AsyncDisposable & {
  readonly brokers: readonly string[];
  createTopic(options?: { name?: string; partitions?: number }): Promise<string>;
  deleteTopic(topic: string): Promise<void>;
  deleteRecords(topic: string, partition: number, before: number): Promise<void>;
  produce(
    topic: string,
    messages: readonly TestMessage[],
    compression?: CompressionAlgorithmValue,
  ): Promise<void>;
  /** One that others may cross. */
  transaction(): Promise<TestTransaction>;
  /** Until its coordinator says so of the group: that it waits for members to let go of what they have, or has put the last one out. */
  untilGroupIs(state: "PreparingRebalance" | "Empty", groupId: string): Promise<void>;
  /** Until the group has committed that offset of partition 0. */
  untilCommitted(groupId: string, topic: string, offset: number): Promise<void>;
  /** Until partition 0 ends there. Markers are in its log some time after a transaction has ended. */
  untilEnd(topic: string, end: number): Promise<void>;
  /** Publishes in one transaction and ends it. */
  transact(topic: string, messages: readonly TestMessage[], end: "commit" | "abort"): Promise<void>;
};

export const text = (value: string): Buffer => Buffer.from(value);
export const numbered = (from: number, count: number, partition = 0): TestMessage[] =>
  Array.from({ length: count }, (_, i) => ({ partition, value: text(`event ${from + i}`) }));

/** A broker answers that a topic is made or gone before it shows so. */
const brokerMaxMs = 20_000;

async function isLed(producer: TestProducer, topic: string): Promise<boolean> {
  const { topics } = await producer.metadata({ topics: [topic], forceUpdate: true });
  return topics.get(topic)?.partitions.every((partition) => (partition?.leader ?? -1) >= 0) ?? false;
}

/** How a source is opened where its sizes are not what is asked for. */
export const smallSource = {
  incarnation: async () => undefined,
  sessionTimeoutMs: 6_000,
  fetchBytesPerPartitionMax: 1024 * 1024,
  fetchBytesMax: 4 * 1024 * 1024,
  partitionsConcurrently: 2,
} as const;

export function openTestKafka(brokers: readonly string[] = kafkaBrokers()): TestKafka {
  const base = { clientId: "lastro-test", bootstrapBrokers: [...brokers], retries: 100, retryDelay: 100 };
  const admin = new Admin(base);
  const producer: TestProducer = new Producer({ ...base, autocreateTopics: false });
  const opened: { close(): Promise<void> }[] = [admin, producer];
  const toSend = (topic: string, messages: readonly TestMessage[]) =>
    messages.map(({ partition = 0, key = null, value, headers = [] }) => ({
      topic,
      partition,
      key,
      value,
      headers: new Map(headers.map(([name, bytes]) => [text(name), bytes])),
    }));

  async function transaction(): Promise<TestTransaction> {
    const transactional: TestProducer = new Producer({
      ...base,
      idempotent: true,
      transactionalId: randomUUID(),
    });
    opened.push(transactional);
    const begun = await transactional.beginTransaction();
    return {
      send: async (topic, messages) => void (await begun.send({ messages: toSend(topic, messages) })),
      end: (how) => (how === "commit" ? begun.commit() : begun.abort()),
    };
  }

  return {
    brokers,
    async createTopic({ name = `t-${randomUUID()}`, partitions = 1 } = {}) {
      await admin.createTopics({ topics: [name], partitions, replicas: 1 });
      await until("the topic has its leaders", () => isLed(producer, name), brokerMaxMs);
      return name;
    },
    async deleteTopic(topic) {
      await admin.deleteTopics({ topics: [topic] });
      await until("the topic is gone", async () => !(await admin.listTopics()).includes(topic), brokerMaxMs);
    },
    async deleteRecords(topic, partition, before) {
      await admin.deleteRecords({
        topics: [{ name: topic, partitions: [{ partition, offset: BigInt(before) }] }],
      });
    },
    async produce(topic, messages, compression = "none") {
      await producer.send({ acks: -1, compression, messages: toSend(topic, messages) });
    },
    transaction,
    untilGroupIs: (state, groupId) =>
      until(
        `the group is ${state}`,
        async () => (await admin.describeGroups({ groups: [groupId] })).get(groupId)?.state === state,
        brokerMaxMs,
      ),
    async untilCommitted(groupId, topic, offset) {
      const groups = [{ groupId, topics: [{ name: topic, partitionIndexes: [0] }] }];
      const isCommitted = async () => {
        const [group] = await admin.listConsumerGroupOffsets({ groups });
        return group?.topics[0]?.partitions[0]?.committedOffset === BigInt(offset);
      };
      await until("the offset is committed", isCommitted, brokerMaxMs);
    },
    async untilEnd(topic, end) {
      const partitions = [{ partitionIndex: 0, timestamp: ListOffsetTimestamps.LATEST }];
      const isThere = async () => {
        const [listed] = await admin.listOffsets({ topics: [{ name: topic, partitions }] });
        return listed?.partitions[0]?.offset === BigInt(end);
      };
      await until("the partition ends there", isThere, brokerMaxMs);
    },
    async transact(topic, messages, end) {
      const { send, end: endWith } = await transaction();
      await send(topic, messages);
      await endWith(end);
    },
    async [Symbol.asyncDispose]() {
      await Promise.allSettled(opened.map((client) => client.close()));
    },
  };
}
