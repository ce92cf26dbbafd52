/** What operators see and do: conditions come from this process, marks and outcomes from the store, ends from Kafka. */
import { LastroError } from "../core/errors.ts";
import { parseSrc, type Src } from "../core/ids.ts";
import type { DeadLetters } from "../ports/dead-letters.ts";
import type { SourcePartition } from "../ports/event-source.ts";
import type { PartitionState } from "../ports/observer.ts";
import type { IntakeQuery, Operations, PartitionIntake } from "../ports/operations.ts";
import type { ConsumeDeps, Consumer } from "./consume.ts";
import type { PartitionCondition } from "./partitions.ts";
import { type SkipDeps, skipOffsets } from "./skip.ts";

export type OperateDeps = SkipDeps & {
  readonly state: Pick<ConsumeDeps["state"], "breaker">;
  readonly deadLetters: Pick<DeadLetters, "replay">;
  /** Deliveries of one dead letter before it is parked. */
  readonly replayAttemptsMax: number;
};

export function operate(deps: OperateDeps, consumer: Consumer): Operations {
  const heldSrc = (partition: number): Src => {
    const held = [...consumer.held.values()].find(({ source }) => source.partition === partition);
    if (held === undefined)
      throw new LastroError("NOT_FOUND", `this process does not hold partition ${partition}`);
    return held.source.src;
  };
  return {
    async intake(query, signal) {
      const [live, marks, breaker] = await Promise.all([
        deps.source.partitions(signal).catch((): readonly SourcePartition[] => []),
        deps.records.sources(signal),
        deps.state.breaker(signal),
      ]);
      const markOf = new Map(marks.map(({ src, mark }) => [src, mark]));
      const liveOf = new Map(live.map((partition) => [partition.src, partition]));
      const known = new Set([...markOf.keys(), ...liveOf.keys(), ...consumer.held.keys()]);
      const unknown = query.srcs.find((src) => !known.has(src));
      if (unknown !== undefined)
        throw new LastroError("NOT_FOUND", "no such partition is known", { field: "srcs" });
      const srcs = query.srcs.length > 0 ? [...new Set(query.srcs)] : [...known].sort();
      const partitions = srcs.map((src) =>
        intakeOf(deps, consumer, query, src, markOf.get(src), liveOf.get(src), signal),
      );
      return { partitions: await Promise.all(partitions), breaker };
    },
    outcomes: (query, signal) => deps.records.outcomes(query, signal),
    async skip(src, from, to, reason, signal) {
      await skipOffsets(deps, consumer, { src, from, to, reason }, signal);
      return to;
    },
    resume: (target, options) =>
      consumer.reopen("src" in target ? target.src : heldSrc(target.partition), options),
    resumeBreaker: () => consumer.closeBreaker(),
    replay: (positions, signal) => deps.deadLetters.replay(positions, deps.replayAttemptsMax, signal),
  };
}

async function intakeOf(
  deps: OperateDeps,
  consumer: Consumer,
  query: IntakeQuery,
  src: Src,
  mark: number | undefined,
  live: SourcePartition | undefined,
  signal: AbortSignal,
): Promise<PartitionIntake> {
  const condition = consumer.held.get(src)?.condition;
  const to = Math.min(query.to ?? Number.MAX_SAFE_INTEGER, mark ?? 0);
  return {
    src,
    partition: parseSrc(src).partition,
    state: stateOf(condition),
    why: condition !== undefined && "code" in condition ? condition : undefined,
    mark,
    lag: live === undefined ? undefined : Math.max(0, live.logEnd - (mark ?? live.logStart)),
    counted: await deps.records.counts(src, Math.min(query.from, to), to, signal),
  };
}

function stateOf(condition: PartitionCondition | undefined): PartitionState {
  if (condition === undefined) return "released";
  return condition.kind === "opening" ? "waiting" : condition.kind;
}
