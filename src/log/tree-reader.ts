/** Hashes of complete subtrees of the stored log: from full tiles where they are stored, else from rows of `log_index`. Trusts neither; who uses it compares roots. */
import { LastroError } from "../core/errors.ts";
import { type HashReader, nodeHash, rootOf, type Sha256, type TreeNode } from "../core/merkle.ts";
import { tileHashes, tileWidth } from "../core/tiles.ts";
import type { LogStore } from "../ports/log-store.ts";

const tileBits = 8;
const hashBytes = 32;

/** Reads each tile and each run of rows once for the nodes of one call. */
export function treeReader(
  log: Pick<LogStore, "tile" | "rows">,
  sha256: Sha256,
  signal: AbortSignal,
): HashReader {
  return async (nodes) => {
    const tiles = new Map<string, Promise<readonly Uint8Array[] | undefined>>();
    const tileOf = (level: number, n: number): Promise<readonly Uint8Array[] | undefined> => {
      const name = `${level}/${n}`;
      const known = tiles.get(name);
      if (known !== undefined) return known;
      const read = readTile(log, level, n, signal);
      tiles.set(name, read);
      return read;
    };
    const hashes: Uint8Array[] = [];
    for (const node of nodes) hashes.push(await hashOf(node, tileOf));
    return hashes;

    /** A node lies `level mod 8` levels above the hashes of the tile that holds it. */
    async function hashOf({ level, n }: TreeNode, tile: typeof tileOf): Promise<Uint8Array> {
      const [tileLevel, above] = [Math.floor(level / tileBits), level % tileBits];
      const width = 2 ** above;
      const first = n * width;
      const found = await tile(tileLevel, Math.floor(first / tileWidth));
      const at = first % tileWidth;
      if (found !== undefined) return rootOf(sha256, found.slice(at, at + width));
      if (tileLevel === 0) return rootOf(sha256, await leafHashes(log, first, width, signal));
      if (above === 0) {
        // The hash of a full tile of the level below.
        const below = await tile(tileLevel - 1, n);
        if (below !== undefined) return rootOf(sha256, below);
      }
      const half = { level: level - 1, n: n * 2 };
      return nodeHash(sha256, await hashOf(half, tile), await hashOf({ ...half, n: n * 2 + 1 }, tile));
    }
  };
}

async function readTile(
  log: Pick<LogStore, "tile">,
  level: number,
  n: number,
  signal: AbortSignal,
): Promise<readonly Uint8Array[] | undefined> {
  const tile = await log.tile({ level, n }, signal);
  if (tile !== undefined && tile.length !== tileWidth * hashBytes)
    throw new LastroError("LOG_HALTED", `tile ${level}/${n} is not ${tileWidth} hashes long`);
  return tile && tileHashes(tile);
}

async function leafHashes(
  log: Pick<LogStore, "rows">,
  first: number,
  count: number,
  signal: AbortSignal,
): Promise<readonly Uint8Array[]> {
  const rows = await log.rows(first, first + count, signal);
  if (rows.length !== count || rows.some(({ index }, at) => index !== first + at))
    throw new LastroError("LOG_HALTED", `leaves ${first} to ${first + count - 1} are not all in the log`);
  return rows.map(({ leafHash }) => leafHash);
}
