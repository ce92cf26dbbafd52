/** Which Kafka cluster and which incarnation of the topic a store belongs to: remembered in the store, changed only by the operator. */
import { LastroError } from "../core/errors.ts";
import type { TopicId } from "../core/ids.ts";
import type { StoreIdentity, StoreState } from "../ports/store-state.ts";
import type { TopicState } from "../ports/topic-reader.ts";
import { updateIdentity } from "../privacy/store-keys.ts";

/**
 * Binds an unbound store to the cluster and the topic as they are now; else answers the incarnation accepted last.
 * Throws CLUSTER_CHANGED for another cluster than the store's, unless the operator named it in `acceptCluster`.
 */
export async function bindSource(
  state: StoreState,
  topic: string,
  found: TopicState,
  acceptCluster: string | undefined,
  signal: AbortSignal,
): Promise<TopicId> {
  const bind = (identity: StoreIdentity): StoreIdentity | undefined => {
    const { kafka } = identity;
    const isOther = kafka !== undefined && kafka.clusterId !== found.clusterId;
    if (isOther && acceptCluster !== found.clusterId) throw clusterChanged(kafka.clusterId, found.clusterId);
    const topics = isOther ? {} : (kafka?.topics ?? {});
    if (!isOther && topics[topic] !== undefined) return undefined;
    return {
      ...identity,
      kafka: { clusterId: found.clusterId, topics: { ...topics, [topic]: [found.topicId] } },
    };
  };
  const { kafka } = await updateIdentity(state, bind, signal);
  return kafka?.topics[topic]?.at(-1) ?? found.topicId;
}

/** Oldest first. */
export async function acceptedIncarnations(
  state: Pick<StoreState, "read">,
  topic: string,
  signal: AbortSignal,
): Promise<readonly TopicId[]> {
  return (await state.read(signal))?.identity.kafka?.topics[topic] ?? [];
}

export async function acceptIncarnation(
  state: StoreState,
  topic: string,
  topicId: TopicId,
  signal: AbortSignal,
): Promise<void> {
  const accept = (identity: StoreIdentity): StoreIdentity | undefined => {
    const { kafka } = identity;
    const before = kafka?.topics[topic] ?? [];
    if (kafka === undefined || before.at(-1) === topicId) return undefined;
    return { ...identity, kafka: { ...kafka, topics: { ...kafka.topics, [topic]: [...before, topicId] } } };
  };
  await updateIdentity(state, accept, signal);
}

const clusterChanged = (known: string, found: string): LastroError =>
  new LastroError(
    "CLUSTER_CHANGED",
    `the store was filled from Kafka cluster ${known}, but this is cluster ${found}; connect to the right cluster, or set LASTRO_KAFKA_ACCEPT_CLUSTER=${found} if the store shall go on with this one`,
  );
