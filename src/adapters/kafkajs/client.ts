/** The kafkajs client as Lastro runs it: its log goes to ours, all codecs are known, dead connections end, two faults of its last release are mended. */
import { createRequire } from "node:module";
import type { Socket } from "node:net";
import kafkajs, { type ISocketFactory, type Kafka, type LogEntry, type SASLOptions } from "kafkajs";
import type { KafkaSecurity } from "../../ports/client-tls.ts";
import type { Log } from "../../ports/log.ts";
import { registerCodecs } from "./codecs.ts";
import { mendMessageDecoder } from "./record-batches.ts";
import { endUnlessOpen, endWhenSilent } from "./silence.ts";

const connectionTimeoutMs = 3_000;
const requestTimeoutMs = 30_000;

/** Five tries within about nine seconds; a consumer that still fails is built anew, a producer's call throws. */
const clientRetry = { initialRetryTime: 300, maxRetryTime: 5_000, retries: 5 } as const;

export type ClientOptions = {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly log: Log;
  readonly security?: KafkaSecurity;
};

export function openClient({ brokers, clientId, log, security }: ClientOptions): Kafka {
  registerCodecs();
  mendRequestQueue();
  mendMessageDecoder();
  return new kafkajs.Kafka({
    brokers: [...brokers],
    clientId,
    connectionTimeout: connectionTimeoutMs,
    requestTimeout: requestTimeoutMs,
    retry: clientRetry,
    ...(security?.tls && { ssl: security.tls }),
    ...(security?.sasl && { sasl: security.sasl as SASLOptions }),
    socketFactory: openSocket,
    logLevel: kafkajs.logLevel.WARN,
    logCreator: () => (entry) => forward(log, entry),
  });
}

/** kafkajs calls errors what it will retry by itself, so nothing of it is louder than a warning; what ends it reaches the handler. */
function forward(log: Log, { namespace, log: line }: LogEntry): void {
  const error = typeof line["error"] === "string" ? line["error"] : undefined;
  log.warn("kafka_client", line.message, { namespace, error });
}

const load = createRequire(import.meta.url);
const plainSocket: (args: Parameters<ISocketFactory>[0]) => Socket = load(
  "kafkajs/src/network/socketFactory",
)();

const openSocket: ISocketFactory = (args) => {
  const socket = plainSocket(args);
  endUnlessOpen(socket, connectionTimeoutMs);
  endWhenSilent(socket);
  return socket;
};

type RequestQueue = {
  readonly pending: readonly unknown[];
  readonly throttledUntil: number;
  readonly throttleCheckTimeoutId: unknown;
  scheduleCheckPendingRequests(): void;
};

/**
 * kafkajs 2.2.4 re-arms its throttle timer after every answer although nothing waits, with a negative delay (throttledUntil is −1 when idle):
 * each connection spins at 1 kHz, and Node 24 prints TimeoutNegativeWarning. The timer is needed only while requests wait.
 */
function mendRequestQueue(): void {
  const { prototype }: { prototype: RequestQueue } = load("kafkajs/src/network/requestQueue");
  if (mended.has(prototype)) return;
  mended.add(prototype);
  const schedule = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
    if (this.pending.length > 0) schedule.call(this);
  };
}

const mended = new WeakSet<RequestQueue>();
