/** OpenTelemetry, put together by hand: what is measured is ours alone, nothing is patched, no environment variable is read. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ServerInterceptor } from "@grpc/grpc-js";
import { context, DiagLogLevel, diag, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-proto";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { type Resource, resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { CertificateTerm } from "../../core/certificate-term.ts";
import type { Log } from "../../ports/log.ts";
import type { Observer } from "../../ports/observer.ts";
import type { ObserveRequest } from "../../ports/request-observer.ts";
import type { Store } from "../../ports/store.ts";
import { type GaugeValue, known, openMetrics } from "./metrics.ts";
import { otelObserver } from "./observer.ts";
import { restObserver } from "./rest-observer.ts";
import { rpcInterceptor } from "./rpc-interceptor.ts";
import { tracedStore } from "./traced-store.ts";
import { openTrouble, type Trouble } from "./trouble.ts";

export type TelemetryOptions = {
  /** Collector that takes OTLP over HTTP; undefined: nothing leaves the process but what is scraped. */
  readonly otlpEndpoint: string | undefined;
  /** Share of traces that are recorded where the caller has not decided. */
  readonly sampleRatio: number;
  readonly log: Log;
};

/** Shown by the listeners, or to Kafka, Redis and MongoDB. */
type CertificateOwner = "listeners" | "upstream";
type CertificateGauge = "lastro_certificate_expires_seconds" | "lastro_certificate_renew_by_seconds";

export type Telemetry = AsyncDisposable & {
  readonly observer: Observer;
  /** Answers a scrape of Prometheus. */
  readonly metrics: (request: IncomingMessage, response: ServerResponse) => void;
  readonly tracedStore: (store: Store) => Store;
  readonly grpcInterceptor: ServerInterceptor;
  readonly observeRequest: ObserveRequest;
  readonly dependency: (name: "store" | "kafka" | "redis", isUp: boolean) => void;
  /** Asked at each scrape; undefined where there is none. */
  readonly certificates: (
    terms: () => Readonly<Record<CertificateOwner, CertificateTerm | undefined>>,
  ) => void;
  /** Asked at each scrape; undefined until it is known. */
  readonly storeLag: (ms: () => number | undefined) => void;
  /** Asked at each scrape; undefined while it is not known. */
  readonly deadLetters: (count: () => number | undefined) => void;
};

const serviceName = "lastro";
const exportIntervalMs = 15_000;
const exportTimeoutMs = 5_000;
/** The exporter gives up first, and says so. */
const readerTimeoutMs = 2 * exportTimeoutMs;
/** A collector that does not answer must not keep the service from ending. */
const shutdownBudgetMs = 1_000;

export function startTelemetry(options: TelemetryOptions): Telemetry {
  const trouble = openTrouble(options.log);
  hearSdk(trouble);
  const resource = resourceFromAttributes({ "service.name": serviceName });
  const prometheus = new PrometheusExporter({ preventServerStart: true, withoutScopeInfo: true });
  const tracing = startTracing(resource, options, trouble);
  const metering = new MeterProvider({
    resource,
    readers: [
      prometheus,
      ...(options.otlpEndpoint === undefined ? [] : [metricsTo(options.otlpEndpoint, trouble)]),
    ],
  });
  const tracer = tracing?.getTracer(serviceName);
  const metrics = openMetrics(metering.getMeter(serviceName));
  const up = new Map<string, number>();
  metrics.show("lastro_dependency_up", () =>
    up.entries().map(([dependency, value]) => ({ value, labels: { dependency } })),
  );
  return {
    observer: otelObserver(tracer ?? trace.getTracer(serviceName), metrics),
    metrics: (request, response) => prometheus.getMetricsRequestHandler(request, response),
    tracedStore: (store) => tracedStore(store, tracer, metrics),
    grpcInterceptor: rpcInterceptor(tracer, metrics),
    observeRequest: restObserver(tracer, metrics),
    dependency: (name, isUp) => void up.set(name, isUp ? 1 : 0),
    certificates(terms) {
      const show = (name: CertificateGauge, atMs: (term: CertificateTerm) => number): void =>
        metrics.show(name, () =>
          Object.entries(terms()).flatMap(([certificate, term]) =>
            term === undefined ? [] : [{ value: atMs(term) / 1_000, labels: { certificate } }],
          ),
        );
      show("lastro_certificate_expires_seconds", ({ expiresAtMs }) => expiresAtMs);
      show("lastro_certificate_renew_by_seconds", ({ renewByMs }) => renewByMs);
    },
    storeLag: (ms) => metrics.show("lastro_store_lag_seconds", () => secondsOf(ms())),
    deadLetters: (count) => metrics.show("lastro_dead_letters", () => known(count())),
    async [Symbol.asyncDispose]() {
      const flushed = Promise.allSettled([tracing?.shutdown(), metering.shutdown()]).then(() => true);
      const late = new Promise<boolean>((done) => setTimeout(done, shutdownBudgetMs, false).unref());
      if (!(await Promise.race([flushed, late]))) trouble.noticed();
      context.disable();
      diag.disable();
    },
  };
}

const secondsOf = (ms: number | undefined): readonly GaugeValue[] =>
  known(ms === undefined ? undefined : ms / 1_000);

/** Undefined without a collector: spans nobody gets would make every call dearer, and every wait within it. */
function startTracing(resource: Resource, { otlpEndpoint, sampleRatio }: TelemetryOptions, trouble: Trouble) {
  if (otlpEndpoint === undefined) return undefined;
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  return new TracerProvider({
    resource,
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampleRatio) }),
    spanProcessors: [spansTo(otlpEndpoint, trouble)],
  });
}

const spansTo = (endpoint: string, { heard }: Trouble): SpanProcessor =>
  new BatchSpanProcessor({
    exporter: heard(
      new OTLPTraceExporter({ url: signalUrl(endpoint, "traces"), timeoutMillis: exportTimeoutMs }),
    ),
  });

const metricsTo = (endpoint: string, { heard }: Trouble): PeriodicExportingMetricReader =>
  new PeriodicExportingMetricReader({
    exporter: heard(
      new OTLPMetricExporter({ url: signalUrl(endpoint, "metrics"), timeoutMillis: exportTimeoutMs }),
    ),
    exportIntervalMillis: exportIntervalMs,
    exportTimeoutMillis: readerTimeoutMs,
  });

const signalUrl = (endpoint: string, signal: "traces" | "metrics"): string =>
  `${endpoint.replace(/\/$/, "")}/v1/${signal}`;

function hearSdk({ noticed }: Trouble): void {
  const nothing = (): void => {};
  diag.setLogger(
    { error: noticed, warn: nothing, info: nothing, debug: nothing, verbose: nothing },
    { logLevel: DiagLogLevel.ERROR, suppressOverrideMessage: true },
  );
}
