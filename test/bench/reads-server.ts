/** A process that answers over gRPC or REST: Lastro's own server over a store, or a bare handler that answers from memory what it was told before. */
import { randomBytes } from "node:crypto";
import { Server, ServerCredentials, type ServiceDefinition } from "@grpc/grpc-js";
import fastify from "fastify";
import { callerLimits } from "../../src/access/limits.ts";
import { openWatch } from "../../src/access/watch.ts";
import { startTelemetry } from "../../src/adapters/otel/telemetry.ts";
import { openSqliteStore } from "../../src/adapters/sqlite/open.ts";
import { anyone, type Caller } from "../../src/core/caller.ts";
import type { Rid } from "../../src/core/ids.ts";
import {
  type GetHistoryRequest,
  type GetRecordRequest,
  HistoryService,
} from "../../src/gen/lastro/v1/history_pb.ts";
import { pooledRandom } from "../../src/lib/pooled-random.ts";
import type { Guard, QueryDeps } from "../../src/query/deps.ts";
import type { Exports } from "../../src/query/exports.ts";
import { publishedLog } from "../../src/query/published-log.ts";
import { openTail } from "../../src/query/tail-records.ts";
import { startGrpcServer } from "../../src/servers/grpc/server.ts";
import { type Decoded, serviceDefinition } from "../../src/servers/grpc/service-definition.ts";
import { startRestServer } from "../../src/servers/rest/server.ts";
import { grant, person } from "../support/callers.ts";
import { noOperations, quietCollect, testViewers } from "../support/grpc-client.ts";
import { silentLog, silentObserver } from "../support/intake.ts";
import { restLimits } from "../support/rest-client.ts";
import { unguarded } from "../support/unguarded.ts";
import { feed, intakeOver } from "./reads-store.ts";

export type Ask = { readonly cpu: true } | { readonly key: string; readonly answer: Uint8Array };
/** Of REST an origin. */
export type Say = { readonly address: string } | { readonly cpuUs: number };

const [kind, path = "", ringPath = "", fed = "0", who = "everybody"] = process.argv.slice(2);
const fedPerSecond = Number(fed);
const tenants = ["default"];
const callers: Readonly<Record<string, Caller>> = {
  everybody: anyone,
  bounded: person("bounded", grant("auditor", { tenants })),
  masked: person(
    "masked",
    grant("auditor", { tenants, personal: false }),
    grant("dpo", { tenants: ["other"] }),
  ),
  watched: person("watched", grant("auditor", { tenants })),
};
const answers = new Map<string, Uint8Array>();
const serving = {
  observer: silentObserver,
  now: Date.now,
  log: silentLog,
  authenticate: async () => callerOf(who),
  storeLagMs: () => 0,
};
const starts: Readonly<Record<string, () => Promise<string>>> = {
  lastro: startLastro,
  "lastro-rest": startLastroRest,
  bare: startBare,
  "bare-rest": startBareRest,
};
const start = starts[kind ?? ""];
if (start === undefined) throw new Error(`nothing is called ${kind}`);
const address = await start();

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

async function openQuery() {
  const now = Date.now;
  const telemetry = startTelemetry({ otlpEndpoint: undefined, sampleRatio: 0.1, log: silentLog });
  const store = telemetry.tracedStore(await openSqliteStore({ path }));
  const intake = await intakeOver(store, { ringPath, create: false, now });
  const query: QueryDeps = {
    history: store.history,
    index: store.index,
    log: publishedLog({ log: store.log, now }),
    keys: intake.dataKeys,
    lookup: intake.lookup,
    catalogue: intake.catalogue,
    now,
    random: pooledRandom((bytes) => randomBytes(bytes)),
    guard: who === "everybody" ? unguarded : guardOf(who, now),
  };
  if (fedPerSecond > 0) void feed(intake, fedPerSecond);
  return { query, telemetry };
}

async function startLastro(): Promise<string> {
  const { query, telemetry } = await openQuery();
  const { now } = serving;
  const server = await startGrpcServer(
    {
      ...serving,
      host: "127.0.0.1",
      port: 0,
      reflection: false,
      interceptors: [telemetry.grpcInterceptor],
    },
    {
      query,
      operations: noOperations,
      collect: quietCollect(query),
      viewers: testViewers,
      tail: openTail(query, { tailsMax: 1, heartbeatMs: 10_000 }, now),
      exports: {} as Exports,
    },
  );
  return server.address;
}

async function startLastroRest(): Promise<string> {
  const { query, telemetry } = await openQuery();
  const server = await startRestServer(
    {
      ...serving,
      address: { host: "127.0.0.1", port: 0 },
      observeRequest: telemetry.observeRequest,
      limits: restLimits,
    },
    { query, collect: quietCollect(query) },
  );
  return `http://${server.address}`;
}

/** Whatever is asked for, the bytes that were told for its URL. */
async function startBareRest(): Promise<string> {
  const server = fastify({ logger: false });
  server.get("*", (request, reply) =>
    reply.type("application/json; charset=utf-8").send(answers.get(request.url)),
  );
  return server.listen({ host: "127.0.0.1", port: 0 });
}

/** All of them ask for records of the one tenant there is, which their bounds say in one way or another. */
function callerOf(name: string): Caller {
  const caller = callers[name];
  if (caller === undefined) throw new Error(`nobody is called ${name}`);
  return caller;
}

/** The limits are there, and never reached. */
function guardOf(name: string, now: () => number): Guard {
  const watch = openWatch({
    mode: name === "watched" ? "on" : "off",
    reads: "each",
    windowMs: 60_000,
    instance: "bench",
    observer: { selfAudit: () => undefined },
    publisher: { publish: async () => "" as Rid },
    now,
    random: pooledRandom((bytes) => randomBytes(bytes)),
  });
  const limits = callerLimits({ rateMax: 1e6, burstMax: 1e6, concurrentMax: 1e3 }, () => performance.now());
  return { ...unguarded, limits, watch };
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
