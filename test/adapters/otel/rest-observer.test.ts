import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { trace } from "@opentelemetry/api";
import { restObserver } from "../../../src/adapters/otel/rest-observer.ts";
import { anyone } from "../../../src/core/caller.ts";
import { collectInto } from "../../support/collecting.ts";
import { type HistoryWorld, openHistoryWorld } from "../../support/history-world.ts";
import { ask, serveRest, type TestRest } from "../../support/rest-client.ts";
import { until } from "../../support/until.ts";
import { observed } from "./observed.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const telemetry = observed();
let world: HistoryWorld;
let server: TestRest;
let active: string | undefined;
/** Where a request waits for its caller to be known. */
let mayGoOn = Promise.resolve();

beforeAll(async () => {
  world = await openHistoryWorld();
  server = await serveRest(
    { query: world.deps, collect: collectInto(world) },
    {
      observeRequest: restObserver(telemetry.tracer, telemetry.metrics),
      async authenticate() {
        active = trace.getActiveSpan()?.spanContext().traceId;
        await mayGoOn;
        return anyone;
      },
    },
  );
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

const spanOf = (name: string) => telemetry.spans().findLast((span) => span.name === name);

test.each([
  ["GET", "/audit-logs", { headers: {} }],
  ["POST", "/audit-logs", { body: "{}", headers: { "content-type": "application/json" } }],
])(
  "R-11 a request continues its caller's trace, inside the handler too: %s %s",
  async (method, path, init) => {
    active = undefined;
    const traceparent = `00-${traceId}-b7ad6b7169203331-01`;
    await ask(`${server.url}${path}`, { ...init, method, headers: { ...init.headers, traceparent } });
    expect(active).toBe(traceId);
    await until("its span has ended", () => spanOf(`${method} /api/v1${path}`) !== undefined);
    expect(spanOf(`${method} /api/v1${path}`)?.spanContext().traceId).toBe(traceId);
  },
);

test("R-11 requests are measured by route and status, never by what they ask for", async () => {
  await ask(`${server.url}/audit-logs/secret-id`);
  await ask(`${server.url}/secret-path`, { headers: { traceparent: "nonsense" } });
  await ask(`${server.url}/audit-logs`, { method: "PROPFIND" });
  await until("all have ended", () => spanOf("_OTHER /api/v1/audit-logs") !== undefined);
  const shown = await telemetry.scrape();
  const counted = (route: string, status: number, method = "GET"): string =>
    `http_server_request_duration_seconds_count{http_request_method="${method}",http_route="${route}",http_response_status_code="${status}"} 1`;
  expect(shown).toContain(counted("/api/v1/audit-logs/:id", 400));
  expect(shown).toContain(counted("none", 404));
  expect(shown).toContain(counted("/api/v1/audit-logs", 405, "_OTHER"));
  expect(shown).not.toContain("PROPFIND");
  expect(shown).not.toContain("secret");
  expect(JSON.stringify(telemetry.spans().map(({ name, attributes }) => [name, attributes]))).not.toContain(
    "secret",
  );
});

test("R-11 a client that leaves before its answer is counted as such", async () => {
  const waiting = Promise.withResolvers<void>();
  mayGoOn = waiting.promise;
  active = undefined;
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
  const traceparent = `00-${traceId}-b7ad6b7169203331-01`;
  socket.write(`GET /api/v1/audit-logs/summary HTTP/1.1\r\nhost: x\r\ntraceparent: ${traceparent}\r\n\r\n`);
  await until("it has come in", () => active === traceId);
  socket.destroy();
  await until("it has ended", () => spanOf("GET /api/v1/audit-logs/summary") !== undefined);
  waiting.resolve();
  expect(spanOf("GET /api/v1/audit-logs/summary")?.attributes["http.response.status_code"]).toBe(499);
});
