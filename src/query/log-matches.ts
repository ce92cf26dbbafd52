/** Which records of the log match a filter. Words are known once a body is open, so a filter for them opens what the rest of it leaves. */
import type { Filter } from "../core/filter.ts";
import { holds } from "../core/filter-holds.ts";
import type { RecordRow } from "../core/record.ts";
import { valueOfRow } from "../core/search-fields.ts";
import { contentTerms } from "./content-terms.ts";
import type { QueryDeps } from "./deps.ts";
import type { LogRecord } from "./log-records.ts";
import type { Access } from "./permit.ts";
import { contentOf, type RecordView } from "./record-view.ts";
import { judge } from "./search-records.ts";
import { viewRecords } from "./view-records.ts";

export type Found = { readonly index: number; readonly row: RecordRow; readonly view: RecordView };
export type LogMatches = { readonly found: readonly Found[]; readonly alteredRids: readonly string[] };

/** Those that the columns do not refuse, and those that the store has not. */
export const candidatesOf = (filter: Filter, records: readonly LogRecord[]): readonly LogRecord[] =>
  records.filter(
    ({ row }) => row === undefined || holds(filter, (field) => valueOfRow(row, field)) !== false,
  );

/** Opens all that are given. What is found is what a search finds whose index holds the same records. */
export async function matchesOf(
  deps: QueryDeps,
  access: Access,
  filter: Filter,
  candidates: readonly LogRecord[],
  signal: AbortSignal,
): Promise<LogMatches> {
  const there = candidates.flatMap(({ index, row }) => (row === undefined ? [] : [{ index, row }]));
  const views = await viewRecords(
    deps,
    there.map(({ row }) => row),
    signal,
  );
  const found: Found[] = [];
  // Whose it was nobody can tell any more, so it is told to those who may see all.
  const gone = access.seen === undefined ? candidates.filter(({ row }) => row === undefined) : [];
  const alteredRids: string[] = gone.map(({ rid }) => rid);
  for (const [i, { index, row }] of there.entries()) {
    const view = views[i];
    if (!isFound(deps, filter, row, view)) continue;
    const { matching, isAltered, rid } = judge(deps, filter, row, view, access);
    if (isAltered) alteredRids.push(rid);
    if (matching !== undefined) found.push({ index, row, view: matching });
  }
  return { found, alteredRids };
}

/** By its columns and by the words that the search index would hold of it. */
function isFound(
  { catalogue }: QueryDeps,
  filter: Filter,
  row: RecordRow,
  view: RecordView | undefined,
): boolean {
  const words = (): readonly string[] =>
    contentTerms(catalogue, view?.eventType ?? row.projection.eventType, view && contentOf(view));
  return holds(filter, (field) => (field === "text" ? words() : valueOfRow(row, field))) === true;
}
