/** Names and contents of the log's static resources: C2SP tlog-tiles. */
import { hashBytes } from "./merkle.ts";

/** Hashes in a full tile, entries in a full bundle. */
export const tileWidth = 256;
const levelMax = 63;

/** 256 hashes, from the n · 256th on, of complete subtrees of 256^level leaves. */
export type TileId = { readonly level: number; readonly n: number };

export type TileRequest =
  | (TileId & { readonly kind: "tile"; readonly width: number })
  | { readonly kind: "entries"; readonly n: number; readonly width: number };

/** 1234067 as x001/x234/067. */
function numberPath(n: number): string {
  const groups =
    String(n)
      .padStart(Math.ceil(String(n).length / 3) * 3, "0")
      .match(/\d{3}/g) ?? [];
  return groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join("/");
}

const partial = (width: number): string => (width === tileWidth ? "" : `.p/${width}`);

export const tilePath = ({ level, n }: TileId, width: number = tileWidth): string =>
  `tile/${level}/${numberPath(n)}${partial(width)}`;
export const entriesPath = (n: number, width: number = tileWidth): string =>
  `tile/entries/${numberPath(n)}${partial(width)}`;

const pathForm = /^tile\/(entries|\d{1,2})\/((?:x\d{3}\/){0,5}\d{3})(?:\.p\/([1-9]\d{0,2}))?$/;

/** What a path asks for; undefined unless it is written as `tilePath` or `entriesPath` would. */
export function parseTilePath(path: string): TileRequest | undefined {
  const [, what = "", groups = "", widthText] = pathForm.exec(path) ?? [];
  const n = Number(groups.replaceAll(/[x/]/g, ""));
  const width = widthText === undefined ? tileWidth : Number(widthText);
  if (what === "" || !Number.isSafeInteger(n) || (widthText !== undefined && width >= tileWidth))
    return undefined;
  const level = Number(what);
  if (what !== "entries" && level > levelMax) return undefined;
  const canonical = what === "entries" ? entriesPath(n, width) : tilePath({ level, n }, width);
  if (canonical !== path) return undefined;
  return what === "entries" ? { kind: "entries", n, width } : { kind: "tile", level, n, width };
}

/** Hashes that the tile has in a tree of `size` leaves, at level 0 also entries: 0 to 256. */
export function tileWidthAt({ level, n }: TileId, size: number): number {
  const hashes = Math.floor(size / tileWidth ** level);
  return Math.max(0, Math.min(tileWidth, hashes - n * tileWidth));
}

/** Tiles that are full at `size` and were not at `oldSize`, low levels first. */
export function fullTiles(oldSize: number, size: number): readonly TileId[] {
  const tiles: TileId[] = [];
  for (let level = 0, span = tileWidth; span <= size; level++, span *= tileWidth) {
    for (let n = Math.floor(oldSize / span); n < Math.floor(size / span); n++) tiles.push({ level, n });
  }
  return tiles;
}

/** The hashes of a tile, without copying; none when the bytes are not 1 to 256 whole hashes. */
export function tileHashes(tile: Uint8Array): readonly Uint8Array[] {
  const count = tile.length / hashBytes;
  if (!Number.isInteger(count) || count > tileWidth) return [];
  return Array.from({ length: count }, (_, at) => tile.subarray(at * hashBytes, (at + 1) * hashBytes));
}

export function joinHashes(hashes: readonly Uint8Array[]): Uint8Array {
  const tile = new Uint8Array(hashes.length * hashBytes);
  for (const [at, hash] of hashes.entries()) tile.set(hash, at * hashBytes);
  return tile;
}

const lengthBytes = 2;
const entryBytesMax = 0xffff;

/** An entry bundle: each entry behind its length as big-endian u16. Throws RangeError for an entry over 65,535 bytes. */
export function encodeEntries(entries: readonly Uint8Array[]): Uint8Array {
  const bundle = new Uint8Array(entries.reduce((sum, entry) => sum + lengthBytes + entry.length, 0));
  const view = new DataView(bundle.buffer);
  let at = 0;
  for (const entry of entries) {
    if (entry.length > entryBytesMax) throw new RangeError("an entry is too long for a bundle");
    view.setUint16(at, entry.length);
    bundle.set(entry, at + lengthBytes);
    at += lengthBytes + entry.length;
  }
  return bundle;
}

/** Undefined when lengths and bytes do not add up, or there are more than 256. */
export function decodeEntries(bundle: Uint8Array): readonly Uint8Array[] | undefined {
  const view = new DataView(bundle.buffer, bundle.byteOffset, bundle.byteLength);
  const entries: Uint8Array[] = [];
  for (let at = 0; at < bundle.length; ) {
    if (at + lengthBytes > bundle.length || entries.length === tileWidth) return undefined;
    const end = at + lengthBytes + view.getUint16(at);
    if (end > bundle.length) return undefined;
    entries.push(bundle.subarray(at + lengthBytes, end));
    at = end;
  }
  return entries;
}
