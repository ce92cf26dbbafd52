/**
 * Roots of the stored log, recomputed. What lies behind the last full tile is read at each pass; the root of a full tile is
 * remembered for a minute after its stored bytes were read, because one pass would otherwise read up to 255 tiles a level.
 */
import { setImmediate } from "node:timers/promises";
import { nodeHash, rootOf, type Sha256, type TreeNode, treeRoot } from "../core/merkle.ts";
import { tileHashes, tileWidth } from "../core/tiles.ts";
import type { LogStore } from "../ports/log-store.ts";
import { haltingAs, LogHalted } from "./halt.ts";
import { treeReader } from "./tree-reader.ts";

const tileBits = 8;
const tileBytes = 8_192;
/** Tiles whose hashes are computed between two turns of the event loop: about 2 ms. */
const tilesPerTurn = 8;

/** Hashes of complete subtrees of at least 256 leaves. */
export type Subtrees = {
  get(node: TreeNode): Uint8Array | undefined;
  set(node: TreeNode, hash: Uint8Array): void;
  /** Forgets everything once that is older than a minute. */
  refresh(nowMs: number): void;
};

const subtreesMax = 4_096;
const subtreesAgeMaxMs = 60_000;

export function rememberSubtrees(): Subtrees {
  const hashes = new Map<string, Uint8Array>();
  let sinceMs = Number.NaN;
  const name = ({ level, n }: TreeNode): string => `${level}/${n}`;
  return {
    get: (node) => hashes.get(name(node)),
    set(node, hash) {
      if (hashes.size >= subtreesMax) hashes.clear();
      // A view would keep all that it lies in.
      hashes.set(name(node), Uint8Array.from(hash));
    },
    refresh(nowMs) {
      if (Math.abs(nowMs - sinceMs) < subtreesAgeMaxMs) return;
      hashes.clear();
      sinceMs = nowMs;
    },
  };
}

/** Leaf hashes from index `first`, a multiple of 256, to the end of the tree. */
export type LatestLeaves = { readonly first: number; readonly hashes: readonly Uint8Array[] };

export type StoredTree = {
  root(size: number, latest: LatestLeaves): Promise<Uint8Array>;
  hashOf(node: TreeNode, latest: LatestLeaves): Promise<Uint8Array>;
};

export const tileStart = (size: number): number => size - (size % tileWidth);

/** Leaf hashes of the rows between the last full tile and `size`. Halts where one is missing. */
export async function latestLeaves(log: LogStore, size: number, signal: AbortSignal): Promise<LatestLeaves> {
  const first = tileStart(size);
  const rows = size === first ? [] : await log.rows(first, size, signal);
  for (let at = 0; at < size - first; at++)
    if (rows[at]?.index !== first + at) throw new LogHalted("INDEX_ABSENT", `index ${first + at}`);
  return { first, hashes: rows.map(({ leafHash }) => leafHash) };
}

export function storedTree(
  log: LogStore,
  sha256: Sha256,
  subtrees: Subtrees,
  signal: AbortSignal,
): StoredTree {
  const small = treeReader(log, sha256, signal);
  let tilesRead = 0;

  async function tileRoot(level: number, n: number): Promise<Uint8Array> {
    const tile = await log.tile({ level, n }, signal);
    if (tile?.length !== tileBytes)
      throw new LogHalted("ROOT_MISMATCH", `tile ${level}/${n} is absent or cut`);
    tilesRead += 1;
    if (tilesRead % tilesPerTurn === 0) await setImmediate();
    return rootOf(sha256, tileHashes(tile));
  }

  async function hashOf(node: TreeNode, latest: LatestLeaves): Promise<Uint8Array> {
    const { level, n } = node;
    const width = 2 ** level;
    const at = n * width - latest.first;
    if (at >= 0) return rootOf(sha256, latest.hashes.slice(at, at + width));
    if (level < tileBits) {
      const [hash] = await haltingAs("ROOT_MISMATCH", () => small([node]));
      if (hash === undefined) throw new LogHalted("ROOT_MISMATCH", `node ${level}/${n}`);
      return hash;
    }
    // One that ends behind the last full tile is about to become whole: no tile of it is stored yet.
    const isWhole = at + width <= 0;
    if (!isWhole) return parentOf(node, latest);
    const known = subtrees.get(node);
    if (known !== undefined) return known;
    const isTile = level % tileBits === 0;
    const hash = isTile ? await tileRoot(level / tileBits - 1, n) : await parentOf(node, latest);
    subtrees.set(node, hash);
    return hash;
  }

  async function parentOf({ level, n }: TreeNode, latest: LatestLeaves): Promise<Uint8Array> {
    const left = await hashOf({ level: level - 1, n: n * 2 }, latest);
    return nodeHash(sha256, left, await hashOf({ level: level - 1, n: n * 2 + 1 }, latest));
  }

  return {
    hashOf,
    root: (size, latest) =>
      treeRoot(sha256, size, async (nodes) => {
        const hashes: Uint8Array[] = [];
        for (const node of nodes) hashes.push(await hashOf(node, latest));
        return hashes;
      }),
  };
}
