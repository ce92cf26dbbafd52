/** R-11 with the running service: what it tells a collector, Prometheus and its log, and what it must never tell them. */

import { Metadata } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { HistoryService } from "../../src/gen/lastro/v1/history_pb.ts";
import { callRaw, connect, failureOf } from "../support/grpc-client.ts";
import { until } from "../support/lastro.ts";
import { type Collector, startCollector } from "./collector.ts";
import {
  type Ended,
  message,
  metricOf,
  type Service,
  startService,
  startTimeoutMs,
  totalOf,
} from "./service.ts";
import { publishedReference, reference } from "./story.ts";

/** Twenty things of a person, each in a place of its own; none may be seen outside the store and Kafka. */
const marker = (place: string): string => `MARKER-${place}-do-not-tell`;
const places = [
  "payload-text", "payload-key", "owner-id", "owner-role", "ownership", "entity-id", "event-id-metadata", "event-id-header",
  "header-value", "header-name", "message-key", "trace-id", "producer-service-id", "environment", "ce-id", "ce-source",
  "broken-key", "broken-text", "conflict-text", "question",
] as const; // biome-ignore format: a list
const ips = ["198.51.100.77", "2001:db8::77"];
const producerTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
const producerSpan = "00f067aa0ba902b7";
const callerTrace = "5bf92f3577b34da6a3ce929d0e0e4736";

const marked = (text: string) =>
  message(
    {
      type: "customer.updated",
      traceId: marker("trace-id"),
      payload: { public_id: marker("entity-id"), text, [marker("payload-key")]: 1 },
      metadata: {
        user_id: marker("owner-id"),
        user_role: marker("owner-role"),
        user_ip: ips[0],
        ownership_id: marker("ownership"),
        environment: marker("environment"),
        event_id: marker("event-id-metadata"),
      },
    },
    { [marker("header-name")]: marker("header-value") },
    { key: marker("message-key") },
  );
const withHeaders = (headers: Readonly<Record<string, string>>) =>
  message({ payload: { id: 1, note: headers["ce_id"] ?? "" }, metadata: { user_ip: ips[1] } }, headers);

const messages = [
  message({ text: reference }, { traceparent: `00-${producerTrace}-${producerSpan}-01` }),
  message({ text: publishedReference }),
  marked(marker("payload-text")),
  marked(marker("payload-text")),
  marked(marker("conflict-text")),
  withHeaders({ event_id: marker("event-id-header") }),
  withHeaders({
    ce_specversion: "1.0",
    ce_id: marker("ce-id"),
    ce_source: marker("ce-source"),
    ce_type: "account.updated",
  }),
  message({
    text: reference.replace(
      '"123e4567-e89b-12d3-a456-426614174000",\n',
      `"${marker("producer-service-id")}",\n`,
    ),
  }),
  // Broken where keys and values are quoted most readily: a key twice, a wrong type, no JSON at all, a bad address.
  message({ text: `{"${marker("broken-key")}": 1, "${marker("broken-key")}": 2}` }),
  message({ text: reference.replace('"payload": {', `"payload": "${marker("broken-text")}", "other": {`) }),
  message({ text: `${marker("broken-text")} {"${marker("broken-key")}": ` }),
  message({ text: reference.replace("192.168.1.100", `${ips[0]}/${marker("broken-text")}`) }),
  message({ text: reference.replace("2024-06-22T12:00:00Z", marker("broken-text")) }),
  message({ text: reference.replace("account.created", marker("broken-text")) }),
  message({ text: reference }, { event_id: "" }),
];

let collector: Collector;
let service: Service;
let scraped: string;
let ended: Ended;

beforeAll(async () => {
  collector = await startCollector();
  service = await startService("sqlite", {
    LASTRO_OTLP_ENDPOINT: collector.url,
    LASTRO_OTLP_SAMPLE_RATIO: "1",
    LASTRO_LOG_LEVEL: "info",
  });
  await service.send(messages);
  const filter = `owner_id = "${marker("owner-id")}"`;
  const { records } = await service.ask(HistoryService, "searchRecords", { filter });
  expect(records).toHaveLength(1);
  for (const question of [`${marker("question")} = 1`, `owner_id = "${marker("question")}`])
    await failureOf(service.ask(HistoryService, "searchRecords", { filter: question }));
  const value = {
    producerService: "team_service",
    form: { case: "metadata", value: marker("question") },
  } as const;
  await failureOf(service.ask(HistoryService, "getRecord", { by: { case: "eventId", value } }));
  using caller = connect(service.lastro().grpcAddress);
  const metadata = new Metadata();
  metadata.set("traceparent", `00-${callerTrace}-${producerSpan}-01`);
  await callRaw(caller, "/lastro.v1.HistoryService/SearchRecords", new Uint8Array(), metadata);
  const areUp = async () => metricOf(await service.metrics(), "lastro_dependency_up") === 3;
  await until("each dependency was seen to answer", areUp, 10_000, service.lastro());
  const areCounted = async () => metricOf(await service.metrics(), "lastro_dead_letters") > 0;
  await until("the dead letters were counted", areCounted, 30_000, service.lastro());
  scraped = await service.metrics();
  // What was measured last is exported when the service ends.
  ended = await service.restart();
}, startTimeoutMs);
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await collector?.[Symbol.asyncDispose]();
});

const named = (name: string) => collector.spans().filter((span) => span.name === name);

test("R-11 the trace context in a Kafka header leads to the batch's span, and from there to the store calls", () => {
  const batches = named(`process ${service.world.topic}`);
  const linked = batches.find(({ links }) =>
    links.some((link) => link.traceId === producerTrace && link.spanId === producerSpan),
  );
  expect(linked).toBeDefined();
  const calls = collector.spans().filter(({ parentId }) => parentId === linked?.spanId);
  expect(calls.map(({ name }) => name)).toContain("records.append");
});

test("R-11 a caller's trace context leads to the span of the call, and from there to the store", () => {
  const rpc = named("lastro.v1.HistoryService/SearchRecords").find(({ traceId }) => traceId === callerTrace);
  expect(rpc?.parentId).toBe(producerSpan);
  const calls = collector.spans().filter(({ parentId }) => parentId === rpc?.spanId);
  expect(calls.map(({ name }) => name)).toContain("history.search");
});

test("R-11 /metrics counts every offset by its outcome, and measures store and calls; a collector gets them too", async () => {
  const counted = totalOf(await service.intake());
  expect(counted).toEqual({ stored: 5, duplicate: 1, conflict: 1, rejected: 8, gap: 0 });
  for (const [outcome, count] of Object.entries(counted))
    expect([outcome, metricOf(scraped, `lastro_events_total{outcome="${outcome}"}`)]).toEqual([
      outcome,
      count,
    ]);
  expect(metricOf(scraped, 'lastro_rejections_total{reason="DUPLICATE_KEY"}')).toBe(1);
  expect(metricOf(scraped, 'lastro_rejections_total{reason="CONFLICT"}')).toBe(1);
  expect(metricOf(scraped, 'lastro_partition_state{partition="0",state="running"}')).toBe(1);
  expect(metricOf(scraped, "lastro_dead_letters")).toBe(9);
  for (const dependency of ["store", "kafka", "redis"])
    expect([dependency, metricOf(scraped, `lastro_dependency_up{dependency="${dependency}"}`)]).toEqual([
      dependency,
      1,
    ]);
  for (const measured of [
    'db_client_operation_duration_seconds_count{db_operation_name="records.append"',
    'rpc_server_call_duration_seconds_count{rpc_method="lastro.v1.HistoryService/SearchRecords"',
    "lastro_end_to_end_delay_seconds_count",
    "lastro_event_delay_seconds_count",
    "messaging_process_duration_seconds_count",
  ])
    expect([measured, metricOf(scraped, measured) > 0]).toEqual([measured, true]);
  expect([...collector.paths()].toSorted()).toEqual(["/v1/metrics", "/v1/traces"]);
});

test("R-11 each log line is JSON with the names of ECS", () => {
  expect(ended.code).toBe(0);
  const table = ended.output.indexOf("┌");
  const lines = (ended.output.slice(0, table) + ended.output.slice(ended.output.indexOf("stops it.\n") + 10))
    .split("\n")
    .filter((line) => line !== "");
  for (const line of lines) {
    expect(JSON.parse(line)).toMatchObject({
      "@timestamp": expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      "log.level": expect.stringMatching(/^(?:info|warn|error)$/),
      message: expect.any(String),
      "ecs.version": expect.any(String),
      "service.name": "lastro",
      "event.code": expect.any(String),
    });
  }
  expect(lines.length).toBeGreaterThan(0);
});

test("R-11 nothing personal is told: not in the log, not in the metrics, not to the collector", () => {
  const told = [ended.output, scraped, collector.received().toString("latin1")].join("\n");
  expect(told).toMatch(/records\.append/);
  const seen = (text: string): boolean => told.toLowerCase().includes(text.toLowerCase());
  expect([...places.map(marker), ...ips].filter(seen)).toEqual([]);
  expect(["do-not-tell", "John Doe", "12345678900", "192.168.1.100"].filter(seen)).toEqual([]);
  // Every marker was on its way: what is looked for above is in what was published or asked.
  const published = JSON.stringify(
    messages.map(({ key, value, headers }) => [key, value, headers].map(String)),
  );
  expect(places.filter((place) => place !== "question" && !published.includes(marker(place)))).toEqual([]);
});
