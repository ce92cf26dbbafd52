/** CAS 2: full tiles are put where none is; one that is there with other bytes stops the log. */
import { fullTiles, joinHashes, tileWidth } from "../core/tiles.ts";
import type { LogStore } from "../ports/log-store.ts";
import { LogHalted } from "./halt.ts";
import type { LatestLeaves, StoredTree } from "./stored-tree.ts";

const tileBits = 8;

/** Tiles that became full between the two sizes, low levels first: a higher one is made of the ones below. */
export async function putFullTiles(
  log: LogStore,
  tree: StoredTree,
  oldSize: number,
  size: number,
  latest: LatestLeaves,
  signal: AbortSignal,
): Promise<void> {
  for (const { level, n } of fullTiles(oldSize, size)) {
    const hashes: Uint8Array[] = [];
    for (let at = 0; at < tileWidth; at++)
      hashes.push(await tree.hashOf({ level: level * tileBits, n: n * tileWidth + at }, latest));
    const verdict = await log.putTile({ level, n }, joinHashes(hashes), signal);
    if (verdict === "different") throw new LogHalted("TILE_DIFFERS", `tile ${level}/${n}`);
  }
}
