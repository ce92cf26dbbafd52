/** ⑦ account: the chain of account documents whose end is the mark, and the rows of offsets that are not stored. */
import type { Src } from "../../core/ids.ts";
import type { OutcomeCounts, OutcomeKind, OutcomeRow } from "../../core/outcome.ts";
import type { AccountStep, IntakeCounts, OutcomeQuery } from "../../ports/record-store.ts";
import { dateOf } from "./bson-values.ts";
import type { AccountDocument, Collections, OutcomeDocument } from "./collections.ts";
import { isDuplicateKey } from "./errors.ts";
import { insertAbsent } from "./follow-ups.ts";

const entryAgeMaxMs = 60_000;
const entryOffsetsMax = 10_000;
const noOutcomes: OutcomeCounts = { stored: 0, duplicate: 0, conflict: 0, rejected: 0, gap: 0 };

const lastEntry = ({ accounts }: Collections, src: Src): Promise<AccountDocument | null> =>
  accounts.findOne({ src }, { sort: { n: -1 } });

export const readMark = async (collections: Collections, src: Src): Promise<number | undefined> =>
  (await lastEntry(collections, src))?.to;

/** Rows beyond the mark are not yet true: a step that lost leaves none, one that was interrupted writes the same again. */
export async function account(collections: Collections, step: AccountStep): Promise<"done" | "mark_lost"> {
  const last = await lastEntry(collections, step.src);
  if (last !== null && last.to !== step.from) return "mark_lost";
  await insertAbsent(
    collections.outcomes,
    step.outcomes.map((row) => outcomeDocument(step.src, row)),
  );
  return last === null || last.closed ? begin(collections, step, last) : extend(collections, step, last);
}

const isFull = (openedAtMs: number, from: number, { atMs, to }: AccountStep): boolean =>
  atMs - openedAtMs >= entryAgeMaxMs || to - from >= entryOffsetsMax;

async function begin(
  { accounts }: Collections,
  step: AccountStep,
  last: AccountDocument | null,
): Promise<"done" | "mark_lost"> {
  const { src, from, to, atMs } = step;
  const closed = isFull(atMs, from, step);
  const n = last === null ? 0 : last.n + 1;
  try {
    await accounts.insertOne({ _id: `${src}#${from}`, src, n, from, to, openedAt: dateOf(atMs), closed });
    return "done";
  } catch (error) {
    if (isDuplicateKey(error)) return "mark_lost";
    throw error;
  }
}

async function extend(
  { accounts }: Collections,
  step: AccountStep,
  last: AccountDocument,
): Promise<"done" | "mark_lost"> {
  const closed = isFull(last.openedAt.getTime(), last.from, step);
  const { matchedCount } = await accounts.updateOne(
    { _id: last._id, to: step.from, closed: false },
    { $set: { to: step.to, closed } },
  );
  return matchedCount === 1 ? "done" : "mark_lost";
}

const outcomeDocument = (src: Src, row: OutcomeRow): OutcomeDocument => ({
  ...row,
  _id: `${src}#${row.from}`,
  src,
  width: row.to - row.from,
});

function outcomeRow({ _id, src, width, ...row }: OutcomeDocument): OutcomeRow {
  return row;
}

export async function readSources(
  collections: Collections,
): Promise<readonly { readonly src: Src; readonly mark: number }[]> {
  const sources = await collections.accounts.distinct("src");
  const marks = await Promise.all(
    sources.map(async (src) => ({ src, mark: await readMark(collections, src) })),
  );
  return marks.flatMap(({ src, mark }) => (mark === undefined ? [] : [{ src, mark }]));
}

/** Rows do not overlap, so only the last one that begins before an offset can reach over it. */
const rowBefore = ({ outcomes }: Collections, src: Src, offset: number): Promise<OutcomeDocument | null> =>
  outcomes.findOne({ src, from: { $lt: offset } }, { sort: { from: -1 } });

export async function countOutcomes(
  collections: Collections,
  src: Src,
  from: number,
  to: number,
): Promise<IntakeCounts> {
  const first = await collections.accounts.findOne({ src, n: 0 });
  const mark = await readMark(collections, src);
  if (first === null || mark === undefined) return { from, to: from, counts: noOutcomes };
  const [begin, end] = [Math.max(from, first.from), Math.min(to, mark)];
  if (end <= begin) return { from: begin, to: begin, counts: noOutcomes };
  const counts: Record<OutcomeKind, number> = { ...noOutcomes };
  const sums = collections.outcomes.aggregate<{ _id: Exclude<OutcomeKind, "stored">; offsets: number }>([
    { $match: { src, from: { $gte: begin, $lt: end } } },
    { $group: { _id: "$kind", offsets: { $sum: "$width" } } },
  ]);
  for await (const { _id, offsets } of sums) counts[_id] += offsets;
  const [before, last] = [await rowBefore(collections, src, begin), await rowBefore(collections, src, end)];
  if (before !== null && before.to > begin) counts[before.kind] += Math.min(before.to, end) - begin;
  if (last !== null && last.from >= begin && last.to > end) counts[last.kind] -= last.to - end;
  const { duplicate, conflict, rejected, gap } = counts;
  counts.stored = end - begin - duplicate - conflict - rejected - gap;
  return { from: begin, to: end, counts };
}

export async function readOutcomes(
  collections: Collections,
  query: OutcomeQuery,
): Promise<readonly OutcomeRow[]> {
  const { src, from, to, kinds, limit } = query;
  const mark = await readMark(collections, src);
  if (mark === undefined || kinds.length === 0 || limit <= 0) return [];
  const before = await rowBefore(collections, src, from);
  const begin = before !== null && before.to > from ? before.from : from;
  const rows = await collections.outcomes
    .find({ src, from: { $gte: begin, $lt: Math.min(to, mark) }, kind: { $in: kinds } })
    .sort({ from: 1 })
    .limit(limit)
    .toArray();
  return rows.map(outcomeRow);
}
