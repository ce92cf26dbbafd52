/** Readiness, part by part, and shown as metrics of the servers. Hints, the log, its witnesses and anchors degrade the service; store, Kafka, breaker and stopped partitions take it out of rotation. */
import type { Telemetry } from "./adapters/otel/telemetry.ts";
import type { Consumer } from "./ingest/consume.ts";
import { repeat } from "./lib/upkeep.ts";
import { haltSentence } from "./log/halt.ts";
import type { LogState } from "./log/run-log.ts";
import type { DedupHints } from "./ports/dedup-hints.ts";
import type { EventSource } from "./ports/event-source.ts";
import type { LogThread } from "./run-log-thread.ts";
import type { PartHealth, Readiness } from "./servers/http/server.ts";

export type ReadinessParts = {
  /** Whether the store answered the last probe. */
  readonly store: boolean;
  readonly source: Pick<EventSource, "isConnected">;
  readonly hints: Pick<DedupHints, "isConnected">;
  readonly consumer: Pick<Consumer, "held">;
  /** Undefined where the log is off. */
  readonly log: LogThread | undefined;
};

const othersHealth = (missing: readonly string[], what: string): PartHealth => ({
  ok: missing.length === 0,
  required: false,
  ...(missing.length > 0 && { detail: `${what}: ${missing.join(", ")}` }),
});

/** Intake never waits for the log, so it takes nothing out of rotation. */
function logHealth(state: LogState): PartHealth {
  switch (state.kind) {
    case "halted":
      return {
        ok: false,
        required: false,
        detail: `halted, ${state.halt.reason}: ${haltSentence(state.halt)}`,
      };
    case "waiting":
      return { ok: false, required: false, detail: `waits, ${state.code}: ${state.sentence}` };
    case "standby":
      return { ok: true, required: false, detail: "another instance extends it" };
    default:
      return { ok: true, required: false };
  }
}

export function readinessOf({ store, source, hints, consumer, log }: ReadinessParts): Readiness {
  const conditions = [...consumer.held.values()].map((held) => ({
    partition: held.source.partition,
    ...held.condition,
  }));
  const isBreakerOpen = conditions.some((held) => "code" in held && held.code === "BREAKER_OPEN");
  const isConnected = source.isConnected();
  const halted = conditions.filter(({ kind }) => kind === "stopped" || kind === "waiting");
  return {
    store: {
      ok: store,
      required: true,
      ...(!store && { detail: "the store does not answer; intake waits and goes on by itself" }),
    },
    kafka: {
      ok: isConnected,
      required: true,
      ...(!isConnected && {
        detail: "Kafka does not answer, or the topic is not there; intake waits and goes on by itself",
      }),
    },
    redis: { ok: hints.isConnected(), required: false },
    breaker: {
      ok: !isBreakerOpen,
      required: true,
      ...(isBreakerOpen && { detail: "open: look at the dead letters, then ResumePartition with breaker" }),
    },
    partitions: {
      ok: halted.length === 0,
      required: true,
      ...(halted.length > 0 && {
        detail: halted
          .map((held) => `${held.partition}: ${"code" in held ? held.code : held.kind}`)
          .join(", "),
      }),
    },
    ...(log !== undefined && {
      log: logHealth(log.state()),
      witnesses: othersHealth(log.missing().witnesses, "did not cosign"),
      anchors: othersHealth(log.missing().anchors, "did not keep the checkpoint"),
    }),
  };
}

const shownMs = 2_000;
const dependencies = ["store", "kafka", "redis"] as const;

export function showDependencies(
  parts: () => Readiness,
  show: Telemetry["dependency"],
  signal: AbortSignal,
): void {
  const showAll = async (): Promise<void> => {
    for (const name of dependencies) show(name, parts()[name]?.ok ?? false);
  };
  void repeat(shownMs, signal, showAll, () => undefined);
}
