/** Tiles and entry bundles of the published log (C2SP tlog-tiles). Full tiles are stored; the rest is computed for any size that is covered. */
import { utf8 } from "../core/base64.ts";
import { LastroError } from "../core/errors.ts";
import { encodeEntries, joinHashes, type TileRequest, tileWidth, tileWidthAt } from "../core/tiles.ts";
import { readEntries } from "./log-leaf.ts";
import { logDamaged, type PublishedLog } from "./published-log.ts";

const tileBits = 8;
const hashBytes = 32;

/** Undefined where the published checkpoint does not cover it. Throws LOG_DAMAGED where what is stored cannot be it. */
export async function readTile(
  log: PublishedLog,
  request: TileRequest,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const { n, width } = request;
  const level = request.kind === "tile" ? request.level : 0;
  const needed = (n * tileWidth + width) * tileWidth ** level;
  const tree = await log.checkpoint("latest", signal, Math.min(needed, Number.MAX_SAFE_INTEGER));
  const widthNow = tree === undefined ? 0 : tileWidthAt({ level, n }, tree.size);
  if (width > widthNow) return undefined;
  if (request.kind === "entries") {
    const entries = await readEntries(log, n * tileWidth, n * tileWidth + width, signal);
    return encodeEntries(entries.map(({ entry }) => utf8(entry)));
  }
  if (widthNow === tileWidth) return (await fullTile(log, level, n, signal)).subarray(0, width * hashBytes);
  return partialTile(log, level, n, width, signal);
}

async function fullTile(
  log: PublishedLog,
  level: number,
  n: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const tile = await log.store.tile({ level, n }, signal);
  if (tile?.length !== tileWidth * hashBytes) throw logDamaged(`tile ${level}/${n} is gone or cut`);
  return tile;
}

async function partialTile(
  log: PublishedLog,
  level: number,
  n: number,
  width: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const nodes = Array.from({ length: width }, (_, at) => ({
    level: level * tileBits,
    n: n * tileWidth + at,
  }));
  try {
    return joinHashes(await log.hashes(signal)(nodes));
  } catch (error) {
    if (error instanceof LastroError && error.code === "LOG_HALTED")
      throw logDamaged(`tile ${level}/${n} cannot be computed`, error);
    throw error;
  }
}
