/** That a leaf is in a tree: its path to the root, and the same as one text that travels with the checkpoint. */
import { LastroError } from "../core/errors.ts";
import { type HashReader, inclusionPath, verifyInclusion } from "../core/merkle.ts";
import { formatTlogProof } from "../core/tlog-proof.ts";
import { sha256 } from "../lib/sha256.ts";
import type { CheckpointName, LogRow } from "../ports/log-store.ts";
import type { Caller, QueryDeps } from "./deps.ts";
import { type LeafName, leafIndex, leafRow, notYet, requireLeafInSight } from "./log-leaf.ts";
import { permit } from "./permit.ts";
import { type ProvenTree, prefixOf, proven, requireSize, requireTree, requireTreeOf } from "./prove.ts";
import type { PublishedLog, SignedTree } from "./published-log.ts";

export type InclusionRequest = {
  readonly leaf: LeafName;
  /** Undefined: that of the checkpoint named. */
  readonly treeSize: number | undefined;
  readonly checkpoint: CheckpointName;
};
export type InclusionProof = {
  readonly index: number;
  readonly leafHash: Uint8Array;
  readonly tree: ProvenTree;
  readonly path: readonly Uint8Array[];
  /** C2SP tlog-proof; undefined where no published checkpoint has this size. */
  readonly text: string | undefined;
};

export async function getInclusionProof(
  deps: QueryDeps,
  request: InclusionRequest,
  caller: Caller,
  signal: AbortSignal,
): Promise<InclusionProof> {
  const { log } = deps;
  const access = permit(deps, caller, "GetInclusionProof");
  const index = await leafIndex(deps, request.leaf, access, signal);
  const signed = await signedTree(log, request, index, signal);
  const size = request.treeSize ?? signed.size;
  if (index >= signed.size) throw notYet(request.leaf);
  if (index >= size) {
    const why = `the leaf has index ${index} and is not in a tree of ${size}; ask for a larger one`;
    throw new LastroError("FAILED_PRECONDITION", why, { field: "tree_size" });
  }
  await requireLeafInSight(deps, request.leaf, index, access, signal);
  const row = await leafRow(log, index, signal);
  const proof = await proven(log, signal, (read) => pathTo(signed, size, row, read));
  const note = await noteOf(log, signed, size, signal);
  const text = note && formatTlogProof({ extra: undefined, index, path: proof.path, checkpoint: note });
  return { index, leafHash: row.leafHash, ...proof, text };
}

/** What the proof rests on: the checkpoint named, or the latest for a size of the caller's choice. */
function signedTree(
  log: PublishedLog,
  { treeSize, checkpoint }: InclusionRequest,
  index: number,
  signal: AbortSignal,
): Promise<SignedTree> {
  return treeSize === undefined
    ? requireTree(log, checkpoint, signal, index + 1)
    : requireTreeOf(log, requireSize(treeSize, 1, "tree_size"), "tree_size", signal);
}

async function pathTo(
  signed: SignedTree,
  size: number,
  { index, leafHash }: LogRow,
  read: HashReader,
): Promise<{ readonly tree: ProvenTree; readonly path: readonly Uint8Array[] } | undefined> {
  const tree = size === signed.size ? signed : await prefixOf(signed, size, read);
  if (tree === undefined) return undefined;
  const path = await inclusionPath(sha256, index, size, read);
  const isProven = verifyInclusion(sha256, { index, size, leafHash, root: tree.root, path });
  return isProven ? { tree: { size, root: tree.root }, path } : undefined;
}

async function noteOf(
  log: PublishedLog,
  signed: SignedTree,
  size: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (size === signed.size) return signed.note;
  const witnessed = await log.checkpoint("witnessed", signal);
  return witnessed?.size === size ? witnessed.note : undefined;
}
