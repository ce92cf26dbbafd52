/** Publishes events on the audit topic through @platformatic/kafka, acknowledged by every in-sync replica. At least once: intake recognises copies. */
import { compatibilityPartitioner, Producer } from "@platformatic/kafka";
import { Mutex } from "async-mutex";
import { LastroError } from "../../core/errors.ts";
import { ridOf, srcOf } from "../../core/ids.ts";
import { untilAborted } from "../../lib/signals.ts";
import type { EventPublisher } from "../../ports/event-publisher.ts";
import type { TopicReader } from "../../ports/topic-reader.ts";
import { type ClientOptions, clientOptions, hearing, isTooLarge } from "./client.ts";

type PublisherOptions = ClientOptions & { readonly topic: string; readonly topicReader: TopicReader };

const allReplicas = -1;

export function openEventPublisher(options: PublisherOptions): EventPublisher {
  const { topic, topicReader } = options;
  const producer = hearing(
    new Producer<Buffer, Buffer, Buffer, Buffer>({
      ...clientOptions(options),
      // With several sends at once the client may give an event the sequence number of another, and Kafka takes it for that one.
      idempotent: false,
      // As Kafka's own clients choose it: who publishes there gives the same key.
      partitioner: compatibilityPartitioner,
    }),
  );
  const inTurn = turnsByKey();
  return {
    async publish({ key, value, headers }, signal) {
      const message = {
        topic,
        key: Buffer.from(key),
        value: Buffer.from(value),
        headers: new Map(
          Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)]),
        ),
      };
      return asking(topic, async () => {
        const send = () => {
          signal.throwIfAborted();
          return producer.send({ acks: allReplicas, messages: [message] });
        };
        const sent = await untilAborted(inTurn(key, send), signal);
        const place = sent.offsets?.[0];
        if (place === undefined) throw new Error("the broker acknowledged no offset");
        // Read behind the acknowledgement: a topic that was made again before it has another id.
        const topicId = await topicReader.topicId(topic, signal);
        return ridOf(srcOf(topicId, place.partition), Number(place.offset));
      });
    },
    async [Symbol.asyncDispose]() {
      await producer.close(true);
    },
  };
}

/** Work on one key, one after the other: what the client has to send again, since a leader moved, goes behind whatever it was given meanwhile. */
function turnsByKey() {
  const turns = new Map<string, Mutex>();
  return async <T>(key: string, work: () => Promise<T>): Promise<T> => {
    const turn = turns.get(key) ?? new Mutex();
    turns.set(key, turn);
    try {
      return await turn.runExclusive(work);
    } finally {
      if (!turn.isLocked()) turns.delete(key);
    }
  };
}

async function asking<T>(topic: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (isTooLarge(cause)) {
      const message = `the event is larger than the topic ${topic} takes: raise its max.message.bytes, or send less`;
      throw new LastroError("FAILED_PRECONDITION", message, { cause });
    }
    const message = `Kafka did not acknowledge what was published on ${topic}: check the broker, the topic's min.insync.replicas and our right to write it`;
    throw new LastroError("SOURCE_UNAVAILABLE", message, { cause });
  }
}
