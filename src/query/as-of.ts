/** Reading as of a tree: only what it holds, so that the same question has the same answer later. */
import { LastroError } from "../core/errors.ts";
import type { Filter } from "../core/filter.ts";
import { fieldsOf } from "../core/filter-holds.ts";
import type { Rid } from "../core/ids.ts";
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

/**
 * The tree that a question is answered as of, where it asks for full text: of records that the index does not hold, nobody knows the terms.
 * Throws FAILED_PRECONDITION where it holds less than what is asked for. Undefined: the question asks for no text.
 */
export async function textTree(
  { index }: Pick<QueryDeps, "index">,
  filter: Filter,
  { asOf, treeSize }: { readonly asOf: number | undefined; readonly treeSize: number | undefined },
  signal: AbortSignal,
): Promise<number | undefined> {
  if (!fieldsOf(filter).includes("text")) return undefined;
  const indexed = (await index.state(signal))?.size ?? 0;
  if (asOf === undefined) return Math.min(indexed, treeSize ?? 0);
  if (asOf <= indexed) return asOf;
  throw new LastroError(
    "FAILED_PRECONDITION",
    `the search index holds ${indexed} of the ${asOf} entries asked for; ask as of a smaller tree, or again once it has caught up`,
  );
}
