/** Hashes of complete subtrees of the stored log: from full tiles where they are stored, else from rows of `log_index`. Trusts neither; who uses it compares roots. */
import { LastroError } from "../core/errors.ts";
import { type HashReader, rootOf, type Sha256, type TreeNode } from "../core/merkle.ts";
import { type TileId, tileHashes, tileWidth } from "../core/tiles.ts";
import type { LogStore } from "../ports/log-store.ts";

const tileBits = 8;
/** Tiles of a level that are asked for at the same time. */
const readsAtOnceMax = 16;

const nameOf = ({ level, n }: TileId): string => `${level}/${n}`;

type Reading = {
  readonly log: Pick<LogStore, "tile" | "rows">;
  readonly sha256: Sha256;
  readonly signal: AbortSignal;
  /** What this call has asked for: each tile once, whatever number of nodes lies in it. */
  readonly tiles: Map<string, Promise<readonly Uint8Array[] | undefined>>;
};

/**
 * Without the tile that would hold it, a node of level 8 and more is computed from up to 256 tiles a level, hash by hash: who asks again and
 * again remembers what it was told, for complete subtrees never change. Throws LOG_HALTED where tiles and rows do not have what is asked for,
 * and what the store throws.
 */
export function treeReader(
  log: Pick<LogStore, "tile" | "rows">,
  sha256: Sha256,
  signal: AbortSignal,
): HashReader {
  return async (nodes) => {
    const reading: Reading = { log, sha256, signal, tiles: new Map() };
    const hashes: Uint8Array[] = [];
    for (const node of nodes) hashes.push(await hashOf(reading, node));
    return hashes;
  };
}

/** A node lies `level mod 8` levels above the hashes of the tile that holds it. */
async function hashOf(reading: Reading, { level, n }: TreeNode): Promise<Uint8Array> {
  const count = 2 ** (level % tileBits);
  const hashes = await hashesOf(reading, Math.floor(level / tileBits), n * count, count);
  return rootOf(reading.sha256, hashes);
}

/** `count` hashes of a tile level; all lie in one tile. */
async function hashesOf(
  reading: Reading,
  level: number,
  first: number,
  count: number,
): Promise<readonly Uint8Array[]> {
  const at = first % tileWidth;
  const tile = await tileAt(reading, { level, n: Math.floor(first / tileWidth) });
  if (tile !== undefined && tile.length >= at + count) return tile.slice(at, at + count);
  if (level === 0)
    throw new LastroError("LOG_HALTED", `leaves ${first} to ${first + count - 1} are not all in the log`);
  const hashes: Uint8Array[] = [];
  while (hashes.length < count) {
    const next = first + hashes.length;
    const length = Math.min(readsAtOnceMax, count - hashes.length);
    const tiles = Array.from({ length }, (_, step) => ({ level: level - 1, n: next + step }));
    hashes.push(...(await Promise.all(tiles.map((id) => tileRoot(reading, id)))));
  }
  return hashes;
}

async function tileRoot(reading: Reading, tile: TileId): Promise<Uint8Array> {
  const hashes = await hashesOf(reading, tile.level, tile.n * tileWidth, tileWidth);
  return rootOf(reading.sha256, hashes);
}

function tileAt(reading: Reading, tile: TileId): Promise<readonly Uint8Array[] | undefined> {
  const name = nameOf(tile);
  const asked = reading.tiles.get(name) ?? readTile(reading, tile);
  reading.tiles.set(name, asked);
  return asked;
}

/** The full tile as it is stored; at level 0 otherwise as many leaves as there are. */
async function readTile({ log, signal }: Reading, tile: TileId): Promise<readonly Uint8Array[] | undefined> {
  const bytes = await log.tile(tile, signal);
  const hashes = bytes && tileHashes(bytes);
  if (hashes !== undefined && hashes.length !== tileWidth)
    throw new LastroError("LOG_HALTED", `tile ${nameOf(tile)} does not hold ${tileWidth} hashes`);
  if (hashes !== undefined || tile.level > 0) return hashes;
  const first = tile.n * tileWidth;
  const rows = await log.rows(first, first + tileWidth, signal);
  const gap = rows.findIndex(({ index }, at) => index !== first + at);
  return rows.slice(0, gap < 0 ? rows.length : gap).map(({ leafHash }) => leafHash);
}
