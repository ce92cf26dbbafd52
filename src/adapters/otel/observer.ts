/** Intake as metrics and one span per batch. Costs a batch a few microseconds, an event nothing, unless the batch's span is sampled. */
import { type Link, type Span, SpanKind, SpanStatusCode, type Tracer } from "@opentelemetry/api";
import { parseTraceParent } from "@opentelemetry/core";
import type { EventHeader } from "../../core/event.ts";
import { outcomeKinds } from "../../core/outcome.ts";
import { switchNames } from "../../core/switches.ts";
import type { SourceBatch } from "../../ports/event-source.ts";
import type { BatchReport, Observer, PartitionState } from "../../ports/observer.ts";
import { type GaugeValue, known, type Metrics } from "./metrics.ts";

const linksMax = 128;
const partitionStates = ["running", "waiting", "stopped"] as const satisfies readonly PartitionState[];

export function otelObserver(tracer: Tracer, metrics: Metrics): Observer {
  const lags = new Map<number, number>();
  const states = new Map<number, PartitionState>();
  let isBreakerOpen = false;
  const log = logObserver(metrics);
  const witnesses = witnessObserver(metrics);
  const anchors = anchorObserver(metrics);
  const index = indexObserver(metrics);
  metrics.show("lastro_consumer_lag", () =>
    lags.entries().map(([partition, value]) => ({ value, labels: { partition } })),
  );
  metrics.show("lastro_partition_state", () => states.entries().flatMap(stateValues));
  metrics.show("lastro_breaker_open", () => [{ value: isBreakerOpen ? 1 : 0, labels: {} }]);

  return {
    aroundBatch(batch, work) {
      return tracer.startActiveSpan(`process ${batch.topic}`, batchSpan(batch), async (span) => {
        if (span.isRecording()) linkProducers(span, batch, metrics);
        try {
          return await work();
        } catch (error) {
          span.setStatus({ code: SpanStatusCode.ERROR });
          throw error;
        } finally {
          span.end();
        }
      });
    },
    connectionOverLimit: (listener) => metrics.add("lastro_connections_over_limit_total", 1, { listener }),
    callerRefused: () => metrics.add("lastro_callers_refused_total", 1),
    selfAudit: (outcome, events) => metrics.add("lastro_self_audit_events_total", events, { outcome }),
    batchDone(report) {
      lags.set(report.partition, report.lag);
      countBatch(report, metrics);
    },
    reached() {},
    partition(_src, partition, state) {
      // The SDK shows a gauge's labels for ever once they were shown, so what was given away is shown as 0.
      if (state === "released") lags.set(partition, 0);
      states.set(partition, state);
    },
    breaker(open) {
      isBreakerOpen = open;
    },
    internalError: () => metrics.add("lastro_internal_errors_total", 1),
    entityIdSourceChanged: () => metrics.add("lastro_entity_id_source_changed_total", 1),
    ...log,
    ...witnesses,
    ...anchors,
    ...index,
    ...switchesObserver(metrics),
    logStandby(size) {
      for (const part of [log, witnesses, anchors, index]) part.logStandby(size);
    },
  };
}

/** Shown once witnesses were asked here. A gauge once shown stays, so a process that leaves the log to another shows 0: the one at work shows who cosigns. */
function witnessObserver(metrics: Metrics): Pick<Observer, "witnessesAsked" | "logStandby"> {
  const cosigns = new Map<string, boolean>();
  let witnessedSize: number | undefined;
  metrics.show("lastro_witness_cosigns", () => flagsOf(cosigns, "witness"));
  metrics.show("lastro_log_witnessed_size", () => known(witnessedSize));
  return {
    witnessesAsked(report) {
      for (const [witness, hasCosigned] of report.hasCosigned) cosigns.set(witness, hasCosigned);
      witnessedSize = report.witnessedSize ?? witnessedSize ?? 0;
    },
    logStandby() {
      for (const witness of cosigns.keys()) cosigns.set(witness, false);
    },
  };
}

/** Shown as witnesses are. */
function anchorObserver(metrics: Metrics): Pick<Observer, "anchorsAsked" | "logStandby"> {
  const keeps = new Map<string, boolean>();
  const sizes = new Map<string, number>();
  metrics.show("lastro_anchor_keeps", () => flagsOf(keeps, "anchor"));
  metrics.show("lastro_log_anchored_size", () =>
    sizes.entries().map(([anchor, value]) => ({ value, labels: { anchor } })),
  );
  return {
    anchorsAsked({ size, hasKept }) {
      for (const [anchor, isKept] of hasKept) {
        keeps.set(anchor, isKept);
        sizes.set(anchor, isKept ? size : (sizes.get(anchor) ?? 0));
      }
    },
    logStandby() {
      for (const anchor of keeps.keys()) keeps.set(anchor, false);
    },
  };
}

/** Shown where there is a file of switches. */
function switchesObserver(metrics: Metrics): Pick<Observer, "switches" | "switchedOff"> {
  const switches = new Map<string, boolean>();
  let isStale: boolean | undefined;
  metrics.show("lastro_switch_off", () => flagsOf(switches, "switch"));
  metrics.show("lastro_switches_stale", () => known(isStale === undefined ? undefined : Number(isStale)));
  return {
    switches(off, isCurrent) {
      for (const name of switchNames) switches.set(name, off.includes(name));
      isStale = !isCurrent;
    },
    switchedOff: (name) => metrics.add("lastro_switched_off_total", 1, { switch: name }),
  };
}

/** Shown once this process indexed. */
function indexObserver(metrics: Metrics): Pick<Observer, "indexPass" | "logStandby"> {
  let [size, lag]: (number | undefined)[] = [];
  metrics.show("lastro_index_size", () => known(size));
  metrics.show("lastro_index_lag", () => known(lag));
  return {
    indexPass(report) {
      [size, lag] = [report.size, report.lag];
      metrics.record("lastro_index_pass_seconds", report.durationMs / 1_000);
    },
    logStandby() {
      if (lag !== undefined) lag = 0;
    },
  };
}

const flagsOf = (flags: ReadonlyMap<string, boolean>, label: string): Iterable<GaugeValue> =>
  flags.entries().map(([name, flag]) => ({ value: flag ? 1 : 0, labels: { [label]: name } }));

/** Size and lag show once they are known: a process without the signing key says nothing of the log. */
function logObserver(metrics: Metrics): Pick<Observer, "logPass" | "logStandby" | "logHalted"> {
  let size: number | undefined;
  let lag: number | undefined;
  let isHalted = false;
  metrics.show("lastro_log_size", () => known(size));
  metrics.show("lastro_log_lag", () => known(lag));
  metrics.show("lastro_log_halted", () => known(isHalted ? 1 : 0));
  return {
    logPass(report) {
      size = report.size;
      lag = report.lag ?? lag;
      metrics.record("lastro_log_pass_seconds", report.durationMs / 1_000);
      for (const delayMs of report.delaysMs) metrics.record("lastro_log_delay_seconds", delayMs / 1_000);
    },
    logStandby(head) {
      size = head;
      // The process at work shows it; a gauge once shown stays.
      if (lag !== undefined) lag = 0;
    },
    logHalted() {
      isHalted = true;
    },
  };
}

const stateValues = ([partition, current]: [number, PartitionState]): readonly GaugeValue[] =>
  partitionStates.map((state) => ({ value: state === current ? 1 : 0, labels: { partition, state } }));

const batchSpan = (batch: SourceBatch) => ({
  kind: SpanKind.CONSUMER,
  attributes: {
    "messaging.system": "kafka",
    "messaging.operation.name": "process",
    "messaging.operation.type": "process",
    "messaging.destination.name": batch.topic,
    "messaging.destination.partition.id": String(batch.partition),
    "messaging.batch.message_count": batch.events.length,
  },
});

function linkProducers(span: Span, batch: SourceBatch, metrics: Metrics): void {
  const links: Link[] = [];
  let invalid = 0;
  for (const { headers, offset } of batch.events) {
    if (links.length === linksMax) break;
    const header = headers.find(([key]) => key === "traceparent");
    if (header === undefined) continue;
    const context = parseTraceParent(textOf(header));
    if (context === null) invalid += 1;
    else
      links.push({
        context: { ...context, isRemote: true },
        attributes: { "messaging.kafka.offset": offset },
      });
  }
  span.addLinks(links);
  metrics.add("lastro_trace_contexts_invalid_total", invalid);
}

const textOf = ([, value]: EventHeader): string =>
  value === null ? "" : Buffer.from(value).toString("latin1");

function countBatch(report: BatchReport, metrics: Metrics): void {
  const counts = outcomeKinds.map((outcome) => [outcome, report.counts[outcome]] as const);
  for (const [outcome, count] of counts) metrics.add("lastro_events_total", count, { outcome });
  const events = counts.reduce((sum, [outcome, count]) => (outcome === "gap" ? sum : sum + count), 0);
  metrics.add("messaging_client_consumed_messages_total", events, { "messaging.system": "kafka" });
  metrics.record("lastro_batch_events", events);
  metrics.record("messaging_process_duration_seconds", report.durationMs / 1_000, {
    "messaging.system": "kafka",
    "messaging.operation.name": "process",
  });
  for (const delayMs of report.delaysMs) metrics.record("lastro_end_to_end_delay_seconds", delayMs / 1_000);
  for (const delayMs of report.eventDelaysMs)
    metrics.record("lastro_event_delay_seconds", Math.max(0, delayMs) / 1_000);
  for (const [reason, count] of report.rejections) metrics.add("lastro_rejections_total", count, { reason });
  for (const [flag, count] of report.flags) metrics.add("lastro_event_flags_total", count, { flag });
  metrics.add("lastro_redeliveries_total", report.redelivered);
  metrics.add("lastro_unkeyed_total", report.unkeyed);
  metrics.add("lastro_dedup_total", report.hints.hits, { layer: "hint", answer: "hit" });
  metrics.add("lastro_dedup_total", report.hints.misses, { layer: "hint", answer: "miss" });
  metrics.add("lastro_dedup_total", report.storeLookups, { layer: "store", answer: "lookup" });
  if (report.hints.unavailable) metrics.add("lastro_hints_unavailable_total", 1);
}
