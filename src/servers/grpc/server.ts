/** The gRPC server: limits, health, reflection, and an end that lets running calls finish. */
import type { ServerOptions as Http2ServerOptions } from "node:http2";
import type { Server as NetServer } from "node:net";
import type { DescService } from "@bufbuild/protobuf";
import {
  logVerbosity,
  Server,
  type ServerInterceptor,
  type ServerOptions,
  setLogVerbosity,
} from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation } from "grpc-health-check";
import type { ViewerTokens } from "../../access/viewer-tokens.ts";
import type { CollectDeps } from "../../collect/publish-events.ts";
import { LastroError } from "../../core/errors.ts";
import { Operations as LongRunning } from "../../gen/google/longrunning/operations_pb.ts";
import { AccessService } from "../../gen/lastro/v1/access_pb.ts";
import { ExportService } from "../../gen/lastro/v1/export_pb.ts";
import { HistoryService } from "../../gen/lastro/v1/history_pb.ts";
import { IdentityService } from "../../gen/lastro/v1/identity_pb.ts";
import { IngestService } from "../../gen/lastro/v1/ingest_pb.ts";
import { OperationsService } from "../../gen/lastro/v1/operations_pb.ts";
import { OwnershipService } from "../../gen/lastro/v1/ownership_pb.ts";
import { TransparencyService } from "../../gen/lastro/v1/transparency_pb.ts";
import { hostPortText } from "../../lib/env-values.ts";
import type { Authenticate } from "../../ports/authenticate.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Log } from "../../ports/log.ts";
import type { Operations } from "../../ports/operations.ts";
import type { ServerTlsSource } from "../../ports/server-tls.ts";
import type { QueryDeps } from "../../query/deps.ts";
import type { Exports } from "../../query/exports.ts";
import type { Tail } from "../../query/tail-records.ts";
import {
  type ConnectionsObserver,
  defaultListenerLimits,
  type ListenerLimits,
  refuseNewest,
} from "../listener.ts";
import { accessHandlers } from "./access-service.ts";
import { authenticating } from "./authenticated.ts";
import { answerMs } from "./call.ts";
import { exportHandlers, longRunningHandlers } from "./export-service.ts";
import { historyHandlers } from "./history-service.ts";
import { identityHandlers } from "./identity-service.ts";
import { ingestHandlers } from "./ingest-service.ts";
import { openRequests } from "./open-methods.ts";
import { operationsHandlers } from "./operations-service.ts";
import { ownershipHandlers } from "./ownership-service.ts";
import { fileDescriptorProtos, serviceDefinition } from "./service-definition.ts";
import { credentialsOf } from "./tls-credentials.ts";
import { transparencyHandlers } from "./transparency-service.ts";
import { type Handlers, implementation, type UnaryOptions } from "./unary.ts";

export type GrpcLimits = Pick<ListenerLimits, "connectionsMax" | "handshakeMsMax"> & {
  readonly receiveBytesMax: number;
  /** Above a page, which closes at 3.5 MiB, for a single record with a large event. */
  readonly sendBytesMax: number;
  readonly concurrentStreamsMax: number;
  readonly sessionMemoryMbMax: number;
  /** Of one call, names and values. */
  readonly metadataBytesMax: number;
  /** Streams of a connection that its client may reset at once after a rest, and a second in the long run; one that resets more is closed. */
  readonly resetsBurstMax: number;
  readonly resetsPerSecondMax: number;
  readonly connectionAgeMsMax: number;
  readonly connectionAgeGraceMs: number;
  readonly connectionIdleMsMax: number;
  /** A client that says nothing for so long is asked whether it is there, and cut without an answer in time. */
  readonly keepaliveMs: number;
  readonly keepaliveTimeoutMs: number;
  readonly deadlineMsMax: number;
  /** A reader of a stream that takes no message for this long is cut. */
  readonly streamStallMsMax: number;
};

export const defaultGrpcLimits: GrpcLimits = {
  connectionsMax: defaultListenerLimits.connectionsMax,
  handshakeMsMax: defaultListenerLimits.handshakeMsMax,
  receiveBytesMax: 4 * 1024 * 1024,
  sendBytesMax: 8 * 1024 * 1024,
  concurrentStreamsMax: 100,
  sessionMemoryMbMax: 32,
  metadataBytesMax: 32 * 1024,
  resetsBurstMax: 1_000,
  resetsPerSecondMax: 33,
  connectionAgeMsMax: 30 * 60_000,
  connectionAgeGraceMs: 5_000,
  connectionIdleMsMax: 5 * 60_000,
  keepaliveMs: 30_000,
  keepaliveTimeoutMs: 10_000,
  deadlineMsMax: 30_000,
  streamStallMsMax: 10_000,
};

export type GrpcServerOptions = {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly reflection: boolean;
  readonly now: Clock;
  readonly log: Log;
  readonly observer: ConnectionsObserver;
  readonly limits?: Partial<GrpcLimits>;
  /** Undefined: in the clear. */
  readonly tls?: ServerTlsSource | undefined;
  /** Asked before a message of a call is decoded. */
  readonly authenticate: Authenticate;
  readonly storeLagMs: UnaryOptions["storeLagMs"];
  /** Around every call, the first outermost. */
  readonly interceptors?: readonly ServerInterceptor[];
};

export type GrpcServices = {
  readonly query: QueryDeps;
  readonly operations: Operations;
  readonly collect: CollectDeps;
  readonly viewers: Pick<ViewerTokens, "make">;
  readonly tail: Tail;
  readonly exports: Exports;
};

export type GrpcServer = AsyncDisposable & {
  /** host:port, an IPv6 address in brackets. */
  readonly address: string;
  /** What health answers for the server and each of its services. */
  setServing(isServing: boolean): void;
  /** NOT_SERVING, no new calls, streams end where they are, and who waits for an operation is told how far it is; other running calls get the grace. Then they are told so, and cut. */
  drain(graceMs: number): Promise<void>;
};

/** Channelz stays on: without it grpc-js 1.14 keeps no list of the sessions that a forced shutdown has to cut. */
const optionsOf = (limits: GrpcLimits): ServerOptions => ({
  "grpc.max_receive_message_length": limits.receiveBytesMax,
  "grpc.max_send_message_length": limits.sendBytesMax,
  "grpc.max_concurrent_streams": limits.concurrentStreamsMax,
  "grpc-node.max_session_memory": limits.sessionMemoryMbMax,
  "grpc.max_connection_age_ms": limits.connectionAgeMsMax,
  "grpc.max_connection_age_grace_ms": limits.connectionAgeGraceMs,
  "grpc.max_connection_idle_ms": limits.connectionIdleMsMax,
  "grpc.keepalive_time_ms": limits.keepaliveMs,
  "grpc.keepalive_timeout_ms": limits.keepaliveTimeoutMs,
});

/** Limits of Node's HTTP/2 that grpc-js has no option for. It keeps what it opens its servers with in a field; a test finds out when it no longer does. */
function limitHttp2(server: Server, limits: GrpcLimits): void {
  const { commonServerOptions } = server as unknown as { readonly commonServerOptions: Http2ServerOptions };
  Object.assign(commonServerOptions, {
    settings: { ...commonServerOptions.settings, maxHeaderListSize: limits.metadataBytesMax },
    streamResetBurst: limits.resetsBurstMax,
    streamResetRate: limits.resetsPerSecondMax,
  } satisfies Http2ServerOptions);
}

/** Nor for this, once it listens. */
function boundConnections(
  server: Server,
  { connectionsMax }: GrpcLimits,
  { log, observer }: GrpcServerOptions,
): void {
  const { http2Servers } = server as unknown as { readonly http2Servers: ReadonlyMap<NetServer, unknown> };
  for (const listener of http2Servers.keys())
    refuseNewest(listener, { connectionsMax, listener: "grpc", log, observer });
}

export const services: readonly DescService[] = [
  HistoryService,
  OwnershipService,
  TransparencyService,
  OperationsService,
  IngestService,
  AccessService,
  IdentityService,
  ExportService,
  LongRunning,
];

export async function startGrpcServer(options: GrpcServerOptions, parts: GrpcServices): Promise<GrpcServer> {
  const limits = { ...defaultGrpcLimits, ...options.limits };
  // It would write to the console; what matters reaches the log through errors.
  setLogVerbosity(logVerbosity.NONE);
  const names = ["", ...services.map((service) => service.typeName)];
  const interceptors = [
    openRequests(new Set(names)),
    ...(options.interceptors ?? []),
    authenticating(options.authenticate, limits.deadlineMsMax),
  ];
  const server = new Server({ ...optionsOf(limits), interceptors });
  limitHttp2(server, limits);
  const { guard } = parts.query;
  const [draining, cutting] = [new AbortController(), new AbortController()];
  const calls = {
    now: options.now,
    log: options.log,
    deadlineMsMax: limits.deadlineMsMax,
    stallMsMax: limits.streamStallMsMax,
    draining: draining.signal,
    cutting: cutting.signal,
    guard,
    storeLagMs: options.storeLagMs,
  };
  const add = <S extends DescService>(service: S, handlers: Handlers<S>): void =>
    server.addService(serviceDefinition(service), implementation(service, handlers, calls));
  add(HistoryService, historyHandlers(parts.query, parts.tail));
  add(OwnershipService, ownershipHandlers(parts.query));
  add(TransparencyService, transparencyHandlers(parts.query));
  add(AccessService, accessHandlers(parts.query));
  add(OperationsService, operationsHandlers(parts.query, parts.operations));
  add(IngestService, ingestHandlers(parts.collect));
  add(IdentityService, identityHandlers(parts.viewers, guard.watch));
  add(ExportService, exportHandlers(parts.exports));
  add(LongRunning, longRunningHandlers(parts.query, parts.exports, draining.signal));
  const health = new HealthImplementation(Object.fromEntries(names.map((name) => [name, "NOT_SERVING"])));
  health.addToServer(server);
  if (options.reflection) addReflection(server);
  const port = await bind(server, options, limits);
  boundConnections(server, limits, options);

  let isDraining = false;
  const setServing = (isServing: boolean): void => {
    for (const name of names) health.setStatus(name, isServing && !isDraining ? "SERVING" : "NOT_SERVING");
  };
  const drain = async (graceMs: number): Promise<void> => {
    isDraining = true;
    setServing(false);
    draining.abort();
    await shutDown(server, graceMs, () => cutting.abort());
  };
  return {
    address: hostPortText({ host: options.host, port }),
    setServing,
    drain,
    [Symbol.asyncDispose]: () => drain(limits.connectionAgeGraceMs),
  };
}

function addReflection(server: Server): void {
  // Reflection reads nothing of a definition but its file descriptors; this is the form with no more fields than that.
  const definition = (service: DescService) =>
    ({
      format: "Protocol Buffer 3 EnumDescriptorProto",
      type: {},
      fileDescriptorProtos: fileDescriptorProtos(service.file),
    }) as const;
  new ReflectionService(
    Object.fromEntries(services.map((service) => [service.typeName, definition(service)])),
  ).addToServer(server);
}

function bind(server: Server, { host, port, tls }: GrpcServerOptions, limits: GrpcLimits): Promise<number> {
  const address = hostPortText({ host, port });
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentialsOf(tls, limits), (error, bound) => {
      if (error === null) return resolve(bound);
      const why = `gRPC cannot listen on ${address}; free the port or set another with LASTRO_GRPC_ADDRESS`;
      reject(new LastroError("CONFIG_INVALID", why, { cause: error }));
    });
  });
}

function shutDown(server: Server, graceMs: number, tell: () => void): Promise<void> {
  return new Promise((resolve) => {
    const cut = (): void => {
      server.forceShutdown();
      // The callback below is not called for sessions that were cut.
      resolve();
    };
    const lastMs = answerMs(graceMs);
    // One after the other: however late the first comes, answers have their time.
    let next = setTimeout(() => {
      tell();
      next = setTimeout(cut, lastMs);
    }, graceMs - lastMs);
    server.tryShutdown(() => {
      clearTimeout(next);
      resolve();
    });
  });
}
