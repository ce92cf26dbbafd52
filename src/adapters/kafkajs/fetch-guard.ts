/** Stands between kafkajs and its broker connections: sees every fetch, so that nothing is reset, skipped or brought down unnoticed. */
import type { Broker, Cluster, KafkaMessage } from "kafkajs";
import { type AbortedTransaction, withoutAborted } from "./aborted.ts";
import { countUnpacked, fetchUnpackedBytesMax, nothingUnpacked } from "./codecs.ts";
import type { RawMessage } from "./messages.ts";
import { fetchRecordsMax } from "./record-batches.ts";

type FetchRequest = Parameters<Broker["fetch"]>[0];

type FetchedPartition = {
  readonly partition: number;
  abortedTransactions: readonly AbortedTransaction[];
  messages: readonly RawMessage[];
};
type FetchResponse = {
  readonly responses: readonly {
    readonly topicName: string;
    readonly partitions: readonly FetchedPartition[];
  }[];
};

export type FetchFaults = {
  /** The offset kafkajs asked for is not in the log; nothing was reset. */
  outOfRange(partition: number): void;
  /** The batch at the offset asked for cannot be decoded, or is too large to be. */
  corrupt(partition: number, cause: unknown): void;
  /** The broker does not know the topic or leads it no longer. */
  topicInDoubt(): void;
};

/** Messages we added so that kafkajs delivers a batch it would skip without a call: control records, aborted and compacted ranges. */
const fillers = new WeakSet<KafkaMessage>();
export const isFiller = (message: KafkaMessage): boolean => fillers.has(message);

/**
 * kafkajs hands its cluster to partition assigners only. Its connections are made once per node and kept, so each is wrapped once.
 */
export function guardFetches(cluster: Cluster, faults: FetchFaults): void {
  const findBroker = cluster.findBroker.bind(cluster);
  const guarded = new WeakSet<Broker>();
  cluster.findBroker = async (node) => {
    const broker = await findBroker(node);
    if (!guarded.has(broker)) {
      guarded.add(broker);
      const fetch = broker.fetch.bind(broker);
      let turn = 0;
      broker.fetch = (request) => guardedFetch(fetch, rotated(request, turn++), faults);
    }
    return broker;
  };
}

/** Bounds of bytes cut off what comes last in a fetch: each partition has its turn to come first. */
function rotated(request: FetchRequest, turn: number): FetchRequest {
  const topics = request.topics.map(({ topic, partitions }) => {
    const first = turn % partitions.length;
    return { topic, partitions: [...partitions.slice(first), ...partitions.slice(0, first)] };
  });
  return { ...request, topics };
}

async function guardedFetch(
  fetch: Broker["fetch"],
  request: FetchRequest,
  faults: FetchFaults,
): Promise<FetchResponse> {
  try {
    return committed(request, await countUnpacked(nothingUnpacked(), () => fetch(request)));
  } catch (error) {
    return await recover(fetch, request, faults, error);
  }
}

/** What is not ours to judge (connections, leadership, group) goes on to kafkajs. */
async function recover(
  fetch: Broker["fetch"],
  request: FetchRequest,
  faults: FetchFaults,
  error: unknown,
): Promise<FetchResponse> {
  const { name, type, partition } = fieldsOf(error);
  if (name === "KafkaJSOffsetOutOfRange" && typeof partition === "number") {
    faults.outOfRange(partition);
    return { responses: [] };
  }
  if (isUndecodable(name, type)) return fetchOneByOne(fetch, request, faults);
  if (type === "UNKNOWN_TOPIC_OR_PARTITION") faults.topicInDoubt();
  throw error;
}

/** Each partition by itself and only its first batch (a broker returns that whole, however large), so that one bad batch stops one partition. What no longer fits is asked for next time. */
async function fetchOneByOne(
  fetch: Broker["fetch"],
  request: FetchRequest,
  faults: FetchFaults,
): Promise<FetchResponse> {
  const responses: FetchResponse["responses"][number][] = [];
  const held = nothingUnpacked();
  for (const { topic, partitions } of request.topics) {
    for (const { partition, fetchOffset } of partitions) {
      if (held.bytes >= fetchUnpackedBytesMax || held.records >= fetchRecordsMax) return { responses };
      const unpacked = nothingUnpacked();
      const alone = {
        ...request,
        topics: [{ topic, partitions: [{ partition, fetchOffset, maxBytes: 1 }] }],
      };
      try {
        const response = await countUnpacked(unpacked, () => fetch(alone));
        responses.push(...committed(alone, response).responses);
        held.bytes += unpacked.bytes;
        held.records += unpacked.records;
      } catch (error) {
        const { name, type } = fieldsOf(error);
        if (name === "KafkaJSOffsetOutOfRange") faults.outOfRange(partition);
        else if (isUndecodable(name, type)) faults.corrupt(partition, error);
        else throw error;
      }
    }
  }
  return { responses };
}

const decodeFaultNames: ReadonlySet<string> = new Set([
  "KafkaJSNotImplemented",
  "KafkaJSNonRetriableError",
  "KafkaJSUnsupportedMagicByteInMessageSet",
  "KafkaJSPartialMessageError",
]);

/** Codecs and decoders throw errors of their own; everything kafkajs says about connections and the protocol bears its name. */
const isUndecodable = (name: string, type: unknown): boolean =>
  type === "CORRUPT_MESSAGE" || !name.startsWith("KafkaJS") || decodeFaultNames.has(name);

const fieldsOf = (error: unknown): { name: string; type?: unknown; partition?: unknown } =>
  error instanceof Error ? error : { name: "unknown" };

/** What is left is all kafkajs would deliver, so it has nothing more to take out. It passes over batches of which nothing is left; a filler at their last offset makes it deliver them. */
function committed(request: FetchRequest, response: FetchResponse): FetchResponse {
  for (const { topicName, partitions } of response.responses) {
    const asked = request.topics.filter(({ topic }) => topic === topicName).flatMap((t) => t.partitions);
    for (const fetched of partitions) {
      const fetchOffset = Number(asked.find((one) => one.partition === fetched.partition)?.fetchOffset);
      const last = fetched.messages.at(-1);
      const left = withoutAborted(fetched.messages, fetched.abortedTransactions);
      fetched.abortedTransactions = [];
      fetched.messages = left;
      if (last === undefined) continue;
      if (left.at(-1) !== last || left.every((message) => isPassedOver(message, fetchOffset)))
        fetched.messages = [...left, fillerAfter(last)];
    }
  }
  return response;
}

const isPassedOver = (message: RawMessage, fetchOffset: number): boolean =>
  message.isControlRecord || Number(message.offset) < fetchOffset;

function fillerAfter(last: RawMessage): RawMessage {
  const { firstOffset = last.offset, lastOffsetDelta = 0 } = last.batchContext ?? {};
  const batchContext = { firstOffset, lastOffsetDelta, producerId: "-1", inTransaction: false };
  const filler = {
    ...last,
    offset: String(endOf(last) - 1),
    key: null,
    isControlRecord: false,
    batchContext,
  };
  fillers.add(filler);
  return filler;
}

/** The offset after the record batch this message lies in; compaction may have removed its last records. */
export const endOf = ({ offset, batchContext }: RawMessage): number =>
  batchContext === undefined
    ? Number(offset) + 1
    : Math.max(Number(offset), Number(batchContext.firstOffset) + batchContext.lastOffsetDelta) + 1;
