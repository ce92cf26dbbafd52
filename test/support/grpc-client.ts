/** A plain grpc-js client over protobuf-es descriptors, and the server it talks to; nothing of src/servers but its door. */
import { randomBytes } from "node:crypto";
import type { DescMethod, DescService, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { anyUnpack, durationMs } from "@bufbuild/protobuf/wkt";
import {
  type CallOptions,
  Client,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { viewerTokens } from "../../src/access/viewer-tokens.ts";
import type { CollectDeps } from "../../src/collect/publish-events.ts";
import { anyone } from "../../src/core/caller.ts";
import { ridOf } from "../../src/core/ids.ts";
import { defaultParseOptions } from "../../src/core/parse-options.ts";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../src/gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../src/gen/google/rpc/status_pb.ts";
import type { Operations } from "../../src/ports/operations.ts";
import type { QueryDeps } from "../../src/query/deps.ts";
import type { KeptExport } from "../../src/query/export-job.ts";
import type { Exports } from "../../src/query/exports.ts";
import { openTail } from "../../src/query/tail-records.ts";
import {
  type GrpcServer,
  type GrpcServerOptions,
  type GrpcServices,
  startGrpcServer,
} from "../../src/servers/grpc/server.ts";
import { worldSrc } from "./history-world.ts";
import { silentObserver } from "./intake.ts";

export type TestServer = GrpcServer & { readonly logged: string[] };

const unused = async (): Promise<never> => {
  throw new Error("not part of this test");
};
export const noOperations: Operations = {
  intake: unused,
  outcomes: unused,
  skip: unused,
  resume: unused,
  resumeBreaker: unused,
  replay: unused,
};

/** What is published goes nowhere, and is answered with the rid of a world's first record. */
export const quietCollect = (query: QueryDeps): CollectDeps => ({
  ...query,
  publisher: { publish: async () => ridOf(worldSrc, 0), [Symbol.asyncDispose]: async () => undefined },
  parse: defaultParseOptions,
  operations: noOperations,
});

/** By a key of the tests' own. */
export const testViewers = viewerTokens({
  key: Buffer.alloc(32, "viewer"),
  now: Date.now,
  random: (bytes) => randomBytes(bytes),
});

/** Whatever is asked for is an empty export that has ended. */
export const endedExport: KeptExport = {
  name: `export-${"0".repeat(32)}`,
  revision: 1,
  job: {
    caller: anyone, filter: "", format: "ndjson", treeSize: 1, checkpoint: null, state: "done",
    createdAtMs: 0, endedAtMs: 0, expiresAtMs: 0, nextIndex: 1, seen: 0, written: 0, bytes: 0,
    parts: [], alteredRids: [], moreAltered: false, fault: null,
  },
}; // biome-ignore format: nothing of it matters
export const quietExports: Exports = {
  start: async () => endedExport,
  get: async () => endedExport,
  list: async () => [endedExport],
  cancel: async () => undefined,
  remove: async () => undefined,
  read: async function* () {
    yield { data: new Uint8Array(), nextOffset: 0 };
  },
};
const tailLimits = { tailsMax: 10, heartbeatMs: 10_000 };

export async function serve(
  query: QueryDeps,
  operations: Operations = noOperations,
  options: Partial<GrpcServerOptions> = {},
  parts: Partial<GrpcServices> = {},
): Promise<TestServer> {
  const logged: string[] = [];
  const log = { info: () => {}, warn: () => {}, error: (code: string) => void logged.push(code) };
  const server = await startGrpcServer(
    {
      host: "127.0.0.1",
      port: 0,
      reflection: true,
      authenticate: async () => anyone,
      observer: silentObserver,
      storeLagMs: () => undefined,
      now: Date.now,
      log,
      ...options,
    },
    {
      query,
      operations,
      collect: quietCollect(query),
      viewers: testViewers,
      tail: openTail(query, tailLimits, () => performance.now()),
      exports: quietExports,
      ...parts,
    },
  );
  server.setServing(true);
  return Object.assign(server, { logged });
}

export const connect = (address: string): Client & Disposable => {
  const client = new Client(address, credentials.createInsecure());
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
};

/** Bytes in, bytes out: also for what no message encodes to. */
export const callRaw = (
  client: Client,
  path: string,
  request: Uint8Array,
  metadata?: Metadata,
  options: CallOptions = {},
): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    const done = (error: ServiceError | null, response?: Buffer): void =>
      error === null && response !== undefined ? resolve(response) : reject(error);
    const [write, read] = [(bytes: Uint8Array) => Buffer.from(bytes), (bytes: Buffer) => bytes];
    if (metadata === undefined) client.makeUnaryRequest(path, write, read, request, options, done);
    else client.makeUnaryRequest(path, write, read, request, metadata, options, done);
  });

export async function callMessage<M extends DescMethod>(
  client: Client,
  method: M,
  request: object,
  metadata?: Metadata,
  options: CallOptions = {},
): Promise<MessageShape<M["output"]>> {
  const bytes = toBinary(method.input, create(method.input, request as never));
  const path = `/${method.parent.typeName}/${method.name}`;
  return fromBinary(method.output, await callRaw(client, path, bytes, metadata, options)) as MessageShape<
    M["output"]
  >;
}

export const call = <S extends DescService, Name extends keyof S["method"] & string>(
  client: Client,
  service: S,
  name: Name,
  request: MessageInitShape<S["method"][Name]["input"]>,
  options: CallOptions = {},
  metadata?: Metadata,
): Promise<MessageShape<S["method"][Name]["output"]>> =>
  callMessage(client, service.method[name] as S["method"][Name], request, metadata, options);

/** A call that is answered by a stream; nothing is read before somebody asks. */
export function callStream<S extends DescService, Name extends keyof S["method"] & string>(
  client: Client,
  service: S,
  name: Name,
  request: MessageInitShape<S["method"][Name]["input"]>,
  options: CallOptions = {},
  metadata = new Metadata(),
): ClientReadableStream<MessageShape<S["method"][Name]["output"]>> {
  const method: DescMethod = service.method[name] as S["method"][Name];
  return client.makeServerStreamRequest(
    `/${service.typeName}/${method.name}`,
    (bytes: Uint8Array) => Buffer.from(bytes),
    (bytes) => fromBinary(method.output, bytes) as MessageShape<S["method"][Name]["output"]>,
    toBinary(method.input, create(method.input, request as never)),
    metadata,
    options,
  );
}

export type Failure = {
  readonly code: number;
  readonly message: string;
  readonly reason: string | undefined;
  readonly domain: string | undefined;
  /** Of a stream: where to go on. */
  readonly nextIndex: string | undefined;
  readonly fields: readonly string[];
  readonly retryAfterMs: number | undefined;
};

/** How a call failed, details included; fails itself when the call was answered. */
export async function failureOf(act: Promise<unknown>): Promise<Failure> {
  const error = await act.then(
    () => {
      throw new Error("the call was answered");
    },
    (cause: ServiceError) => cause,
  );
  const [bytes] = error.metadata?.get("grpc-status-details-bin") ?? [];
  const details = bytes instanceof Buffer ? fromBinary(StatusSchema, bytes).details : [];
  const infos = details.flatMap((detail) => anyUnpack(detail, ErrorInfoSchema) ?? []);
  const [retry] = details.flatMap((detail) => anyUnpack(detail, RetryInfoSchema) ?? []);
  const violations = details.flatMap((detail) => anyUnpack(detail, BadRequestSchema)?.fieldViolations ?? []);
  return {
    code: error.code,
    message: error.details,
    reason: infos[0]?.reason,
    domain: infos[0]?.domain,
    nextIndex: infos[0]?.metadata["next_index"],
    fields: violations.map(({ field }) => field),
    retryAfterMs: retry?.retryDelay && durationMs(retry.retryDelay),
  };
}
