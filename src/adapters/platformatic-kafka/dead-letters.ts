/** Dead letters through @platformatic/kafka: kafkajs cannot send a null header or keep the order of repeated ones. At least once. */
import { Producer } from "@platformatic/kafka";
import { LastroError } from "../../core/errors.ts";
import type { EventHeader } from "../../core/event.ts";
import type { DeadLetterPosition } from "../../core/outcome.ts";
import { untilAborted } from "../../lib/signals.ts";
import type { KafkaSecurity } from "../../ports/client-tls.ts";
import {
  type DeadLetter,
  type DeadLetters,
  deadLetterBytesMin,
  type ReplayVerdict,
} from "../../ports/dead-letters.ts";
import type { TopicReader } from "../../ports/topic-reader.ts";
import { clientOptions, hearing, isTooLarge } from "./client.ts";
import {
  attemptHeader,
  deadLetterHeaders,
  type LeftOut,
  lacksValue,
  numberIn,
  originalHeaders,
  partitionHeader,
} from "./dead-letter-headers.ts";
import { readRecords, type StoredRecord } from "./record-reader.ts";

/** One request; a record batch may not be larger than the topic's max.message.bytes. */
const sendBytesMax = 1024 * 1024;
const allReplicas = -1;

type DeadLettersOptions = {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly security?: KafkaSecurity;
  readonly topicReader: TopicReader;
  readonly topic: string;
  readonly deadLetterTopic: string;
  /** Name of this consumer in the letters: its group. */
  readonly consumer: string;
};

type Outgoing = {
  readonly topic: string;
  readonly partition: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Map<Buffer, Buffer | null>;
  /** What to send in its place where the topic refuses it for its size. */
  readonly smaller?: () => Outgoing;
};

const leavesOutNext = { nothing: "value", value: "all" } as const;

export function openDeadLetters(options: DeadLettersOptions): DeadLetters {
  const { topic, deadLetterTopic } = options;
  const producer = hearing(
    new Producer<Buffer | null, Buffer | null, Buffer, Buffer | null>({
      ...clientOptions(options),
      idempotent: false,
    }),
  );

  async function partitionsOf(name: string): Promise<number> {
    const count = (await producer.metadata({ topics: [name] })).topics.get(name)?.partitionsCount;
    if (count === undefined || count === 0) throw new Error(`the topic ${name} is not there`);
    return count;
  }

  /** Sends in order, in requests of bounded size; the offset of each message, in the same order. */
  async function publish(messages: readonly Outgoing[]): Promise<number[]> {
    const offsets: number[] = [];
    for (const chunk of chunked(messages)) offsets.push(...(await sendFitting(chunk)));
    return offsets;
  }

  /** A message that a topic can never hold would be tried for ever: it goes by itself, then as less. One that every suitable topic holds waits for a suitable one. */
  async function sendFitting(chunk: readonly Outgoing[]): Promise<number[]> {
    try {
      return await sendChunk(chunk);
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      const smaller = chunk.length > 1 ? chunk : chunk.flatMap((one) => one.smaller?.() ?? []);
      if (smaller.length === 0) throw error;
      const offsets: number[] = [];
      for (const one of smaller) offsets.push(...(await sendFitting([one])));
      return offsets;
    }
  }

  async function sendChunk(chunk: readonly Outgoing[]): Promise<number[]> {
    // Events may come in compressed, so a large one fits its topic only as it came.
    const compression = bytesOf(chunk) > sendBytesMax ? "zstd" : "none";
    const messages = chunk.map(({ smaller: _, ...message }) => message);
    const sent = await producer.send({ acks: allReplicas, compression, messages });
    const next = new Map(sent.offsets?.map((one) => [one.partition, Number(one.offset)]));
    return chunk.map(({ partition }) => {
      const offset = next.get(partition);
      if (offset === undefined) throw new Error("the broker acknowledged no offset");
      next.set(partition, offset + 1);
      return offset;
    });
  }

  function outgoing(letter: DeadLetter, partitions: number, leftOut: LeftOut): Outgoing {
    const { key, value } = letter.event;
    const message = {
      topic: deadLetterTopic,
      partition: letter.source.partition % partitions,
      key: leftOut === "all" ? null : toBuffer(key),
      value: leftOut === "nothing" ? toBuffer(value) : null,
      headers: toMap(deadLetterHeaders(letter, options.consumer, leftOut)),
    };
    if (leftOut === "all" || sizeOf(message) <= deadLetterBytesMin) return message;
    return { ...message, smaller: () => outgoing(letter, partitions, leavesOutNext[leftOut]) };
  }

  async function replayable(record: StoredRecord): Promise<Outgoing> {
    const attempt = numberIn(record.headers, attemptHeader) ?? 0;
    const headers: EventHeader[] = [
      ...originalHeaders(record.headers),
      [attemptHeader, Buffer.from(String(attempt))],
    ];
    const partition = (numberIn(record.headers, partitionHeader) ?? 0) % (await partitionsOf(topic));
    return { topic, partition, key: record.key, value: record.value, headers: toMap(headers) };
  }

  const isOurs = (position: DeadLetterPosition): boolean => position.topic === deadLetterTopic;

  /** One letter at a time, in memory and on its way; each leaves its verdict as soon as it is known. */
  async function replayEach(
    positions: readonly DeadLetterPosition[],
    verdicts: ReplayVerdict[],
    attemptsMax: number,
    signal: AbortSignal,
  ): Promise<void> {
    const ours = [...positions.entries()].filter(([, position]) => isOurs(position));
    const places = ours.values();
    const letters = ours.map(([, position]) => position);
    for await (const record of readRecords(options, deadLetterTopic, letters, signal)) {
      const at = places.next().value?.[0] ?? 0;
      if (record === undefined) verdicts[at] = "missing";
      else if (isParked(record, attemptsMax)) verdicts[at] = "parked";
      else {
        const message = await replayable(record);
        signal.throwIfAborted();
        verdicts[at] = "unknown";
        await publish([message]);
        verdicts[at] = "replayed";
      }
    }
  }

  return {
    async send(letters, signal) {
      if (letters.length === 0) return [];
      return asking(deadLetterTopic, signal, async () => {
        const count = await partitionsOf(deadLetterTopic);
        const messages = letters.map((letter) => outgoing(letter, count, "nothing"));
        const offsets = await publish(messages);
        return messages.map(({ partition }, at): DeadLetterPosition => {
          return { topic: deadLetterTopic, partition, offset: offsets[at] ?? 0 };
        });
      });
    },
    async replay(positions, attemptsMax, signal) {
      const verdicts = positions.map((position): ReplayVerdict => (isOurs(position) ? "untried" : "missing"));
      try {
        await asking(topic, signal, () => replayEach(positions, verdicts, attemptsMax, signal));
      } catch (error) {
        const isAnyKnown = positions.some((one, at) => isOurs(one) && !isOpen(verdicts[at]));
        if (!isAnyKnown) throw error;
      }
      return [...verdicts];
    },
    async [Symbol.asyncDispose]() {
      await producer.close(true);
    },
  };
}

const isOpen = (verdict: ReplayVerdict | undefined): boolean =>
  verdict === "untried" || verdict === "unknown";

const isParked = ({ headers }: StoredRecord, attemptsMax: number): boolean =>
  (numberIn(headers, attemptHeader) ?? 0) > attemptsMax || lacksValue(headers);

async function asking<T>(topic: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await untilAborted(work(), signal);
  } catch (cause) {
    const message = `Kafka did not take what was to be published on ${topic}: check the broker, the topic's min.insync.replicas, its max.message.bytes and our right to write it`;
    throw new LastroError("DEAD_LETTERS_UNAVAILABLE", message, { cause });
  }
}

/** The client wants a map; keys are buffers, each its own, so that repeated names stay apart and in order. */
const toMap = (headers: readonly EventHeader[]): Map<Buffer, Buffer | null> =>
  new Map(headers.map(([key, value]) => [Buffer.from(key), toBuffer(value)]));

const toBuffer = (bytes: Uint8Array | null): Buffer | null => (bytes === null ? null : Buffer.from(bytes));

const sizeOf = ({ key, value, headers }: Outgoing): number =>
  headers.entries().reduce((sum, [name, bytes]) => sum + name.length + (bytes?.length ?? 0), 0) +
  (key?.length ?? 0) +
  (value?.length ?? 0);

const bytesOf = (messages: readonly Outgoing[]): number =>
  messages.reduce((sum, one) => sum + sizeOf(one), 0);

function* chunked(messages: readonly Outgoing[]): Generator<readonly Outgoing[]> {
  let chunk: Outgoing[] = [];
  let bytes = 0;
  for (const message of messages) {
    const size = sizeOf(message);
    if (chunk.length > 0 && bytes + size > sendBytesMax) {
      yield chunk;
      [chunk, bytes] = [[], 0];
    }
    chunk.push(message);
    bytes += size;
  }
  if (chunk.length > 0) yield chunk;
}
