/** Operators' answers and questions: domain ⇄ generated messages. Part of the wire, see wire.ts. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { assertNever } from "../core/errors.ts";
import { isTopicName } from "../core/ids.ts";
import type { DeadLetterPosition, OutcomeCounts, OutcomeRow } from "../core/outcome.ts";
import {
  type BreakerSchema,
  type DeadLetterPosition as DeadLetterPositionMessage,
  OutcomeKind,
  type OutcomeSchema,
  type PartitionIntakeSchema,
  PartitionState,
  ReplayVerdict,
} from "../gen/lastro/v1/operations_pb.ts";
import type { ReplayVerdict as Verdict } from "../ports/dead-letters.ts";
import type { PartitionIntake } from "../ports/operations.ts";
import type { BreakerState } from "../ports/store-state.ts";
import { invalid } from "../query/deps.ts";
import { numberOf } from "./wire.ts";

const stateToWire = {
  running: PartitionState.RUNNING,
  waiting: PartitionState.WAITING,
  stopped: PartitionState.STOPPED,
  released: PartitionState.RELEASED,
} as const;
const verdictToWire = {
  replayed: ReplayVerdict.REPLAYED,
  parked: ReplayVerdict.PARKED,
  missing: ReplayVerdict.MISSING,
  untried: ReplayVerdict.UNTRIED,
  unknown: ReplayVerdict.UNKNOWN,
} as const;

export const countsToWire = (counts: OutcomeCounts) => ({
  stored: BigInt(counts.stored),
  duplicate: BigInt(counts.duplicate),
  conflict: BigInt(counts.conflict),
  rejected: BigInt(counts.rejected),
  gap: BigInt(counts.gap),
});

export const intakeToWire = (intake: PartitionIntake): MessageInitShape<typeof PartitionIntakeSchema> => ({
  src: intake.src,
  partition: intake.partition,
  state: stateToWire[intake.state],
  reason: intake.why?.code ?? "",
  message: intake.why?.message ?? "",
  ...(intake.mark === undefined ? {} : { mark: BigInt(intake.mark) }),
  ...(intake.lag === undefined ? {} : { lag: BigInt(intake.lag) }),
  counts: countsToWire(intake.counted.counts),
  countedFrom: BigInt(intake.counted.from),
  countedTo: BigInt(intake.counted.to),
});

export const breakerToWire = (breaker: BreakerState): MessageInitShape<typeof BreakerSchema> => ({
  open: breaker.open,
  since: timestampFromMs(breaker.sinceMs),
  rejected: BigInt(breaker.rejected),
  seen: BigInt(breaker.seen),
});

export function outcomeToWire(row: OutcomeRow): MessageInitShape<typeof OutcomeSchema> {
  const range = { fromOffset: BigInt(row.from), toOffset: BigInt(row.to) };
  switch (row.kind) {
    case "duplicate":
      return { ...range, kind: OutcomeKind.DUPLICATE, originalRid: row.original };
    case "gap":
      return { ...range, kind: OutcomeKind.GAP, reason: row.cause };
    case "conflict":
      return { ...range, kind: OutcomeKind.CONFLICT, originalRid: row.original, ...letterToWire(row) };
    case "rejected": {
      const { reason, pointer, sentence } = row.rejection;
      return { ...range, kind: OutcomeKind.REJECTED, reason, pointer, sentence, ...letterToWire(row) };
    }
    default:
      return assertNever(row);
  }
}

const letterToWire = (row: { readonly commitment: string; readonly deadLetter: DeadLetterPosition }) => ({
  commitment: row.commitment,
  deadLetter: {
    topic: row.deadLetter.topic,
    partition: row.deadLetter.partition,
    offset: BigInt(row.deadLetter.offset),
  },
});

export function outcomeKindFromWire(kind: OutcomeKind): OutcomeRow["kind"] {
  switch (kind) {
    case OutcomeKind.DUPLICATE:
      return "duplicate";
    case OutcomeKind.CONFLICT:
      return "conflict";
    case OutcomeKind.REJECTED:
      return "rejected";
    case OutcomeKind.GAP:
      return "gap";
    default:
      throw invalid("kinds", "holds a kind that has no outcome rows");
  }
}

export function positionFromWire(position: DeadLetterPositionMessage): DeadLetterPosition {
  const { topic, partition } = position;
  if (!isTopicName(topic)) throw invalid("positions", "holds a topic that is no Kafka topic name");
  return { topic, partition, offset: numberOf(position.offset, "positions") };
}

export const verdictsToWire = (verdicts: readonly Verdict[]) =>
  verdicts.map((verdict) => verdictToWire[verdict]);
