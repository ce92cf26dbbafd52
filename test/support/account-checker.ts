/** Holds the accounts against what was published: from 0 to the mark every offset has one outcome, and of each kind there are as many as there should be. */
import { type OutcomeCounts, outcomeKinds } from "../../src/core/outcome.ts";
import type { RecordStore } from "../../src/ports/record-store.ts";
import type { Published } from "./published.ts";

const signal = new AbortController().signal;

/** `storedOf`: records by the partition they came from. */
export async function accountProblems(
  records: RecordStore,
  storedOf: ReadonlyMap<string, number>,
  published: Published,
): Promise<readonly string[]> {
  const problems: string[] = [];
  const total = { stored: 0, duplicate: 0, conflict: 0, rejected: 0, gap: 0 };
  for (const { src, mark } of await records.sources(signal)) {
    const { counts, from, to } = await records.counts(src, 0, mark, signal);
    if (from !== 0 || to !== mark) problems.push(`${src}: accounted from ${from} to ${to}, mark ${mark}`);
    const stored = storedOf.get(src) ?? 0;
    if (counts.stored !== stored)
      problems.push(`${src}: ${counts.stored} accounted as stored, ${stored} records`);
    for (const kind of outcomeKinds) total[kind] += counts[kind];
  }
  const expected: OutcomeCounts = {
    stored: published.ids.size,
    duplicate: published.duplicates,
    conflict: published.conflicts,
    rejected: published.rejected,
    gap: published.gaps ?? 0,
  };
  for (const kind of outcomeKinds)
    if (total[kind] !== expected[kind])
      problems.push(`${kind}: ${total[kind]} accounted, ${expected[kind]} published`);
  return problems;
}
