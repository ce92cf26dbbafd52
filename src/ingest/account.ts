/** ⑦ account: one outcome for each offset of a batch. Dead letters are acknowledged before the mark moves. */
import { createHmac } from "node:crypto";
import { assertNever } from "../core/errors.ts";
import type { SourceEvent } from "../core/event.ts";
import type { DeadLetterPosition, OutcomeRow } from "../core/outcome.ts";
import type { DeadLetter } from "../ports/dead-letters.ts";
import type { SourceBatch } from "../ports/event-source.ts";
import type { AccountStep } from "../ports/record-store.ts";
import type { IntakeDeps } from "./deps.ts";
import { type Fate, type Fates, needsDeadLetter } from "./fate.ts";

const saltBytes = 32;

/** Letters that were acknowledged, by source offset. */
export type SentLetters = ReadonlyMap<
  number,
  { readonly letter: DeadLetter; readonly at: DeadLetterPosition }
>;

/** The step that accounts for the whole batch, or undefined while a fate lacks its dead letter. */
export function accountStep(
  batch: SourceBatch,
  fates: Fates,
  letters: SentLetters,
  atMs: number,
): AccountStep | undefined {
  const outcomes: OutcomeRow[] = [];
  let next = batch.from;
  for (const offset of offsetsOf(batch, fates)) {
    if (offset > next) outcomes.push({ kind: "gap", from: next, to: offset, cause: "undelivered" });
    next = offset + 1;
    const fate = fates.get(offset);
    if (fate === undefined) throw new Error(`offset ${offset} has no fate`);
    if (fate.kind === "stored") continue;
    const row = outcomeRow(offset, fate, letters);
    if (row === undefined) return undefined;
    outcomes.push(row);
  }
  if (batch.to > next) outcomes.push({ kind: "gap", from: next, to: batch.to, cause: "undelivered" });
  return { src: batch.src, from: batch.from, to: batch.to, atMs, outcomes };
}

/** Ascending: those of events, and those that have a record without one. */
function offsetsOf({ events }: SourceBatch, fates: Fates): readonly number[] {
  const offsets = events.map(({ offset }) => offset);
  if (fates.size <= offsets.length) return offsets;
  return [...new Set([...offsets, ...fates.keys()])].sort((a, b) => a - b);
}

function outcomeRow(
  offset: number,
  fate: Exclude<Fate, { kind: "stored" }>,
  letters: SentLetters,
): OutcomeRow | undefined {
  const range = { from: offset, to: offset + 1 };
  if (fate.kind === "duplicate") return { kind: "duplicate", ...range, original: fate.original };
  const sent = letters.get(offset);
  if (sent === undefined) return undefined;
  const proof = { commitment: commitmentOf(sent.letter), deadLetter: sent.at };
  switch (fate.kind) {
    case "conflict":
      return { kind: "conflict", ...range, ...proof, original: fate.original };
    case "rejected":
      return { kind: "rejected", ...range, ...proof, rejection: fate.rejection };
    default:
      return assertNever(fate);
  }
}

const commitmentOf = ({ salt, event }: DeadLetter): string =>
  createHmac("sha256", salt)
    .update(event.value ?? new Uint8Array())
    .digest("base64url");

/** Sends the batch's bad data to the dead letters; resolves once every letter is acknowledged. */
export async function sendDeadLetters(
  deps: IntakeDeps,
  batch: SourceBatch,
  fates: Fates,
  signal: AbortSignal,
): Promise<SentLetters> {
  const letters = batch.events.flatMap((event) => {
    const fate = fates.get(event.offset);
    return fate !== undefined && needsDeadLetter(fate) ? [letterOf(deps, batch, event, fate)] : [];
  });
  if (letters.length === 0) return new Map();
  const positions = await deps.deadLetters.send(letters, signal);
  return new Map(
    letters.flatMap((letter, index) => {
      const at = positions[index];
      return at === undefined ? [] : [[letter.source.offset, { letter, at }] as const];
    }),
  );
}

function letterOf(deps: IntakeDeps, batch: SourceBatch, event: SourceEvent, fate: Fate): DeadLetter {
  const { topic, topicId, partition } = batch;
  const source = { topic, topicId, partition, offset: event.offset };
  const salt = deps.random(saltBytes);
  if (fate.kind === "rejected") return { source, event, salt, stage: fate.stage, ...fate.rejection };
  return {
    source,
    event,
    salt,
    stage: "dedup",
    reason: "CONFLICT",
    pointer: "",
    sentence:
      "An event with this identity but other content is already stored; give every event an id of its own.",
  };
}
