/** A process that answers over gRPC: Lastro's own server over a store, or a bare handler that answers from memory what it was told before. */
import { randomBytes } from "node:crypto";
import { Server, ServerCredentials, type ServiceDefinition } from "@grpc/grpc-js";
import { startTelemetry } from "../../src/adapters/otel/telemetry.ts";
import { openSqliteStore } from "../../src/adapters/sqlite/open.ts";
import {
  type GetHistoryRequest,
  type GetRecordRequest,
  HistoryService,
} from "../../src/gen/lastro/v1/history_pb.ts";
import { pooledRandom } from "../../src/lib/pooled-random.ts";
import type { Operations } from "../../src/ports/operations.ts";
import { publishedLog } from "../../src/query/published-log.ts";
import { startGrpcServer } from "../../src/servers/grpc/server.ts";
import { type Decoded, serviceDefinition } from "../../src/servers/grpc/service-definition.ts";
import { silentLog } from "../support/intake.ts";
import { feed, intakeOver } from "./reads-store.ts";

export type Ask = { readonly cpu: true } | { readonly key: string; readonly answer: Uint8Array };
export type Say = { readonly address: string } | { readonly cpuUs: number };

const [kind, path = "", ringPath = "", fed = "0"] = process.argv.slice(2);
const fedPerSecond = Number(fed);
const answers = new Map<string, Uint8Array>();
const address = kind === "bare" ? await startBare() : await startLastro();

const say = (what: Say): unknown => process.send?.(what);
process.on("message", (ask: Ask) => {
  if ("answer" in ask) answers.set(ask.key, Buffer.from(ask.answer));
  else {
    const { user, system } = process.cpuUsage();
    say({ cpuUs: user + system });
  }
});
process.on("disconnect", () => process.exit());
say({ address });

async function startLastro(): Promise<string> {
  const now = Date.now;
  const telemetry = startTelemetry({ otlpEndpoint: undefined, sampleRatio: 0.1, log: silentLog });
  const store = telemetry.tracedStore(await openSqliteStore({ path }));
  const intake = await intakeOver(store, { ringPath, create: false, now });
  const query = {
    history: store.history,
    index: store.index,
    log: publishedLog({ log: store.log, now }),
    keys: intake.dataKeys,
    lookup: intake.lookup,
    catalogue: intake.catalogue,
    now,
    random: pooledRandom((bytes) => randomBytes(bytes)),
  };
  if (fedPerSecond > 0) void feed(intake, fedPerSecond);
  const server = await startGrpcServer(
    {
      host: "127.0.0.1",
      port: 0,
      reflection: false,
      now,
      log: silentLog,
      interceptors: [telemetry.grpcInterceptor],
    },
    { query, operations: {} as Operations },
  );
  return server.address;
}

/** The same methods, requests decoded the same way; the answer is bytes that are there. */
async function startBare(): Promise<string> {
  const definition: ServiceDefinition = Object.fromEntries(
    Object.entries(serviceDefinition(HistoryService)).map(([name, method]) => [
      name,
      { ...method, responseSerialize: (bytes: Buffer) => bytes },
    ]),
  );
  type Call = { readonly request: Decoded };
  type Answer = (error: null, bytes?: Uint8Array) => void;
  const from =
    <M>(keyOf: (message: M) => string) =>
    ({ request }: Call, callback: Answer): void =>
      callback(null, "message" in request ? answers.get(keyOf(request.message as M)) : undefined);
  const server = new Server();
  server.addService(definition, {
    getRecord: from<GetRecordRequest>(({ by }) => String(by.value)),
    getHistory: from<GetHistoryRequest>(({ entity }) => entity?.entityId ?? ""),
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return `127.0.0.1:${port}`;
}
