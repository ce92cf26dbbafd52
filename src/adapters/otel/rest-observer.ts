/** Spans and durations of REST requests, by OpenTelemetry's names for HTTP servers. */
import { context, SpanKind, SpanStatusCode, type Tracer, trace } from "@opentelemetry/api";
import type { ObserveRequest } from "../../ports/request-observer.ts";
import type { Metrics } from "./metrics.ts";
import { remoteParent } from "./remote-parent.ts";

/** Those that routes have: others would be labels that whoever comes can make. */
const methods: ReadonlySet<string> = new Set(["GET", "HEAD", "POST"]);

/** Without a tracer requests are timed only. */
export function restObserver(tracer: Tracer | undefined, metrics: Metrics): ObserveRequest {
  return ({ method: given, route = "none", traceparent }) => {
    const method = methods.has(given) ? given : "_OTHER";
    const startedMs = performance.now();
    const parent = remoteParent(traceparent);
    const span = tracer?.startSpan(`${method} ${route}`, { kind: SpanKind.SERVER }, parent);
    const inside = span && trace.setSpan(parent, span);
    return {
      within: (work) => (inside === undefined ? work() : context.with(inside, work)),
      end(status) {
        const labels = {
          "http.request.method": method,
          "http.route": route,
          "http.response.status_code": status,
        };
        metrics.record(
          "http_server_request_duration_seconds",
          (performance.now() - startedMs) / 1_000,
          labels,
        );
        if (status >= 500) span?.setStatus({ code: SpanStatusCode.ERROR });
        span?.setAttributes(labels).end();
      },
    };
  };
}
