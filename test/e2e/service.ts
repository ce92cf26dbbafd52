/** The running service over a topic of its own, with a producer and a client at its public doors: Kafka, gRPC and HTTP. */
import { randomUUID } from "node:crypto";
import { finished } from "node:stream/promises";
import type { DescService, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { CompressionAlgorithmValue } from "@platformatic/kafka";
import type kafkajs from "kafkajs";
import { openClient } from "../../src/adapters/kafkajs/client.ts";
import { OperationsService, type PartitionIntake } from "../../src/gen/lastro/v1/operations_pb.ts";
import { openTestKafka, type TestMessage } from "../contract/event-source.kafka.ts";
import { call, connect } from "../support/grpc-client.ts";
import { type EventSpec, eventText } from "../support/history-world.ts";
import { silentLog } from "../support/intake.ts";
import type { LastroProcess } from "../support/lastro.ts";
import { kafkaBrokers } from "../support/servers.ts";
import { makeWorld, type StoreKind, untilDrained, type World } from "../support/world.ts";

export type Service = AsyncDisposable & {
  readonly world: World;
  lastro(): LastroProcess;
  /** Publishes, then waits until every message published so far has its outcome. */
  send(messages: readonly TestMessage[], compression?: CompressionAlgorithmValue): Promise<void>;
  ask<S extends DescService, Name extends keyof S["method"] & string>(
    service: S,
    name: Name,
    request: MessageInitShape<S["method"][Name]["input"]>,
  ): Promise<MessageShape<S["method"][Name]["output"]>>;
  intake(): Promise<readonly PartitionIntake[]>;
  metrics(): Promise<string>;
  /** Stops the service as an operator would. */
  stop(): Promise<Ended>;
  start(env?: Readonly<Record<string, string>>): Promise<void>;
  restart(env?: Readonly<Record<string, string>>): Promise<Ended>;
};
/** How a process ended, and everything it printed. */
export type Ended = { readonly code: number | string; readonly output: string };

/** Waits for a process that is to refuse its start, or that was told to stop; all it printed is there then. */
export async function endOf(lastro: LastroProcess): Promise<Ended> {
  const code = await lastro.ended;
  for (const stream of [lastro.process.stdout, lastro.process.stderr]) if (stream) await finished(stream);
  return { code, output: lastro.output() };
}

export const startTimeoutMs = 90_000;

export async function startService(
  kind: StoreKind,
  env: Readonly<Record<string, string>> = {},
): Promise<Service> {
  const world = await makeWorld(kind, env);
  const kafka = openTestKafka();
  let lastro = await world.start();
  let client = connect(lastro.grpcAddress);
  let published = 0;
  const ask: Service["ask"] = (service, name, request) => call(client, service, name, request);
  const stop = async (): Promise<Ended> => {
    client.close();
    void lastro.stop();
    return endOf(lastro);
  };
  const start = async (more: Readonly<Record<string, string>> = {}): Promise<void> => {
    lastro = await world.start({ env: more });
    client = connect(lastro.grpcAddress);
  };
  return {
    world,
    ask,
    lastro: () => lastro,
    async send(messages, compression) {
      await kafka.produce(world.topic, messages, compression);
      published += messages.length;
      await untilDrained(lastro, published);
    },
    intake: async () => (await ask(OperationsService, "getIntake", {})).partitions,
    metrics: async () => (await fetch(`${lastro.httpUrl}/metrics`)).text(),
    stop,
    start,
    async restart(more) {
      const ended = await stop();
      await start(more);
      return ended;
    },
    async [Symbol.asyncDispose]() {
      client.close();
      await kafka[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}

/** A message of the audit topic; partition 0 unless told, so that events follow each other. */
export const message = (
  spec: EventSpec & { readonly text?: string },
  headers: Readonly<Record<string, string>> = {},
  place: { readonly partition?: number; readonly key?: string } = {},
): TestMessage => ({
  partition: place.partition ?? 0,
  key: place.key === undefined ? null : Buffer.from(place.key),
  value: Buffer.from(eventText(spec)),
  headers: Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)] as const),
});

/** Outcomes of all partitions together. */
export function totalOf(partitions: readonly PartitionIntake[]) {
  const total = { stored: 0, duplicate: 0, conflict: 0, rejected: 0, gap: 0 };
  for (const { counts } of partitions)
    for (const kind of Object.keys(total) as (keyof typeof total)[])
      total[kind] += Number(counts?.[kind] ?? 0n);
  return total;
}

/** kafkajs, mended as the service has it, and silent. */
export const kafkaClient = () =>
  openClient({ brokers: kafkaBrokers(), clientId: "lastro-test", log: silentLog });

/** The first `count` messages of a topic, read by a client that shares no code with the writer. */
export async function readTopic(topic: string, count: number): Promise<readonly kafkajs.KafkaMessage[]> {
  const consumer = kafkaClient().consumer({ groupId: `reader-${randomUUID()}` });
  const messages: kafkajs.KafkaMessage[] = [];
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${messages.length} of ${count} messages`)), 20_000);
      const eachMessage = async ({ message }: kafkajs.EachMessagePayload): Promise<void> => {
        messages.push(message);
        if (messages.length < count) return;
        clearTimeout(late);
        resolve();
      };
      consumer.run({ eachMessage }).catch(reject);
    });
  } finally {
    await consumer.disconnect();
  }
  return messages;
}

export const headerOf = (message: kafkajs.KafkaMessage | undefined, name: string): string =>
  String(message?.headers?.[name] ?? "");

export const textOf = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);
export const jsonOf = (bytes: Uint8Array | undefined): unknown => JSON.parse(textOf(bytes));

/** Metric values by their whole line, name and labels included. */
export const metricOf = (text: string, line: string): number =>
  text
    .split("\n")
    .filter((one) => one.startsWith(line))
    .reduce((sum, one) => sum + Number(one.slice(one.lastIndexOf(" ") + 1)), 0);
