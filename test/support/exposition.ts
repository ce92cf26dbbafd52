/** What a service shows Prometheus once everything that is measured has happened: the service's own telemetry, told of each thing by whom it is told in operation. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { DescService } from "@bufbuild/protobuf";
import { Metadata, type ServerInterceptingCallInterface, status } from "@grpc/grpc-js";
import { startTelemetry, type Telemetry } from "../../src/adapters/otel/telemetry.ts";
import type { CertificateTerm } from "../../src/core/certificate-term.ts";
import { LastroError } from "../../src/core/errors.ts";
import { srcOf, type TopicId } from "../../src/core/ids.ts";
import { rejectReasons } from "../../src/core/outcome.ts";
import { switchNames } from "../../src/core/switches.ts";
import { Operations } from "../../src/gen/google/longrunning/operations_pb.ts";
import { ExportService } from "../../src/gen/lastro/v1/export_pb.ts";
import { HistoryService } from "../../src/gen/lastro/v1/history_pb.ts";
import type { Store } from "../../src/ports/store.ts";
import { startHttpServer } from "../../src/servers/http/server.ts";
import { silentLog } from "./intake.ts";
import { noTiles } from "./no-log.ts";

/** A line of the exposition. */
export type Shown = {
  readonly series: string;
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: string;
};

/** Two scrapes, all told once more before the second. */
export async function exposition(): Promise<readonly [readonly Shown[], readonly Shown[]]> {
  // Trace contexts are looked at only where spans go somewhere.
  await using collector = createServer((request, response) => {
    request.resume();
    response.end();
  });
  await once(collector.listen(0, "127.0.0.1"), "listening");
  await using telemetry = startTelemetry({
    otlpEndpoint: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
    sampleRatio: 1,
    log: silentLog,
  });
  await using http = await startHttpServer({
    address: { host: "127.0.0.1", port: 0 },
    metrics: telemetry.metrics,
    observer: telemetry.observer,
    readiness: async () => ({}),
    tiles: noTiles,
  });
  const scrape = async (): Promise<readonly Shown[]> =>
    linesOf(await (await fetch(`http://127.0.0.1:${http.address.port}/metrics`)).text());
  looksAt(telemetry);
  await tell(telemetry, 1);
  const first = await scrape();
  await tell(telemetry, 2);
  return [first, await scrape()];
}

const linesOf = (text: string): readonly Shown[] =>
  [...text.matchAll(/^((\w+)(?:\{(.*)\})?) (\S+)$/gm)].map(
    ([, series = "", metric = "", labels = "", value = ""]) => ({
      series,
      metric,
      labels: Object.fromEntries(
        [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, text]) => [name, text]),
      ),
      value,
    }),
  );

/** What is asked at each scrape. */
function looksAt(telemetry: Telemetry): void {
  const term: CertificateTerm = { expiresAtMs: 1_900_000_000_000, renewByMs: 1_890_000_000_000 };
  telemetry.certificates(() => ({ listeners: term, upstream: term }));
  telemetry.storeLag(() => 2_000);
  telemetry.deadLetters(() => 3);
}

const topicId = "AAAAAAAAAAAAAAAAAAAAAA" as TopicId;
const src = srcOf(topicId, 0);

async function tell(telemetry: Telemetry, round: number): Promise<void> {
  for (const name of ["store", "kafka", "redis"] as const) telemetry.dependency(name, true);
  await tellOfIntake(telemetry);
  tellOfLog(telemetry, round);
  tellOfCallers(telemetry);
  await tellOfStore(telemetry);
}

async function tellOfIntake({ observer }: Telemetry): Promise<void> {
  const event = {
    offset: 0,
    key: null,
    value: null,
    headers: [["traceparent", null] as const],
    timestampMs: 0,
  };
  const at = { src, topicId, topic: "audit", partition: 0, from: 0, to: 1, logEnd: 1 };
  await observer.aroundBatch({ ...at, events: [event] }, async () => {});
  observer.batchDone({
    src,
    partition: 0,
    counts: { stored: 5, duplicate: 2, conflict: 1, rejected: 3, gap: 4 },
    redelivered: 1,
    rejections: new Map([...rejectReasons, "CONFLICT" as const].map((reason) => [reason, 1])),
    flags: new Map([["late", 2]]),
    unkeyed: 1,
    hints: { hits: 2, misses: 9, unavailable: true },
    storeLookups: 2,
    lag: 40,
    durationMs: 12,
    delaysMs: [30, 10],
    eventDelaysMs: [40, 20],
  });
  observer.partition(src, 0, "running");
  observer.breaker(false);
  observer.internalError();
  observer.entityIdSourceChanged("zebra");
}

function tellOfLog({ observer }: Telemetry, round: number): void {
  const size = 10 * round;
  observer.logPass({ size, lag: 1, durationMs: 5, delaysMs: [900] });
  observer.witnessesAsked({ witnessedSize: size, hasCosigned: new Map([["w.test", true]]) });
  observer.anchorsAsked({ size, hasKept: new Map([["folder", true]]) });
  observer.indexPass({ size, lag: 0, durationMs: 1 });
}

function tellOfCallers({ observer, grpcInterceptor, observeRequest }: Telemetry): void {
  for (const listener of ["grpc", "rest", "http"] as const) observer.connectionOverLimit(listener);
  observer.callerRefused();
  observer.selfAudit("published", 1);
  observer.selfAudit("dropped", 1);
  observer.switches([], true);
  for (const name of switchNames) observer.switchedOff(name);
  const nobody = { sendStatus() {} } as unknown as ServerInterceptingCallInterface;
  const asIs = (bytes: Buffer): Buffer => bytes;
  for (const service of [HistoryService, ExportService, Operations] as readonly DescService[])
    for (const { name } of service.methods)
      for (const code of [status.OK, status.RESOURCE_EXHAUSTED]) {
        const method = {
          path: `/${service.typeName}/${name}`,
          requestStream: false,
          responseStream: false,
          requestDeserialize: asIs,
          responseSerialize: asIs,
        };
        grpcInterceptor(method, nobody).sendStatus({ code, details: "", metadata: new Metadata() });
      }
  const { paths } = JSON.parse(readFileSync("docs/openapi.json", "utf8")) as { readonly paths: object };
  for (const path of Object.keys(paths))
    for (const answer of [200, 429]) {
      const route = path.replace(/\{(\w+)\}/g, ":$1");
      observeRequest({ method: "GET", route, traceparent: undefined }).end(answer);
    }
}

async function tellOfStore({ tracedStore }: Telemetry): Promise<void> {
  const away = async (): Promise<never> => {
    throw new LastroError("STORE_UNAVAILABLE", "away");
  };
  const store = {
    records: { probe: away },
    history: { byRid: async () => undefined },
    ...{ keys: {}, state: {}, audit: {}, log: {}, index: {} },
  } as unknown as Store;
  const { records, history } = tracedStore(store);
  const { signal } = new AbortController();
  await records.probe(signal).catch(() => {});
  await history.byRid("AAAAAAAAAAAAAAAAAAAAAA.0.0" as Parameters<typeof history.byRid>[0], signal);
}
