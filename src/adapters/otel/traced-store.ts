/** A store whose calls are timed and traced. Changes nothing of what they do; arguments and answers are not looked at. */
import { SpanKind, SpanStatusCode, type Tracer } from "@opentelemetry/api";
import { LastroError } from "../../core/errors.ts";
import type { Store } from "../../ports/store.ts";
import type { Metrics } from "./metrics.ts";

const failureOf = (error: unknown) => ({
  "error.type": error instanceof LastroError ? error.code : "INTERNAL",
});

type Call = (...args: readonly unknown[]) => Promise<unknown>;

/** Without a tracer calls are timed only. */
export function tracedStore(store: Store, tracer: Tracer | undefined, metrics: Metrics): Store {
  const timed = (name: string, call: Call): Call => {
    const labels = { "db.operation.name": name };
    return async (...args) => {
      const startedMs = performance.now();
      let failed: { readonly "error.type": string } | undefined;
      try {
        return await call(...args);
      } catch (error) {
        failed = failureOf(error);
        throw error;
      } finally {
        const seconds = (performance.now() - startedMs) / 1_000;
        metrics.record(
          "db_client_operation_duration_seconds",
          seconds,
          failed ? { ...labels, ...failed } : labels,
        );
      }
    };
  };
  const spanned =
    (name: string, call: Call, tracer: Tracer): Call =>
    (...args) =>
      tracer.startActiveSpan(name, { kind: SpanKind.CLIENT }, async (span) => {
        try {
          return await call(...args);
        } catch (error) {
          span.setStatus({ code: SpanStatusCode.ERROR }).setAttributes(failureOf(error));
          throw error;
        } finally {
          span.end();
        }
      });
  const traced = <T extends object>(face: string, port: T): T => {
    const calls = new Map<string, Call>();
    const around = (key: string, call: Call): Call => {
      const name = `${face}.${key}`;
      const made = tracer === undefined ? timed(name, call) : spanned(name, timed(name, call), tracer);
      calls.set(key, made);
      return made;
    };
    return new Proxy(port, {
      get(target, key) {
        const member: unknown = Reflect.get(target, key);
        if (typeof key !== "string" || typeof member !== "function") return member;
        return calls.get(key) ?? around(key, (...args) => member.apply(target, args));
      },
    });
  };
  return {
    records: traced("records", store.records),
    history: traced("history", store.history),
    keys: traced("keys", store.keys),
    state: traced("state", store.state),
    audit: traced("audit", store.audit),
    log: traced("log", store.log),
    index: traced("index", store.index),
    description: store.description,
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}
