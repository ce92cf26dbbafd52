/** Hashes of complete subtrees, remembered: appending never changes one. Trusts what it is given; who proves with it compares roots, and lets it forget. */
import { type HashReader, nodeHash, type Sha256, type TreeNode } from "../core/merkle.ts";

/** About 16 MiB. */
const nodesMax = 65_536;
/** A lower subtree is soon hashed again, from the tile that a leaf's path needs anyway. */
const levelMin = 5;
/** Only at the right edge of the tree, where there is no full tile and every path leads by, lower ones are met again. */
const lowNodesMax = 4_096;
/** Up to here one is put together from those of `levelMin`, so that its parts are remembered too; a higher one is near the top, and soon met again. */
const builtLevelMax = 8;
const levelsMax = 64;

export type SubtreeMemory = {
  /** Asks `read` only for what is not remembered. */
  around(read: HashReader): HashReader;
  forget(): void;
};

const keyOf = ({ level, n }: TreeNode): number => n * levelsMax + level;
const halvesOf = ({ level, n }: TreeNode): readonly [TreeNode, TreeNode] => [
  { level: level - 1, n: 2 * n },
  { level: level - 1, n: 2 * n + 1 },
];

/** Forgets the oldest. */
function boundedHashes(max: number) {
  const hashes = new Map<number, Uint8Array>();
  return {
    get: (key: number): Uint8Array | undefined => hashes.get(key),
    set(key: number, hash: Uint8Array): void {
      // A view would keep the whole tile it lies in.
      hashes.set(key, Uint8Array.from(hash));
      for (const oldest of hashes.keys()) {
        if (hashes.size <= max) break;
        hashes.delete(oldest);
      }
    },
    clear: (): void => hashes.clear(),
  };
}

export function subtreeMemory(sha256: Sha256): SubtreeMemory {
  const [high, low] = [boundedHashes(nodesMax), boundedHashes(lowNodesMax)];
  const memoryOf = ({ level }: TreeNode) => (level < levelMin ? low : high);
  const remember = (node: TreeNode, hash: Uint8Array): void => memoryOf(node).set(keyOf(node), hash);

  /** Takes what is known of the node into `found`, and gives what must be read for the rest. */
  function missingOf(node: TreeNode, found: Map<number, Uint8Array>): readonly TreeNode[] {
    const key = keyOf(node);
    const hash = memoryOf(node).get(key);
    if (hash !== undefined) found.set(key, hash);
    if (found.has(key)) return [];
    if (node.level <= levelMin || node.level > builtLevelMax) return [node];
    return halvesOf(node).flatMap((half) => missingOf(half, found));
  }

  function hashOf(node: TreeNode, found: Map<number, Uint8Array>): Uint8Array {
    const there = found.get(keyOf(node));
    if (there !== undefined) return there;
    const [left, right] = halvesOf(node);
    const hash = nodeHash(sha256, hashOf(left, found), hashOf(right, found));
    remember(node, hash);
    return hash;
  }

  return {
    around: (read) => async (nodes) => {
      const found = new Map<number, Uint8Array>();
      const missing = nodes.flatMap((node) => missingOf(node, found));
      const hashes = missing.length === 0 ? [] : await read(missing);
      for (const [at, node] of missing.entries()) {
        const hash = hashes[at] as Uint8Array;
        found.set(keyOf(node), hash);
        remember(node, hash);
      }
      return nodes.map((node) => hashOf(node, found));
    },
    forget() {
      high.clear();
      low.clear();
    },
  };
}
