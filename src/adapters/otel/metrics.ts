/** Every metric of the service, by the name Prometheus shows. Labels come from closed lists and partition numbers; never from events. */
import type { Attributes, Counter, Histogram, Meter } from "@opentelemetry/api";
import { outcomeKinds } from "../../core/outcome.ts";

/** docs/metrics.md says what each means. */
export const counters = {
  lastro_events_total: "Offsets that got their outcome",
  lastro_rejections_total: "Rejected and conflicting events",
  lastro_redeliveries_total: "Deliveries of events that were stored before; contained in outcome stored",
  lastro_dedup_total: "Answers of each layer that recognises duplicates",
  lastro_hints_unavailable_total: "Batches that got no duplicate hints in time",
  lastro_unkeyed_total: "Events without a Kafka key, whose order across partitions is not promised",
  lastro_event_flags_total: "Stored events with a flag",
  lastro_internal_errors_total: "Faults of Lastro itself while handling an event",
  lastro_entity_id_source_changed_total: "Entity types seen with a second pointer to their id",
  lastro_trace_contexts_invalid_total: "Trace contexts in headers that are not valid W3C and were ignored",
  lastro_connections_over_limit_total: "Connections that were one too many for their listener",
  lastro_callers_refused_total: "Calls of callers whose identity was not accepted",
  lastro_self_audit_events_total: "Events about what callers read, were denied and did",
  lastro_switched_off_total: "Questions refused because what they ask for is switched off",
  messaging_client_consumed_messages_total: "Messages delivered to intake",
} as const;

export const histograms = {
  messaging_process_duration_seconds: "Time from a batch's start to its accounting",
  lastro_batch_events: "Events of a batch",
  lastro_end_to_end_delay_seconds: "From Kafka's timestamp to storage: first and last record of each batch",
  lastro_event_delay_seconds:
    "From the event's own timestamp to storage: first and last record of each batch",
  lastro_log_pass_seconds: "Duration of a pass of the sequencer",
  lastro_log_delay_seconds:
    "From recorded_at to a published checkpoint: oldest and newest record of each source and pass",
  lastro_index_pass_seconds: "Duration of a pass of the search index",
  db_client_operation_duration_seconds: "Duration of calls to the store",
  rpc_server_call_duration_seconds: "Duration of gRPC calls",
  http_server_request_duration_seconds: "Duration of REST requests",
} as const;

export const gauges = {
  lastro_consumer_lag: "Offsets of a held partition that have no outcome yet",
  lastro_partition_state: "1 for the state a held partition is in",
  lastro_breaker_open: "1 while the breaker keeps intake paused",
  lastro_log_size: "Leaves of the log's head",
  lastro_log_lag: "Accounted offsets that no coverage entry of the log names yet",
  lastro_log_halted: "1 while the log is neither extended nor signed",
  lastro_log_witnessed_size: "Leaves of the latest checkpoint that enough witnesses cosigned",
  lastro_witness_cosigns: "1 for a witness that cosigned when it was asked last",
  lastro_log_anchored_size: "Leaves of the latest checkpoint that an anchor keeps",
  lastro_anchor_keeps: "1 for an anchor that kept the checkpoint when it was asked last",
  lastro_certificate_expires_seconds: "When a certificate expires, as Unix time",
  lastro_certificate_renew_by_seconds: "By when another should have taken its place, as Unix time",
  lastro_switch_off: "1 for what is switched off for everybody",
  lastro_switches_stale: "1 while the file of switches cannot be used and an older state holds",
  lastro_index_size: "Entries of the log that the search index holds",
  lastro_index_lag: "Entries that the log's head covers and the search index does not",
  lastro_dead_letters: "Letters that lie in the topic of dead letters",
  lastro_store_lag_seconds: "All that Kafka held so long ago has its outcome",
  lastro_dependency_up: "1 while the dependency answers",
} as const;

type CounterName = keyof typeof counters;
type HistogramName = keyof typeof histograms;
type GaugeName = keyof typeof gauges;

/** Shown as 0 from the start, for alerts on the first count: a series that appears with 1 has not increased. */
const fromZero: readonly (readonly [CounterName, Attributes])[] = [
  ...outcomeKinds.map((outcome) => ["lastro_events_total", { outcome }] as const),
  ["lastro_internal_errors_total", {}],
  ["lastro_self_audit_events_total", { outcome: "published" }],
  ["lastro_self_audit_events_total", { outcome: "dropped" }],
];

const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const countBuckets = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];

/** What a gauge shows now, by label values. */
export type GaugeValue = { readonly value: number; readonly labels: Attributes };

/** Shown once it is known. */
export const known = (value: number | undefined): readonly GaugeValue[] =>
  value === undefined ? [] : [{ value, labels: {} }];

export type Metrics = {
  add(name: CounterName, value: number, labels?: Attributes): void;
  record(name: HistogramName, value: number, labels?: Attributes): void;
  /** Asked at each scrape. */
  show(name: GaugeName, values: () => Iterable<GaugeValue>): void;
};

export function openMetrics(meter: Meter): Metrics {
  const counterOf = new Map<CounterName, Counter>();
  for (const [name, description] of Object.entries(counters) as [CounterName, string][]) {
    counterOf.set(name, meter.createCounter(name, { description }));
  }
  for (const [name, labels] of fromZero) counterOf.get(name)?.add(0, labels);
  const histogramOf = new Map<HistogramName, Histogram>();
  for (const [name, description] of Object.entries(histograms) as [HistogramName, string][]) {
    const explicitBucketBoundaries = name.endsWith("_seconds") ? secondsBuckets : countBuckets;
    histogramOf.set(name, meter.createHistogram(name, { description, advice: { explicitBucketBoundaries } }));
  }
  return {
    add(name, value, labels) {
      if (value > 0) counterOf.get(name)?.add(value, labels);
    },
    record: (name, value, labels) => histogramOf.get(name)?.record(value, labels),
    show(name, values) {
      meter.createObservableGauge(name, { description: gauges[name] }).addCallback((shown) => {
        for (const { value, labels } of values()) shown.observe(value, labels);
      });
    },
  };
}
