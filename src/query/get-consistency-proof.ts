/** That a tree is a prefix of a larger one. */
import { consistencyPath, verifyConsistency } from "../core/merkle.ts";
import { sha256 } from "../lib/sha256.ts";
import type { Caller, QueryDeps } from "./deps.ts";
import { invalid } from "./deps.ts";
import { permit } from "./permit.ts";
import { type ProvenTree, prefixOf, proven, requireSize, requireTreeOf } from "./prove.ts";

export type ConsistencyRequest = {
  readonly oldSize: number;
  /** Undefined: the latest. */
  readonly treeSize: number | undefined;
};
export type ConsistencyProof = {
  readonly old: ProvenTree;
  readonly tree: ProvenTree;
  readonly path: readonly Uint8Array[];
};

export async function getConsistencyProof(
  deps: QueryDeps,
  request: ConsistencyRequest,
  caller: Caller,
  signal: AbortSignal,
): Promise<ConsistencyProof> {
  permit(deps, caller, "GetConsistencyProof");
  const { log } = deps;
  const oldSize = requireSize(request.oldSize, 0, "old_size");
  const treeSize = request.treeSize === undefined ? undefined : requireSize(request.treeSize, 0, "tree_size");
  if (treeSize !== undefined && treeSize < oldSize) throw invalid("tree_size", "must not be below old_size");
  const latest =
    treeSize === undefined
      ? await requireTreeOf(log, oldSize, "old_size", signal)
      : await requireTreeOf(log, treeSize, "tree_size", signal);
  return proven(log, signal, async (read) => {
    const tree = await prefixOf(latest, treeSize ?? latest.size, read);
    const old = await prefixOf(latest, oldSize, read);
    if (tree === undefined || old === undefined) return undefined;
    const path = await consistencyPath(sha256, old.size, tree.size, read);
    const claim = { oldSize, oldRoot: old.root, size: tree.size, root: tree.root, path };
    return verifyConsistency(sha256, claim) ? { old, tree, path } : undefined;
  });
}
