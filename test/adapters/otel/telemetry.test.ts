import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { expect, test } from "@jest/globals";
import { counters, gauges, histograms } from "../../../src/adapters/otel/metrics.ts";
import { startTelemetry } from "../../../src/adapters/otel/telemetry.ts";
import type { Log } from "../../../src/ports/log.ts";
import { startHttpServer } from "../../../src/servers/http/server.ts";
import { noTiles } from "../../support/no-log.ts";

const silent: Log = { info() {}, warn() {}, error() {} };

async function collector(status = 200): Promise<{ url: string; asked: string[]; [Symbol.dispose](): void }> {
  const asked: string[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    asked.push(request.url ?? "");
    request.resume();
    response.writeHead(status).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    asked,
    [Symbol.dispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

test("R-11 metrics are scraped in Prometheus' text form", async () => {
  await using telemetry = startTelemetry({ otlpEndpoint: undefined, sampleRatio: 1, log: silent });
  await using http = await startHttpServer({
    address: { host: "127.0.0.1", port: 0 },
    metrics: telemetry.metrics,
    observer: telemetry.observer,
    readiness: async () => ({}),
    tiles: noTiles,
  });
  telemetry.observer.internalError();
  telemetry.dependency("redis", false);
  telemetry.certificates(() => ({
    listeners: undefined,
    upstream: { expiresAtMs: 1_700_000_000_000, renewByMs: 1_600_000_000_500 },
  }));
  const answer = await fetch(`http://127.0.0.1:${http.address.port}/metrics`);
  expect(answer.headers.get("content-type")).toContain("text/plain");
  const text = await answer.text();
  expect(text).toMatch(/^# TYPE lastro_internal_errors_total counter$/m);
  expect(text).toMatch(/^lastro_internal_errors_total 1$/m);
  expect(text).toMatch(/^lastro_dependency_up\{dependency="redis"\} 0$/m);
  expect(text.match(/^lastro_certificate_.*$/gm)).toEqual([
    'lastro_certificate_expires_seconds{certificate="upstream"} 1700000000',
    'lastro_certificate_renew_by_seconds{certificate="upstream"} 1600000000.5',
  ]);
});

test("R-11 traces and metrics go to the collector, at the latest when the service ends", async () => {
  using otlp = await collector();
  {
    await using telemetry = startTelemetry({ otlpEndpoint: `${otlp.url}/`, sampleRatio: 1, log: silent });
    const batch = { topic: "audit", partition: 0, events: [] } as unknown as Parameters<
      typeof telemetry.observer.aroundBatch
    >[0];
    await telemetry.observer.aroundBatch(batch, async () => {});
    telemetry.observer.internalError();
  }
  expect(otlp.asked.toSorted()).toEqual(["/v1/metrics", "/v1/traces"]);
});

async function warningsWith(otlpEndpoint: string): Promise<readonly string[]> {
  const warnings: string[] = [];
  const log: Log = { ...silent, warn: (code) => void warnings.push(code) };
  {
    await using telemetry = startTelemetry({ otlpEndpoint, sampleRatio: 1, log });
    telemetry.observer.internalError();
  }
  return warnings;
}

test("a collector that is away costs a warning and no time", async () => {
  const startedMs = performance.now();
  expect(await warningsWith("http://127.0.0.1:1")).toEqual(["telemetry_failed"]);
  expect(performance.now() - startedMs).toBeLessThan(3_000);
});

test("a collector that refuses what it is sent costs a warning, and one that takes it costs none", async () => {
  using refusing = await collector(400);
  expect(await warningsWith(refusing.url)).toEqual(["telemetry_failed"]);
  using taking = await collector();
  expect(await warningsWith(taking.url)).toEqual([]);
  expect([refusing.asked, taking.asked]).toEqual([["/v1/metrics"], ["/v1/metrics"]]);
});

test("docs/metrics.md lists exactly the metrics there are", () => {
  const page = readFileSync(new URL("../../../docs/metrics.md", import.meta.url), "utf8");
  const listed = [...page.matchAll(/^\| `([a-z_]+)`/gm)].map(([, name]) => name);
  expect(listed.toSorted()).toEqual(Object.keys({ ...counters, ...histograms, ...gauges }).toSorted());
});
