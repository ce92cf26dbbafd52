/** A store whose calls are timed and traced. Changes nothing of what they do; arguments and answers are not looked at. */
import { SpanKind, SpanStatusCode, type Tracer } from "@opentelemetry/api";
import { LastroError } from "../../core/errors.ts";
import type { Store } from "../../ports/store.ts";
import type { Metrics } from "./metrics.ts";

export function tracedStore(store: Store, tracer: Tracer, metrics: Metrics): Store {
  const around = (face: string, operation: string, call: () => unknown): Promise<unknown> => {
    const name = `${face}.${operation}`;
    return tracer.startActiveSpan(name, { kind: SpanKind.CLIENT }, async (span) => {
      const startedMs = performance.now();
      let failed = {};
      try {
        return await call();
      } catch (error) {
        failed = { "error.type": error instanceof LastroError ? error.code : "INTERNAL" };
        span.setStatus({ code: SpanStatusCode.ERROR }).setAttributes(failed);
        throw error;
      } finally {
        const labels = { "db.operation.name": name, ...failed };
        metrics.record(
          "db_client_operation_duration_seconds",
          (performance.now() - startedMs) / 1_000,
          labels,
        );
        span.end();
      }
    });
  };
  const traced = <T extends object>(face: string, port: T): T =>
    new Proxy(port, {
      get(target, key) {
        const member: unknown = Reflect.get(target, key);
        if (typeof key !== "string" || typeof member !== "function") return member;
        return (...args: unknown[]) => around(face, key, () => member.apply(target, args));
      },
    });
  return {
    records: traced("records", store.records),
    history: traced("history", store.history),
    keys: traced("keys", store.keys),
    state: traced("state", store.state),
    description: store.description,
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}
