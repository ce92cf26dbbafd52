import { expect, test } from "@jest/globals";
import { trace } from "@opentelemetry/api";
import { otelObserver } from "../../../src/adapters/otel/observer.ts";
import type { EventHeader, SourceEvent } from "../../../src/core/event.ts";
import { srcOf, type TopicId } from "../../../src/core/ids.ts";
import type { SourceBatch } from "../../../src/ports/event-source.ts";
import type { BatchReport } from "../../../src/ports/observer.ts";
import { observed } from "./observed.ts";

const topicId = "AAAAAAAAAAAAAAAAAAAAAA" as TopicId;
const src = srcOf(topicId, 2);
const traceId = "0af7651916cd43dd8448eb211c80319c";
const traceparent = (text: string): EventHeader => ["traceparent", Buffer.from(text)];

const event = (offset: number, headers: readonly EventHeader[]): SourceEvent => ({
  offset,
  key: null,
  value: Buffer.from("{}"),
  headers,
  timestampMs: 0,
});
const batchOf = (headers: readonly (readonly EventHeader[])[]): SourceBatch => ({
  src,
  topicId,
  topic: "audit",
  partition: 2,
  from: 0,
  to: headers.length,
  events: headers.map((one, offset) => event(offset, one)),
  logEnd: headers.length,
});
const report: BatchReport = {
  src,
  partition: 2,
  counts: { stored: 5, duplicate: 2, conflict: 1, rejected: 3, gap: 4 },
  redelivered: 1,
  rejections: new Map([["EMPTY", 3] as const, ["CONFLICT", 1] as const]),
  flags: new Map([["late", 2] as const]),
  unkeyed: 1,
  hints: { hits: 2, misses: 9, unavailable: false },
  storeLookups: 2,
  lag: 40,
  durationMs: 12,
  delaysMs: [30, 10],
  eventDelaysMs: [40, -5],
};

test("R-11 a batch is one span, linked to the traces of its producers", async () => {
  const { tracer, metrics, spans } = observed();
  const observer = otelObserver(tracer, metrics);
  const header = traceparent(`00-${traceId}-b7ad6b7169203331-01`);
  const answer = await observer.aroundBatch(batchOf([[header], [], [["other", null], header]]), async () => {
    expect(trace.getActiveSpan()).toBeDefined();
    return 3;
  });
  expect(answer).toBe(3);
  expect(spans()).toHaveLength(1);
  expect(spans()[0]?.name).toBe("process audit");
  expect(
    spans()[0]?.links.map((link) => [link.context.traceId, link.attributes?.["messaging.kafka.offset"]]),
  ).toEqual([
    [traceId, 0],
    [traceId, 2],
  ]);
});

test("R-11 a batch never has more than 128 links", async () => {
  const { tracer, metrics, spans } = observed();
  const header = traceparent(`00-${traceId}-b7ad6b7169203331-01`);
  await otelObserver(tracer, metrics).aroundBatch(
    batchOf(Array.from({ length: 500 }, () => [header])),
    async () => {},
  );
  expect(spans()[0]?.links).toHaveLength(128);
});

test.each(["", "00-zz", `00-${"0".repeat(32)}-b7ad6b7169203331-01`, `ff-${traceId}-b7ad6b7169203331-01`])(
  "R-11 the trace context %j is ignored and counted",
  async (text) => {
    const { tracer, metrics, spans, scrape } = observed();
    await otelObserver(tracer, metrics).aroundBatch(
      batchOf([[traceparent(text)], [["traceparent", null]]]),
      async () => {},
    );
    expect(spans()[0]?.links).toEqual([]);
    expect(await scrape()).toMatch(/^lastro_trace_contexts_invalid_total 2$/m);
  },
);

test("a batch that fails fails with its own error", async () => {
  const { tracer, metrics, spans } = observed();
  const error = new Error("away");
  const failing = otelObserver(tracer, metrics).aroundBatch(batchOf([]), () => Promise.reject(error));
  await expect(failing).rejects.toBe(error);
  expect(spans()[0]?.events).toEqual([]);
});

test("R-11 a batch's outcomes are counted by closed labels", async () => {
  const { tracer, metrics, scrape } = observed();
  const observer = otelObserver(tracer, metrics);
  observer.batchDone(report);
  observer.batchDone(report);
  observer.internalError();
  observer.entityIdSourceChanged("zebra");
  observer.connectionOverLimit("rest");
  const shown = await scrape();
  for (const line of [
    'lastro_events_total{outcome="stored"} 10',
    'lastro_events_total{outcome="gap"} 8',
    'lastro_rejections_total{reason="EMPTY"} 6',
    'lastro_rejections_total{reason="CONFLICT"} 2',
    "lastro_redeliveries_total 2",
    'lastro_dedup_total{layer="hint",answer="hit"} 4',
    'lastro_dedup_total{layer="store",answer="lookup"} 4',
    'lastro_event_flags_total{flag="late"} 4',
    "lastro_unkeyed_total 2",
    'messaging_client_consumed_messages_total{messaging_system="kafka"} 22',
    "lastro_internal_errors_total 1",
    "lastro_entity_id_source_changed_total 1",
    'lastro_connections_over_limit_total{listener="rest"} 1',
    'lastro_consumer_lag{partition="2"} 40',
    'messaging_process_duration_seconds_count{messaging_system="kafka",messaging_operation_name="process"} 2',
    "lastro_end_to_end_delay_seconds_count 4",
    "lastro_event_delay_seconds_count 4",
    "lastro_event_delay_seconds_sum 0.08",
  ])
    expect(shown.split("\n")).toContain(line);
  expect(shown).not.toContain("zebra");
});

test("a partition that was given away shows no lag and no state", async () => {
  const { tracer, metrics, scrape } = observed();
  const observer = otelObserver(tracer, metrics);
  observer.batchDone(report);
  observer.partition(src, 2, "waiting");
  observer.breaker(true);
  const held = await scrape();
  expect(held).toContain('lastro_partition_state{partition="2",state="waiting"} 1');
  expect(held).toContain('lastro_partition_state{partition="2",state="running"} 0');
  expect(held).toMatch(/^lastro_breaker_open 1$/m);
  observer.partition(src, 2, "released");
  const released = await scrape();
  expect(released).toMatch(/^lastro_consumer_lag\{partition="2"\} 0$/m);
  expect(released).not.toMatch(/^lastro_partition_state\{.*\} 1$/m);
});

test("a process that leaves the log to another shows of witnesses, anchors and index nothing that holds no more", async () => {
  const { tracer, metrics, scrape } = observed();
  const observer = otelObserver(tracer, metrics);
  const hasCosigned = new Map([
    ["w.test", true],
    ["x.test", false],
  ]);
  observer.witnessesAsked({ witnessedSize: 7, hasCosigned });
  observer.anchorsAsked({ size: 7, hasKept: new Map([["folder", true]]) });
  observer.indexPass({ size: 5, lag: 2, durationMs: 1 });
  const atWork = (await scrape()).split("\n");
  for (const line of [
    'lastro_witness_cosigns{witness="w.test"} 1',
    'lastro_anchor_keeps{anchor="folder"} 1',
    "lastro_index_lag 2",
  ])
    expect(atWork).toContain(line);
  observer.logStandby(9);
  const standingBy = (await scrape()).split("\n");
  for (const line of [
    'lastro_witness_cosigns{witness="w.test"} 0',
    'lastro_anchor_keeps{anchor="folder"} 0',
    "lastro_index_lag 0",
    "lastro_log_size 9",
  ])
    expect(standingBy).toContain(line);
  observer.witnessesAsked({ witnessedSize: 9, hasCosigned });
  expect(await scrape()).toMatch(/^lastro_witness_cosigns\{witness="w.test"\} 1$/m);
});
