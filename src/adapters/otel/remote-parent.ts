/** The caller's trace context (W3C), believed for linking only. */
import { type Context, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { parseTraceParent } from "@opentelemetry/core";

/** The root where `traceparent` is absent or not valid. */
export function remoteParent(traceparent: unknown): Context {
  const parent = typeof traceparent === "string" ? parseTraceParent(traceparent) : null;
  return parent === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, { ...parent, isRemote: true });
}
