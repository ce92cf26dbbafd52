/** Kafka through kafkajs as an event source. Decides nothing about offsets: it reads where it is told and stops where it cannot. */
import type { Cluster, Consumer, ConsumerConfig, EachBatchPayload } from "kafkajs";
import kafkajs from "kafkajs";
import { LastroError } from "../../core/errors.ts";
import { srcOf, type TopicId } from "../../core/ids.ts";
import type { KafkaSecurity } from "../../ports/client-tls.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EventSource, SourceHandler, SourcePartition } from "../../ports/event-source.ts";
import type { Log } from "../../ports/log.ts";
import type { TopicReader, TopicState } from "../../ports/topic-reader.ts";
import { openAssignment } from "./assignment.ts";
import { deliverBatch } from "./batches.ts";
import { openClient } from "./client.ts";
import { coalescedCommits } from "./commits.ts";
import { guardFetches } from "./fetch-guard.ts";
import { openMembership } from "./membership.ts";

/** A long poll ends at once when there is data; this bounds how long a resumed partition waits for the running poll. */
const fetchWaitMs = 100;
const fetchMinBytes = 1;
const sessionTimeoutDefaultMs = 10_000;
/** The coordinator waits this long for members to drain and join again. */
const rebalanceTimeoutMs = 30_000;
/** How long running batches may go on once the group rebalances or we close. Closing takes at most this and the next three: under 8 s. */
const drainBudgetMsMax = 5_000;
/** For batches that were told to end. */
const abortBudgetMs = 300;
const flushBudgetMs = 1_000;
const leaveBudgetMs = 1_200;
const topicCheckMs = 3_000;

type KafkajsSourceOptions = {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly groupId: string;
  readonly clientId: string;
  readonly security?: KafkaSecurity;
  readonly topicReader: TopicReader;
  /** Incarnation of the topic that the store accepted last, asked at each assignment: another process may have accepted it. Undefined: whatever is there at the start. */
  readonly incarnation: () => Promise<TopicId | undefined>;
  readonly sessionTimeoutMs?: number;
  /** How long running batches may go on once the group rebalances or we close; at most 5 s, which is also the default. */
  readonly drainBudgetMs?: number;
  /** Bytes of one fetch, per partition and together; together they bound what waits in memory, unpacked a multiple of it. */
  readonly fetchBytesPerPartitionMax: number;
  readonly fetchBytesMax: number;
  readonly partitionsConcurrently: number;
  readonly log: Log;
  readonly now: Clock;
};

/** Asks the broker for the topic first: SOURCE_UNAVAILABLE when it does not answer, TOPIC_UNSUITABLE when it knows no topic ids. */
export async function openKafkajsSource(options: KafkajsSourceOptions): Promise<EventSource> {
  const { topic, topicReader, log, now } = options;
  const life = new AbortController();
  const first = await topicReader.read(topic, life.signal);
  const sessionTimeoutMs = options.sessionTimeoutMs ?? sessionTimeoutDefaultMs;
  const drainBudgetMs = Math.min(options.drainBudgetMs ?? drainBudgetMsMax, drainBudgetMsMax);
  const { consumer, cluster } = openConsumer(options, sessionTimeoutMs);
  const membership = openMembership({ sessionTimeoutMs, drainBudgetMs, now });
  const commits = coalescedCommits(
    (offsets) => consumer.commitOffsets(offsets.map((one) => ({ topic, ...one }))),
    (cause) => log.warn("commit_failed", `group offsets were not committed, next time: ${nameOf(cause)}`),
  );
  const assignment = openAssignment({
    topic,
    topicReader,
    consumer,
    membership,
    commits,
    log,
    incarnation: options.incarnation,
    found: first.topicId,
    signal: life.signal,
  });
  guardFetches(cluster, assignment);

  let topicCheck: NodeJS.Timeout | undefined;
  const eachBatch = async (payload: EachBatchPayload): Promise<void> => {
    await deliverBatch(payload, { topic, consumer, assignment, membership, now });
    if (membership.rebalance() !== undefined) {
      await commits.flush(flushBudgetMs);
      throw membership.rebalance();
    }
  };

  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    clearInterval(topicCheck);
    await withinBudget(assignment.drain(drainBudgetMs), drainBudgetMs + abortBudgetMs);
    await commits.flush(flushBudgetMs);
    life.abort(new LastroError("SOURCE_UNAVAILABLE", "the event source is closed"));
    membership.end();
    await withinBudget(consumer.disconnect(), leaveBudgetMs);
  }

  return {
    async start(handler) {
      const joined = watchGroup(consumer, topic, handler, { assignment, membership });
      assignment.handler(handler);
      await connectOrExplain(consumer, topic);
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: options.partitionsConcurrently,
        eachBatch,
      });
      topicCheck = setInterval(assignment.topicInDoubt, topicCheckMs);
      await joined;
    },
    resume: assignment.resume,
    pause: assignment.pause,
    commit(src, next) {
      const held = assignment.bySrc(src);
      if (held !== undefined) commits.note(held.partition, next);
    },
    async partitions(signal) {
      return partitionsOf(await topicReader.read(topic, signal));
    },
    acceptIncarnation: assignment.acceptIncarnation,
    async clusterId(signal) {
      return (await topicReader.read(topic, signal)).clusterId;
    },
    isConnected: membership.isAlive,
    [Symbol.asyncDispose]() {
      closing ??= close();
      return closing;
    },
  };
}

function openConsumer(
  options: KafkajsSourceOptions,
  sessionTimeout: number,
): { consumer: Consumer; cluster: Cluster } {
  let cluster: Cluster | undefined;
  const assigner: NonNullable<ConsumerConfig["partitionAssigners"]>[number] = (config) => {
    cluster = config.cluster;
    return kafkajs.PartitionAssigners.roundRobin(config);
  };
  const consumer = openClient(options).consumer({
    groupId: options.groupId,
    partitionAssigners: [assigner],
    sessionTimeout,
    rebalanceTimeout: rebalanceTimeoutMs,
    heartbeatInterval: sessionTimeout / 10,
    maxBytesPerPartition: options.fetchBytesPerPartitionMax,
    maxBytes: options.fetchBytesMax,
    minBytes: fetchMinBytes,
    maxWaitTimeInMs: fetchWaitMs,
    allowAutoTopicCreation: false,
  });
  if (cluster === undefined) throw new LastroError("INTERNAL", "kafkajs made no partition assigner");
  return { consumer, cluster };
}

type Watched = {
  readonly assignment: ReturnType<typeof openAssignment>;
  readonly membership: ReturnType<typeof openMembership>;
};

/** Resolves at the first join. kafkajs emits synchronously, so a joined partition is paused before its first fetch. */
function watchGroup(
  consumer: Consumer,
  topic: string,
  handler: SourceHandler,
  watched: Watched,
): Promise<void> {
  const { assignment, membership } = watched;
  return new Promise((resolve, reject) => {
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      membership.joined();
      assignment.joined(payload.memberAssignment[topic] ?? []);
      resolve();
    });
    consumer.on(consumer.events.HEARTBEAT, membership.beat);
    // Emitted before a crash is, and as soon as kafkajs refuses to pause and seek.
    consumer.on(consumer.events.STOP, () => {
      membership.lost();
      assignment.revokeAll();
    });
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (payload.restart) return;
      const message = `the Kafka client ended and does not restart (${nameOf(payload.error)}): check brokers, authentication and rights on ${topic}, then restart the process`;
      const error = new LastroError("SOURCE_UNAVAILABLE", message, { cause: payload.error });
      reject(error);
      handler.crashed(error);
    });
  });
}

/** `fromBeginning` says where kafkajs stands until the seek; it is paused till then, so nothing is read from there. */
async function connectOrExplain(consumer: Consumer, topic: string): Promise<void> {
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
  } catch (cause) {
    const message = `cannot subscribe to ${topic} (${nameOf(cause)}): check the broker addresses and that the topic exists`;
    throw new LastroError("SOURCE_UNAVAILABLE", message, { cause });
  }
}

const partitionsOf = ({ topicId, partitions }: TopicState): SourcePartition[] =>
  partitions.map((extent) => ({ ...extent, topicId, src: srcOf(topicId, extent.partition) }));

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : "unknown error");

async function withinBudget(work: Promise<void>, budgetMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const budget = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, budgetMs);
  });
  await Promise.race([work.catch(() => undefined), budget]);
  clearTimeout(timer);
}
