/** CAS 2: full tiles are put where none is; one that is there with other bytes stops the log. */
import { fullTiles, joinHashes, type TileId, tileWidth } from "../core/tiles.ts";
import type { LogStore } from "../ports/log-store.ts";
import { LogHalted } from "./halt.ts";
import type { LatestLeaves, StoredTree } from "./stored-tree.ts";

const tileBits = 8;

/** Tiles that became full between the two sizes, level by level: a higher one is made of the ones below. Those of a level are put at once, for a store to take them together. */
export async function putFullTiles(
  log: LogStore,
  tree: StoredTree,
  oldSize: number,
  size: number,
  latest: LatestLeaves,
  signal: AbortSignal,
): Promise<void> {
  const put = async ({ level, n }: TileId): Promise<void> => {
    const hashes: Uint8Array[] = [];
    for (let at = 0; at < tileWidth; at++)
      hashes.push(await tree.hashOf({ level: level * tileBits, n: n * tileWidth + at }, latest));
    const verdict = await log.putTile({ level, n }, joinHashes(hashes), signal);
    if (verdict === "different") throw new LogHalted("TILE_DIFFERS", `tile ${level}/${n}`);
  };
  for (const [, tiles] of Map.groupBy(fullTiles(oldSize, size), ({ level }) => level))
    await Promise.all(tiles.map(put));
}
