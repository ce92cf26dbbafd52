/** Spans and durations of gRPC calls. The caller's trace context is believed for linking only; requests and answers are not looked at. */

import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptor,
  ServerListenerBuilder,
  status,
} from "@grpc/grpc-js";
import {
  type Context,
  context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { parseTraceParent } from "@opentelemetry/core";
import type { Metrics } from "./metrics.ts";

/** Statuses that are the server's fault; the others are answers. */
const faults: ReadonlySet<status> = new Set([
  status.UNKNOWN,
  status.DEADLINE_EXCEEDED,
  status.UNIMPLEMENTED,
  status.INTERNAL,
  status.UNAVAILABLE,
  status.DATA_LOSS,
]);

/** grpc-js asks interceptors only for methods it serves, so the method is a safe label. */
export function rpcInterceptor(tracer: Tracer, metrics: Metrics): ServerInterceptor {
  return (method, call) => {
    const name = method.path.slice(1);
    const startedMs = performance.now();
    let span: Span | undefined;
    let inside: Context = ROOT_CONTEXT;
    let isEnded = false;
    const end = (code: status): void => {
      if (isEnded) return;
      isEnded = true;
      const labels = { "rpc.method": name, "rpc.response.status_code": status[code] ?? "UNKNOWN" };
      metrics.record("rpc_server_call_duration_seconds", (performance.now() - startedMs) / 1_000, labels);
      if (faults.has(code)) span?.setStatus({ code: SpanStatusCode.ERROR });
      span?.setAttributes(labels).end();
    };
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        const parent = parentOf(metadata);
        span = tracer.startSpan(
          name,
          { kind: SpanKind.SERVER, attributes: { "rpc.system.name": "grpc" } },
          parent,
        );
        inside = trace.setSpan(parent, span);
        context.with(inside, next, undefined, metadata);
      })
      .withOnReceiveMessage((message, next) => context.with(inside, next, undefined, message))
      .withOnReceiveHalfClose((next) => context.with(inside, next))
      .withOnCancel(() => end(status.CANCELLED))
      .build();
    return new ServerInterceptingCall(call, {
      start: (next) => next(listener),
      sendStatus: (answer, next) => {
        next(answer);
        end(answer.code);
      },
    });
  };
}

function parentOf(metadata: Metadata): Context {
  const header = metadata.get("traceparent")[0];
  const parent = typeof header === "string" ? parseTraceParent(header) : null;
  return parent === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, { ...parent, isRemote: true });
}
