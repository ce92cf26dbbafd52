/** The part of the composition root that joins Kafka: topics, source, dead letters, and the way in for what is collected elsewhere. */
import { openKafkajsSource } from "./adapters/kafkajs/event-source.ts";
import { prepareTopics } from "./adapters/kafkajs/topics.ts";
import { openDeadLetters } from "./adapters/platformatic-kafka/dead-letters.ts";
import { openEventPublisher } from "./adapters/platformatic-kafka/event-publisher.ts";
import { openTopicReader } from "./adapters/platformatic-kafka/topic-reader.ts";
import type { Config } from "./config.ts";
import { acceptedIncarnations, bindSource } from "./ingest/incarnations.ts";
import { withDeadline } from "./lib/signals.ts";
import type { ClientTls } from "./ports/client-tls.ts";
import type { Clock } from "./ports/clock.ts";
import type { DeadLetters } from "./ports/dead-letters.ts";
import type { EventPublisher } from "./ports/event-publisher.ts";
import type { EventSource } from "./ports/event-source.ts";
import type { Log } from "./ports/log.ts";
import type { Store } from "./ports/store.ts";
import type { TopicReader } from "./ports/topic-reader.ts";
import type { StoreKeys } from "./privacy/store-keys.ts";

const clientId = "lastro";
/** Small batches of several partitions share a round trip to Redis, and a commit of SQLite. */
export const partitionsConcurrently = 6;
const stateTimeoutMs = 5_000;

type KafkaParts = {
  readonly topicReader: TopicReader;
  readonly source: EventSource;
  readonly deadLetters: DeadLetters;
  readonly publisher: EventPublisher;
};

export async function openKafka(
  { kafka, drainMsMax }: Config,
  store: Store,
  { storeId }: StoreKeys,
  { tls, log, now }: { readonly tls: ClientTls; readonly log: Log; readonly now: Clock },
  opened: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<KafkaParts> {
  const { brokers, topic, dlqTopic: deadLetterTopic, createTopics: create, sasl } = kafka;
  const security = { tls: kafka.tls ? tls : undefined, sasl };
  const client = { brokers, clientId, security };
  const groupId = kafka.group ?? `lastro-${storeId.slice(0, 8)}`;
  await prepareTopics({ ...client, log, topic, deadLetterTopic, create });
  const topicReader = opened.use(openTopicReader(client));
  const found = await topicReader.read(topic, signal);
  await bindSource(store.state, topic, found, kafka.acceptCluster, signal);
  const incarnation = async () => {
    const until = withDeadline(signal, stateTimeoutMs);
    return (await acceptedIncarnations(store.state, topic, until)).at(-1);
  };
  const deadLetters = opened.use(
    openDeadLetters({ ...client, topicReader, topic, deadLetterTopic, consumer: groupId }),
  );
  const publisher = opened.use(openEventPublisher({ ...client, topicReader, topic }));
  const source = opened.use(
    await openKafkajsSource({
      ...client, topic, groupId, topicReader, incarnation, log, now,
      partitionsConcurrently,
      drainBudgetMs: drainMsMax,
      sessionTimeoutMs: kafka.sessionTimeoutMs,
      fetchBytesMax: kafka.fetchBytesMax,
      fetchBytesPerPartitionMax: kafka.fetchBytesPerPartitionMax,
    }),
  ); // biome-ignore format: one line a name
  return { topicReader, source, deadLetters, publisher };
}
