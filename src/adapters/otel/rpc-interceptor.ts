/** Spans and durations of gRPC calls. The caller's trace context is believed for linking only; requests and answers are not looked at. */

import { ServerInterceptingCall, type ServerInterceptor, ServerListenerBuilder, status } from "@grpc/grpc-js";
import {
  type Attributes,
  type Context,
  context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { Metrics } from "./metrics.ts";
import { remoteParent } from "./remote-parent.ts";

/** Statuses that are the server's fault; the others are answers. */
const faults: ReadonlySet<status> = new Set([
  status.UNKNOWN,
  status.DEADLINE_EXCEEDED,
  status.UNIMPLEMENTED,
  status.INTERNAL,
  status.UNAVAILABLE,
  status.DATA_LOSS,
]);

/** Without a tracer calls are timed only. grpc-js asks interceptors only for methods it serves, so the method is a safe label. */
export function rpcInterceptor(tracer: Tracer | undefined, metrics: Metrics): ServerInterceptor {
  return (method, call) => {
    const name = method.path.slice(1);
    const startedMs = performance.now();
    const spanned = tracer && openSpan(tracer, name);
    let isEnded = false;
    const end = (code: status): void => {
      if (isEnded) return;
      isEnded = true;
      const labels = { "rpc.method": name, "rpc.response.status_code": status[code] ?? "UNKNOWN" };
      metrics.record("rpc_server_call_duration_seconds", (performance.now() - startedMs) / 1_000, labels);
      spanned?.end(code, labels);
    };
    const listener = (spanned?.listener ?? new ServerListenerBuilder())
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

/** The span of one call, which whatever the call sets off finds as the active one. */
function openSpan(tracer: Tracer, name: string) {
  let span: Span | undefined;
  let inside: Context = ROOT_CONTEXT;
  const listener = new ServerListenerBuilder()
    .withOnReceiveMetadata((metadata, next) => {
      const parent = remoteParent(metadata.get("traceparent")[0]);
      const attributes = { "rpc.system.name": "grpc" };
      span = tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, parent);
      inside = trace.setSpan(parent, span);
      context.with(inside, next, undefined, metadata);
    })
    .withOnReceiveMessage((message, next) => context.with(inside, next, undefined, message))
    .withOnReceiveHalfClose((next) => context.with(inside, next));
  const end = (code: status, labels: Attributes): void => {
    if (faults.has(code)) span?.setStatus({ code: SpanStatusCode.ERROR });
    span?.setAttributes(labels).end();
  };
  return { listener, end };
}
