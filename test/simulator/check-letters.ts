/** Dead letters held against what was published and accounted for: bad data is there whole with its reasons, and nothing else is. */
import { createHmac } from "node:crypto";
import { ridOf } from "../../src/core/ids.ts";
import type { OutcomeRow } from "../../src/core/outcome.ts";
import type { DeadLetter } from "../../src/ports/dead-letters.ts";
import type { Letter } from "./letters.ts";
import { idOf } from "./load.ts";
import { deadLetterTopic, type Partition, partitionOf } from "./topic.ts";
import { assert } from "./violation.ts";

const isSame = (one: Uint8Array | null, other: Uint8Array | null | undefined): boolean =>
  one === null || !other ? one === other : Buffer.compare(one, other) === 0;

const headerOf = ({ headers }: Letter, name: string): string =>
  Buffer.from(headers.find(([one]) => one === `audit.dlq.${name}`)?.[1] ?? []).toString("utf8");

/** What is accounted for as bad data lies among the letters, at the place that the row names. */
export function checkLettered(partition: Partition, row: OutcomeRow, letters: readonly Letter[]): void {
  if (row.kind === "duplicate" || row.kind === "gap") return;
  const { from, deadLetter } = row;
  const where = ridOf(partition.src, from);
  const letter = deadLetter.topic === deadLetterTopic ? letters[deadLetter.offset] : undefined;
  assert(letter !== undefined, () => `${where} is accounted for as ${row.kind}, and has no dead letter`);
  const event = partition.events[from];
  const isWhole = isSame(letter.key, event?.key) && isSame(letter.value, event?.value);
  assert(isWhole, () => `the dead letter of ${where} holds other bytes than were published`);
  const { reason, pointer, sentence } = row.kind === "rejected" ? row.rejection : conflict(letter);
  const due = {
    incarnation: partition.topicId,
    partition: partition.number,
    offset: from,
    reason,
    pointer,
    message: sentence,
  };
  for (const [name, value] of Object.entries(due))
    assert(
      headerOf(letter, name) === String(value),
      () => `the dead letter of ${where} says of its ${name} ${headerOf(letter, name)}, and not ${value}`,
    );
  const salt = Buffer.from(headerOf(letter, "salt"), "base64url");
  const commitment = createHmac("sha256", salt)
    .update(letter.value ?? new Uint8Array())
    .digest("base64url");
  assert(commitment === row.commitment, () => `the row of ${where} commits to another dead letter`);
}

/** Its row says no more than that it is one. */
const conflict = (letter: Letter) => ({
  reason: "CONFLICT",
  pointer: "",
  sentence: headerOf(letter, "message"),
});

/** Trouble of infrastructure never makes a dead letter: only what is no event, or not the only one of its identity, may be one. */
export function checkLetter(partitions: readonly Partition[], { source, event }: DeadLetter): void {
  const sent = partitionOf(partitions, source)?.events[source.offset];
  assert(
    sent !== undefined && isSame(event.value, sent.value),
    () => `a letter holds other bytes than ${source.offset}`,
  );
  const id = idOf(Buffer.from(event.value ?? []).toString("utf8"));
  const isRival = (one: Partition["events"][number]): boolean => {
    const value = one?.value ? Buffer.from(one.value).toString("utf8") : undefined;
    return value !== undefined && idOf(value) === id && !isSame(event.value, one?.value);
  };
  assert(
    id === undefined || partitions.some(({ events }) => events.some(isRival)),
    () => `a good event at ${source.offset} became a dead letter`,
  );
}
