/** The coverage entries of a source partition: what accounts for its offsets, page by page, each with its proof. */
import type { Src } from "../core/ids.ts";
import { type CoverageEntry, parseLogEntry } from "../core/log-entries.ts";
import { type HashReader, inclusionPath, verifyInclusion } from "../core/merkle.ts";
import { sha256 } from "../lib/sha256.ts";
import type { LogRow } from "../ports/log-store.ts";
import { type Caller, invalid, type QueryDeps } from "./deps.ts";
import { requireSrc } from "./list-outcomes.ts";
import { checkedEntry, type Entry } from "./log-leaf.ts";
import { collectRows, type PageRequest, pager } from "./page.ts";
import { permit } from "./permit.ts";
import { proven, requireTree } from "./prove.ts";
import { logDamaged, type PublishedLog, type SignedTree } from "./published-log.ts";

export type CoverageRequest = PageRequest & {
  readonly src: string;
  readonly from: number;
  /** Exclusive; undefined: as far as the log has come. */
  readonly to: number | undefined;
};
export type Coverage = Entry & {
  readonly covers: CoverageEntry;
  readonly path: readonly Uint8Array[];
};
export type CoveragePage = {
  readonly coverages: readonly Coverage[];
  /** What the paths of this page lead to. */
  readonly tree: SignedTree;
  readonly nextPageToken: string;
};

export async function getCoverage(
  deps: QueryDeps,
  request: CoverageRequest,
  caller: Caller,
  signal: AbortSignal,
): Promise<CoveragePage> {
  permit(deps, caller, "GetCoverage");
  const { log } = deps;
  const src = requireSrc(request.src);
  const { from, to = Number.MAX_SAFE_INTEGER } = request;
  if (from < 0 || to < from) throw invalid("to_offset", "must not be below from_offset");
  const page = pager(deps, "GetCoverage", [src, from, to], "offset asc", caller, request);
  const tree = await requireTree(log, "latest", signal);
  const start = page.after === undefined ? from : Number(page.after[0]);
  const { rows, last } = await collectRows(page.size, coverageBytes, (after, limit) =>
    after === undefined
      ? firstCoverages(log, tree, { src, from: start, to }, limit, signal)
      : nextCoverages(log, tree, { src, from: after.covers.from + 1, to }, limit, signal),
  );
  const coverages = await proven(log, signal, (read) => withPaths(rows, tree, read));
  return {
    coverages,
    tree,
    nextPageToken: last === undefined ? "" : page.tokenAt([last.covers.to]),
  };
}

type Covered = Entry & { readonly covers: CoverageEntry };
type Range = { readonly src: Src; readonly from: number; readonly to: number };

/** The first one may begin before the range. */
async function firstCoverages(
  log: PublishedLog,
  tree: SignedTree,
  range: Range,
  limit: number,
  signal: AbortSignal,
): Promise<readonly Covered[]> {
  if (range.from === range.to) return [];
  const row = await log.store.coverage(range.src, range.from, signal);
  const first = row && inTree(tree, range.src, [row])[0];
  if (first === undefined || first.covers.to <= range.from)
    return nextCoverages(log, tree, range, limit, signal);
  const rest = { ...range, from: first.covers.from + 1 };
  return [first, ...(await nextCoverages(log, tree, rest, limit - 1, signal))];
}

async function nextCoverages(
  log: PublishedLog,
  tree: SignedTree,
  { src, from, to }: Range,
  limit: number,
  signal: AbortSignal,
): Promise<readonly Covered[]> {
  if (limit === 0 || from >= to) return [];
  return inTree(tree, src, await log.store.coverages(src, from, to, limit, signal));
}

/** What the tree does not cover yet is not told: of one source those are the last. */
const inTree = (tree: SignedTree, src: Src, rows: readonly LogRow[]): readonly Covered[] =>
  rows.filter(({ index }) => index < tree.size).map((row) => covered(src, row));

function covered(src: Src, { index, leafHash, entry: stored }: LogRow): Covered {
  const entry = checkedEntry(index, leafHash, stored);
  const covers = parseLogEntry(entry.entry);
  if (covers?.t !== "coverage" || covers.src !== src)
    throw logDamaged(`leaf ${index} was found as coverage of ${src}, but is none`);
  return { ...entry, covers };
}

async function withPaths(
  rows: readonly Covered[],
  { size, root }: SignedTree,
  read: HashReader,
): Promise<readonly Coverage[] | undefined> {
  const coverages: Coverage[] = [];
  for (const row of rows) {
    const { index, leafHash } = row;
    const path = await inclusionPath(sha256, index, size, read);
    if (!verifyInclusion(sha256, { index, size, leafHash, root, path })) return undefined;
    coverages.push({ ...row, path });
  }
  return coverages;
}

const pathBytesMax = 64 * 34;
const coverageBytes = (row: Covered): number => 2 * row.entry.length + pathBytesMax;
