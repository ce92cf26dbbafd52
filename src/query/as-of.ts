/** Reading as of a tree: only what it holds, so that the same question has the same answer later. */
import { LastroError } from "../core/errors.ts";
import type { Filter } from "../core/filter.ts";
import { fieldsOf } from "../core/filter-holds.ts";
import type { Rid } from "../core/ids.ts";
import { indexRules } from "../core/index-rules.ts";
import { invalid, type QueryDeps } from "./deps.ts";

export function checkAsOf(asOf: number | undefined, treeSize: number | undefined): void {
  if (asOf !== undefined && asOf > (treeSize ?? 0))
    throw invalid("as_of_tree_size", `must be at most ${treeSize ?? 0}, the size of the published tree`);
}

/** Whether a tree of that size holds a record; undefined: all count as held. */
export async function heldBy(
  { log }: Pick<QueryDeps, "log">,
  rids: readonly Rid[],
  size: number | undefined,
  signal: AbortSignal,
): Promise<(rid: Rid) => boolean> {
  if (size === undefined || rids.length === 0) return () => true;
  const indexes = await log.store.indexes(rids, signal);
  return (rid) => (indexes.get(rid) ?? size) < size;
}

/** Entries of the log that are indexed by the rules of this catalogue; undefined: the index was made by others. */
async function indexedSize(
  { index, catalogue }: Pick<QueryDeps, "index" | "catalogue">,
  signal: AbortSignal,
): Promise<number | undefined> {
  const state = await index.state(signal);
  if (state === undefined) return 0;
  return state.rules === indexRules(catalogue) ? state.size : undefined;
}

/**
 * The tree that a question is answered as of, where it asks for full text: of records that the index does not hold, nobody knows the terms.
 * Throws FAILED_PRECONDITION where it holds less than what is asked for. Undefined: the question asks for no text.
 */
export async function textTree(
  deps: Pick<QueryDeps, "index" | "catalogue">,
  filter: Filter,
  { asOf, treeSize }: { readonly asOf: number | undefined; readonly treeSize: number | undefined },
  signal: AbortSignal,
): Promise<number | undefined> {
  if (!asksText(filter)) return undefined;
  const indexed = await indexedSize(deps, signal);
  if (asOf === undefined) return Math.min(indexed ?? 0, treeSize ?? 0);
  if (asOf <= (indexed ?? 0)) return asOf;
  if (indexed === undefined) throw madeByOthers();
  throw new LastroError(
    "FAILED_PRECONDITION",
    `the search index holds ${indexed} of the ${asOf} entries asked for; ask as of a smaller tree, or again once it has caught up`,
  );
}

/** Of what is stored while an answer is made, some is missed as well. */
const missedEntriesMax = 10_000;

/** For answers that are made of many records. Throws FAILED_PRECONDITION where the index would miss what has long been stored, or is not there. */
export async function requireIndexed(
  deps: Pick<QueryDeps, "index" | "catalogue" | "log">,
  filter: Filter,
  signal: AbortSignal,
): Promise<void> {
  if (!asksText(filter)) return;
  const indexed = await indexedSize(deps, signal);
  if (indexed === undefined) throw madeByOthers();
  const size = (await deps.log.checkpoint("latest", signal))?.size ?? 0;
  if (size - indexed > missedEntriesMax || (indexed === 0 && size > 0))
    throw new LastroError(
      "FAILED_PRECONDITION",
      `the search index holds ${indexed} of ${size} entries, and this answer would miss the others; ask again once it has caught up (lastro_index_lag; never, where LASTRO_SEARCH_INDEX is off), or without text`,
    );
}

const asksText = (filter: Filter): boolean => fieldsOf(filter).includes("text");

const madeByOthers = (): LastroError =>
  new LastroError(
    "FAILED_PRECONDITION",
    "the search index was made under another catalogue, or is being taken away; the instance that extends the log makes it anew, unless LASTRO_SEARCH_INDEX is off there: ask again once it has caught up (lastro_index_lag)",
  );
