/** A log as static files in a folder (C2SP tlog-tiles), written and read with the code under test and nothing else. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { formatCheckpoint } from "../../src/core/checkpoint.ts";
import { type HashReader, leafHashOf, rootOf, treeRoot } from "../../src/core/merkle.ts";
import { formatNote } from "../../src/core/signed-note.ts";
import {
  decodeEntries,
  encodeEntries,
  entriesPath,
  joinHashes,
  tileHashes,
  tilePath,
  tileWidth,
  tileWidthAt,
} from "../../src/core/tiles.ts";
import { sha256, type TestSigner, treeOf } from "./log.ts";

const tileBits = 8;

function put(dir: string, path: string, content: Uint8Array | string): void {
  const file = join(dir, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

/** Tiles of a level, and of each level above that has any, each with its width in a tree of `size` leaves. */
function* tilesOf(size: number): Generator<{ level: number; n: number; width: number }> {
  for (let level = 0; tileWidthAt({ level, n: 0 }, size) > 0; level++) {
    for (let n = 0; tileWidthAt({ level, n }, size) > 0; n++)
      yield { level, n, width: tileWidthAt({ level, n }, size) };
  }
}

/** Writes checkpoint, tiles and entry bundles of a log; gives the paths of all of them. */
export async function writeStaticLog(
  dir: string,
  entries: readonly Uint8Array[],
  signer: TestSigner,
): Promise<readonly string[]> {
  const [size, tree] = [entries.length, treeOf(entries.map((entry) => leafHashOf(sha256, entry)))];
  const paths = ["checkpoint"];
  const text = formatCheckpoint({
    origin: signer.key.name,
    size,
    root: await treeRoot(sha256, size, tree.read),
  });
  put(dir, "checkpoint", formatNote({ text, signatures: [signer.signature(text)] }));
  for (const { level, n, width } of tilesOf(size)) {
    const nodes = Array.from({ length: width }, (_, at) => ({
      level: level * tileBits,
      n: n * tileWidth + at,
    }));
    const [path, bundle] = [tilePath({ level, n }, width), entriesPath(n, width)];
    put(dir, path, joinHashes(await tree.read(nodes)));
    paths.push(path);
    if (level > 0) continue;
    put(dir, bundle, encodeEntries(entries.slice(n * tileWidth, n * tileWidth + width)));
    paths.push(bundle);
  }
  return paths;
}

/** All entries of the log of that size. Throws where a bundle is not what its place asks for. */
export function readStaticEntries(dir: string, size: number): readonly Uint8Array[] {
  return [...tilesOf(size)]
    .filter(({ level }) => level === 0)
    .flatMap(({ n, width }) => {
      const entries = decodeEntries(readFileSync(join(dir, entriesPath(n, width))));
      if (entries?.length !== width) throw new Error(`bundle ${n} does not hold ${width} entries`);
      return entries;
    });
}

/** Hashes of complete subtrees in a tree of that size, from its tiles alone. */
export function staticHashes(dir: string, size: number): HashReader {
  return async (nodes) =>
    nodes.map(({ level, n }) => {
      const [tileLevel, count] = [Math.floor(level / tileBits), 2 ** (level % tileBits)];
      const first = n * count;
      const tile = { level: tileLevel, n: Math.floor(first / tileWidth) };
      const hashes = tileHashes(readFileSync(join(dir, tilePath(tile, tileWidthAt(tile, size)))));
      const at = first % tileWidth;
      if (hashes.length < at + count) throw new Error(`tile ${tile.level}/${tile.n} is too short`);
      return rootOf(sha256, hashes.slice(at, at + count));
    });
}
