/** Puts a load into Kafka before a measurement, or at a steady pace during one. */
import kafkajs from "kafkajs";
import { type EventShape, eventStream, type KeyedEvent } from "./events.ts";

export const partitions = 6;
/** Of one send; a partition's part of it must stay below the broker's 1 MiB. */
const sendCharactersMax = 1_500_000;
/** Time between two sends of a paced load. */
const tickMs = 5;

export const shape: EventShape = { entities: 50_000, ownerships: 1_000, startMs: Date.UTC(2026, 10, 1) };

const openClient = (brokers: readonly string[]) =>
  new kafkajs.Kafka({ brokers: [...brokers], clientId: "bench", logLevel: kafkajs.logLevel.NOTHING });

type Send = (messages: readonly KeyedEvent[]) => Promise<void>;

async function producing(
  brokers: readonly string[],
  topic: string,
  work: (send: Send) => Promise<void>,
): Promise<void> {
  const client = openClient(brokers);
  const admin = client.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions }] });
  await admin.disconnect();
  // A send that is tried again must not be taken for two.
  const producer = client.producer({
    idempotent: true,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  try {
    await work(async (messages) => {
      await producer.send({ topic, messages: [...messages], acks: -1 });
    });
  } finally {
    await producer.disconnect();
  }
}

/** Publishes `count` events that are all different and all right, as fast as Kafka takes them. */
export const prepareTopic = (brokers: readonly string[], topic: string, count: number): Promise<void> =>
  publishAll(brokers, topic, take(eventStream(7, shape), count));

export const publishAll = (
  brokers: readonly string[],
  topic: string,
  events: Iterable<KeyedEvent>,
): Promise<void> =>
  producing(brokers, topic, async (send) => {
    for (const chunk of chunked(events)) await send(chunk);
  });

function* chunked(events: Iterable<KeyedEvent>): Generator<readonly KeyedEvent[]> {
  let [chunk, characters]: [KeyedEvent[], number] = [[], 0];
  for (const event of events) {
    chunk.push(event);
    characters += event.value.length;
    if (characters < sendCharactersMax) continue;
    yield chunk;
    [chunk, characters] = [[], 0];
  }
  if (chunk.length > 0) yield chunk;
}

/** Publishes at `perSecond` for `seconds`; each event's timestamp is the tick it was due at. Returns how many there were. */
export async function publishPaced(
  brokers: readonly string[],
  topic: string,
  { perSecond, seconds }: { readonly perSecond: number; readonly seconds: number },
): Promise<number> {
  const total = perSecond * seconds;
  await producing(brokers, topic, async (send) => {
    const events = eventStream(11, shape);
    const startedMs = Date.now();
    const sends: Promise<void>[] = [];
    for (let sent = 0; sent < total; ) {
      const nowMs = Date.now();
      const due = Math.min(total, Math.floor(((nowMs - startedMs) * perSecond) / 1_000));
      if (due > sent) sends.push(send([...take(events, due - sent)].map((event) => stamped(event, nowMs))));
      sent = Math.max(sent, due);
      await new Promise((resolve) => setTimeout(resolve, tickMs));
    }
    await Promise.all(sends);
  });
  return total;
}

/** Without the clean-up that ends a generator at the end of `for of`. */
function* take(events: Generator<KeyedEvent>, count: number): Generator<KeyedEvent> {
  for (let n = 0; n < count; n++) yield events.next().value;
}

const stamped = ({ key, value }: KeyedEvent, atMs: number): KeyedEvent => ({
  key,
  value: value.replace(/"timestamp":"[^"]*"/, `"timestamp":"${new Date(atMs).toISOString()}"`),
});
