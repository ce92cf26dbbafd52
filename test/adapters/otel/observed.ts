/** Telemetry into memory, and what a scrape would show. */
import { context } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { openMetrics } from "../../../src/adapters/otel/metrics.ts";

export function observed() {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const spans = new InMemorySpanExporter();
  const tracing = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] });
  const reader = new PrometheusExporter({ preventServerStart: true });
  const metering = new MeterProvider({ readers: [reader] });
  return {
    tracer: tracing.getTracer("test"),
    metrics: openMetrics(metering.getMeter("test")),
    spans: () => spans.getFinishedSpans(),
    async scrape() {
      const { resourceMetrics } = await reader.collect();
      return new PrometheusSerializer("", false, undefined, true, true).serialize(resourceMetrics);
    },
  };
}
