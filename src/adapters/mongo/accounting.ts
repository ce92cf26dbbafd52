/**
 * ⑦ account: the chain of account documents whose end is the mark. The rows of a step lie in the account document, put there by the
 * compare-and-set that moves the mark, until the next step copies them to `outcomes`: what lost or was cut short leaves no row.
 */
import { BSON } from "mongodb";
import type { Src } from "../../core/ids.ts";
import type { OutcomeRow } from "../../core/outcome.ts";
import { type AccountStep, entryAgeMaxMs, entryOffsetsMax } from "../../ports/record-store.ts";
import { dateOf } from "./bson-values.ts";
import type { AccountDocument, Collections, OutcomeDocument } from "./collections.ts";
import { isDuplicateKey } from "./errors.ts";
import { insertAbsent } from "./follow-ups.ts";

/** Of the rows in one account document. A row is about 300 bytes and, with its pointer of 512 characters, below 3 KiB. */
const pendingBytesMax = 1024 * 1024;

type Verdict = "done" | "mark_lost";

export async function account(
  collections: Collections,
  step: AccountStep,
  bytesMax = pendingBytesMax,
): Promise<Verdict> {
  for (const part of partsOf(step, bytesMax)) {
    if ((await accountPart(collections, part)) === "mark_lost") return "mark_lost";
  }
  return "done";
}

/** A step is the sum of steps over its parts, so one with too many rows for a document moves the mark several times. */
export function* partsOf(step: AccountStep, bytesMax: number): Generator<AccountStep> {
  let [from, bytes, rows]: [number, number, OutcomeRow[]] = [step.from, 0, []];
  for (const row of step.outcomes) {
    const size = BSON.calculateObjectSize(row);
    if (bytes + size > bytesMax && rows.length > 0) {
      yield { ...step, from, to: row.from, outcomes: rows };
      [from, bytes, rows] = [row.from, 0, []];
    }
    bytes += size;
    rows.push(row);
  }
  yield { ...step, from, outcomes: rows };
}

async function accountPart(collections: Collections, step: AccountStep): Promise<Verdict> {
  const last = await collections.accounts.findOne({ src: step.src }, { sort: { n: -1 } });
  if (last !== null && last.to !== step.from) return "mark_lost";
  // Already true, so whoever copies them, in whatever order, writes the same.
  if (last !== null) await insertAbsent(collections.outcomes, last.pending.map(outcomeDocument(step.src)));
  return last === null || last.closed ? begin(collections, step, last) : extend(collections, step, last);
}

const isFull = (openedAtMs: number, from: number, { atMs, to }: AccountStep): boolean =>
  atMs - openedAtMs >= entryAgeMaxMs || to - from >= entryOffsetsMax;

async function begin(
  { accounts }: Collections,
  step: AccountStep,
  last: AccountDocument | null,
): Promise<Verdict> {
  const { src, from, to, atMs, outcomes: pending } = step;
  const closed = isFull(atMs, from, step);
  const n = last === null ? 0 : last.n + 1;
  const openedAt = dateOf(atMs);
  try {
    await accounts.insertOne({
      _id: `${src}#${from}`, src, n, from, to, openedAt, closed, pendingFrom: from, pending,
    }); // biome-ignore format: the document at a glance
    return "done";
  } catch (error) {
    if (isDuplicateKey(error)) return "mark_lost";
    throw error;
  }
}

async function extend({ accounts }: Collections, step: AccountStep, last: AccountDocument): Promise<Verdict> {
  const closed = isFull(last.openedAt.getTime(), last.from, step);
  const { matchedCount } = await accounts.updateOne(
    { _id: last._id, to: step.from, closed: false },
    { $set: { to: step.to, closed, pendingFrom: step.from, pending: step.outcomes } },
  );
  return matchedCount === 1 ? "done" : "mark_lost";
}

const outcomeDocument =
  (src: Src) =>
  (row: OutcomeRow): OutcomeDocument => ({
    ...row,
    _id: `${src}#${row.from}`,
    src,
    width: row.to - row.from,
  });
