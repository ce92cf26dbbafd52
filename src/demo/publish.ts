/** Publishes the day and remembers where each message came to lie. */
import { murmur2, type ProduceResult, Producer } from "@platformatic/kafka";
import type { DayMessage } from "./day.ts";
import { DemoFailure, exitCodes } from "./failure.ts";

const sendSize = 250;
const connectMsMax = 3_000;
const requestMsMax = 15_000;
const retriesMax = 2;
const acknowledgedByAll = -1;

/** Where the message at the same place of the day lies in the topic. */
export type Place = { readonly partition: number; readonly offset: number };

type Options = {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly onSent: (messages: number) => void;
};

type DayProducer = Producer<Buffer, Buffer | null, Buffer, Buffer>;

export async function publishDay(
  messages: readonly DayMessage[],
  options: Options,
): Promise<readonly Place[]> {
  const { topic } = options;
  const producer: DayProducer = new Producer<Buffer, Buffer | null, Buffer, Buffer>({
    clientId: "lastro-demo",
    bootstrapBrokers: [...options.brokers],
    connectTimeout: connectMsMax,
    timeout: requestMsMax,
    retries: retriesMax,
    autocreateTopics: false,
    // A request that is repeated after a lost answer must not put its messages there twice. Only for one send after the other: see decision 54.
    idempotent: true,
  });
  try {
    const partitions = await partitionsOf(producer, options);
    const places: Place[] = [];
    for (let start = 0; start < messages.length; start += sendSize) {
      const chunk = messages.slice(start, start + sendSize).map((message) => ({
        topic,
        key: Buffer.from(message.key),
        value: message.value,
        headers: new Map(
          Object.entries(message.headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)]),
        ),
        partition: partitionOf(message.key, partitions),
      }));
      const acknowledged = await producer.send({ acks: acknowledgedByAll, messages: chunk });
      places.push(...placesOf(chunk, acknowledged));
      options.onSent(places.length);
    }
    return places;
  } catch (cause) {
    if (cause instanceof DemoFailure) throw cause;
    throw new DemoFailure(
      exitCodes.failed,
      `Kafka took only part of the day (${textOf(cause)}): run the demo again`,
      cause,
    );
  } finally {
    await producer.close(true);
  }
}

/** As Kafka's own clients choose it. */
const partitionOf = (key: string, partitions: number): number => (murmur2(key) & 0x7fff_ffff) % partitions;

/** Of each partition Kafka tells where the first message of a request lies; the others follow in order. */
function placesOf(chunk: readonly { readonly partition: number }[], { offsets }: ProduceResult): Place[] {
  const next = new Map(offsets?.map(({ partition, offset }) => [partition, Number(offset)]));
  return chunk.map(({ partition }) => {
    const offset = next.get(partition);
    if (offset === undefined) throw new Error(`no offset was acknowledged for partition ${partition}`);
    next.set(partition, offset + 1);
    return { partition, offset };
  });
}

/** The topic is not made here: that is the service's to do. */
async function partitionsOf(producer: DayProducer, { brokers, topic }: Options): Promise<number> {
  try {
    const { topics } = await producer.metadata({ topics: [topic] });
    return topics.get(topic)?.partitionsCount || noTopic();
  } catch (cause) {
    throw new DemoFailure(
      exitCodes.away,
      `Kafka at ${brokers.join(",")} does not answer for the topic ${topic} (${textOf(cause)}): run \`npm start\` first, or give the demo the LASTRO_KAFKA_BROKERS and LASTRO_KAFKA_TOPIC of the service`,
      cause,
    );
  }
}

function noTopic(): never {
  throw new Error("no such topic");
}

const textOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
