/** What every @platformatic/kafka client here is opened with: short timeouts, few retries, no topic made by accident. */
import { type Base, MultipleErrors } from "@platformatic/kafka";
import { serverNameOf } from "../../lib/server-name.ts";
import type { KafkaSecurity } from "../../ports/client-tls.ts";

const connectTimeoutMs = 2_000;
/** For the broker, to do what it was asked. */
const brokerTimeoutMs = 5_000;
/** Then its connection is given up; longer than it was given for its work, and than any question of ours lets it wait. */
const requestTimeoutMs = 8_000;
const retriesMax = 3;
const retryDelayMs = 200;

export type ClientOptions = {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly security?: KafkaSecurity;
};

const mechanisms = {
  plain: "PLAIN",
  "scram-sha-256": "SCRAM-SHA-256",
  "scram-sha-512": "SCRAM-SHA-512",
} as const;

export const clientOptions = ({ brokers, clientId, security }: ClientOptions) => ({
  clientId,
  bootstrapBrokers: [...brokers],
  connectTimeout: connectTimeoutMs,
  timeout: brokerTimeoutMs,
  requestTimeout: requestTimeoutMs,
  retries: retriesMax,
  retryDelay: retryDelayMs,
  autocreateTopics: false,
  ...(security?.tls && { tls: security.tls, tlsServerName: brokers.some(isNamed) }),
  ...(security?.sasl && { sasl: { ...security.sasl, mechanism: mechanisms[security.sasl.mechanism] } }),
});

/**
 * A connection that is cut while it says who it is tells of its error twice (2.12.1), and its pool listens once: the second would end the process.
 * What was asked over it fails by itself.
 */
export function hearing<Client extends Pick<Base, "connections">>(client: Client): Client {
  client.connections.on("connecting", ({ connection }) => connection.on("error", () => undefined));
  return client;
}

/** The client asks for each broker by its host, or for none: where all are given as addresses, the others are taken to be ones. */
const isNamed = (broker: string): boolean =>
  serverNameOf(broker.slice(0, broker.lastIndexOf(":"))) !== undefined;

const tooLargeIds = ["MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"];
/** The topic can never hold what was sent. */
export const isTooLarge = (error: unknown): boolean =>
  error instanceof MultipleErrors && tooLargeIds.some((id) => error.findBy("apiId", id) !== null);
