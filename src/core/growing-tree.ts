/** The tree of RFC 6962 over leaves that come one after another: its full tiles as they fill, its root at any size. Holds at most 255 hashes a level. */
import { nodeHash, rootOf, type Sha256 } from "./merkle.ts";
import { type TileId, tileWidth } from "./tiles.ts";

type Hash = Uint8Array;
export type OnTile = (tile: TileId, hashes: readonly Hash[]) => void;

/** Hashes that are in no full tile yet, by level. */
export type TreeEdge = { readonly size: number; readonly levels: readonly (readonly Hash[])[] };

export type GrowingTree = {
  push(leaf: Hash): void;
  size(): number;
  root(): Hash;
  edge(): TreeEdge;
};

export const emptyEdge: TreeEdge = { size: 0, levels: [] };

export function growingTree(sha256: Sha256, onTile: OnTile, edge: TreeEdge = emptyEdge): GrowingTree {
  const levels = edge.levels.map((hashes) => [...hashes]);
  let size = edge.size;
  const push = (level: number, hash: Hash): void => {
    const hashes = levels[level] ?? [];
    levels[level] = hashes;
    hashes.push(hash);
    if (hashes.length < tileWidth) return;
    levels[level] = [];
    const n = Math.ceil(size / tileWidth ** (level + 1)) - 1;
    onTile({ level, n }, hashes);
    push(level + 1, rootOf(sha256, hashes));
  };
  return {
    push(leaf) {
      size += 1;
      push(0, leaf);
    },
    size: () => size,
    root: () => edgeRoot(sha256, levels),
    edge: () => ({ size, levels: levels.map((hashes) => [...hashes]) }),
  };
}

/** Complete subtrees from the right to the left, each the left child of what lies to its right. */
function edgeRoot(sha256: Sha256, levels: readonly (readonly Hash[])[]): Hash {
  let root: Hash | undefined;
  for (const hashes of levels) {
    for (const peak of peaksOf(sha256, hashes))
      root = root === undefined ? peak : nodeHash(sha256, peak, root);
  }
  return root ?? rootOf(sha256, []);
}

/** Roots of the complete subtrees that the hashes make up, the rightmost (and smallest) first. */
function peaksOf(sha256: Sha256, hashes: readonly Hash[]): readonly Hash[] {
  const peaks: Hash[] = [];
  let end = hashes.length;
  for (let width = 1; end > 0; width *= 2) {
    if (end % (width * 2) === 0) continue;
    peaks.push(rootOf(sha256, hashes.slice(end - width, end)));
    end -= width;
  }
  return peaks;
}
