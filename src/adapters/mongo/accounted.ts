/** Reads accounting: marks, counts and rows. Rows from `pendingFrom` on are those of the last account document, earlier ones lie in `outcomes`. */
import type { Src } from "../../core/ids.ts";
import type { OutcomeCounts, OutcomeKind, OutcomeRow } from "../../core/outcome.ts";
import type { AccountedSource, IntakeCounts, OutcomeQuery } from "../../ports/record-store.ts";
import type { AccountDocument, Collections, OutcomeDocument, ReadOptions } from "./collections.ts";

const noOutcomes: OutcomeCounts = { stored: 0, duplicate: 0, conflict: 0, rejected: 0, gap: 0 };

type Entry = Pick<AccountDocument, "to" | "pendingFrom" | "pending">;

/** One document, so mark and rows are of one moment; what later steps copy begins at its `pendingFrom` or beyond. */
const lastEntry = ({ accounts }: Collections, src: Src, options: ReadOptions): Promise<Entry | null> =>
  accounts.findOne({ src }, { ...options, sort: { n: -1 } });

export async function readMark(
  { accounts }: Collections,
  src: Src,
  options: ReadOptions,
): Promise<number | undefined> {
  const last = await accounts.findOne({ src }, { ...options, sort: { n: -1 }, projection: { pending: 0 } });
  return last?.to;
}

/** Steps from one source to the next by the index: the collection holds a document a minute and partition. */
export async function readSources(
  { accounts }: Collections,
  options: ReadOptions,
): Promise<readonly AccountedSource[]> {
  const sources: AccountedSource[] = [];
  const last = { ...options, sort: { src: -1, n: -1 }, projection: { pending: 0 } } as const;
  let found = await accounts.findOne({}, last);
  for (; found !== null; found = await accounts.findOne({ src: { $lt: found.src } }, last)) {
    const first = await accounts.findOne({ src: found.src, n: 0 }, { ...options, projection: { from: 1 } });
    sources.push({ src: found.src, begin: first?.from ?? found.from, mark: found.to });
  }
  return sources.reverse();
}

/** Rows do not overlap, so only the last one that begins before an offset can reach over it. */
const rowBefore = (
  { outcomes }: Collections,
  src: Src,
  offset: number,
  options: ReadOptions,
): Promise<OutcomeDocument | null> =>
  outcomes.findOne({ src, from: { $lt: offset } }, { ...options, sort: { from: -1 } });

type Counts = Record<OutcomeKind, number>;

export async function countOutcomes(
  collections: Collections,
  src: Src,
  from: number,
  to: number,
  options: ReadOptions,
): Promise<IntakeCounts> {
  const first = await collections.accounts.findOne({ src, n: 0 }, { ...options, projection: { pending: 0 } });
  const last = await lastEntry(collections, src, options);
  if (first === null || last === null) return { from, to: from, counts: noOutcomes };
  const [begin, end] = [Math.max(from, first.from), Math.min(to, last.to)];
  if (end <= begin) return { from: begin, to: begin, counts: noOutcomes };
  const counts: Counts = { ...noOutcomes };
  const copied = Math.min(end, last.pendingFrom);
  if (begin < copied) await addCopied(collections, src, begin, copied, counts, options);
  for (const row of last.pending) {
    counts[row.kind] += Math.max(0, Math.min(row.to, end) - Math.max(row.from, begin));
  }
  const { duplicate, conflict, rejected, gap } = counts;
  counts.stored = end - begin - duplicate - conflict - rejected - gap;
  return { from: begin, to: end, counts };
}

async function addCopied(
  collections: Collections,
  src: Src,
  begin: number,
  end: number,
  counts: Counts,
  options: ReadOptions,
): Promise<void> {
  const sums = collections.outcomes.aggregate<{ _id: Exclude<OutcomeKind, "stored">; offsets: number }>(
    [
      { $match: { src, from: { $gte: begin, $lt: end } } },
      { $group: { _id: "$kind", offsets: { $sum: "$width" } } },
    ],
    { ...options },
  );
  for await (const { _id, offsets } of sums) counts[_id] += offsets;
  const before = await rowBefore(collections, src, begin, options);
  const last = await rowBefore(collections, src, end, options);
  if (before !== null && before.to > begin) counts[before.kind] += Math.min(before.to, end) - begin;
  if (last !== null && last.from >= begin && last.to > end) counts[last.kind] -= last.to - end;
}

export async function readOutcomes(
  collections: Collections,
  query: OutcomeQuery,
  options: ReadOptions,
): Promise<readonly OutcomeRow[]> {
  const { src, from, to, kinds, limit } = query;
  const last = await lastEntry(collections, src, options);
  if (last === null || kinds.length === 0 || limit <= 0) return [];
  const before = await rowBefore(collections, src, from, options);
  const begin = before !== null && before.to > from ? before.from : from;
  const copied = await collections.outcomes
    .find({ src, from: { $gte: begin, $lt: Math.min(to, last.pendingFrom) }, kind: { $in: kinds } }, options)
    .sort({ from: 1 })
    .limit(limit)
    .toArray();
  const pending = last.pending.filter(
    (row) => row.from < to && row.to > from && kinds.some((kind) => kind === row.kind),
  );
  return [...copied.map(outcomeRow), ...pending].slice(0, limit);
}

function outcomeRow({ _id, src, width, ...row }: OutcomeDocument): OutcomeRow {
  return row;
}
