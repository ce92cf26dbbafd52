import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { rootOf } from "../../src/core/merkle.ts";
import {
  decodeEntries, encodeEntries, entriesPath, fullTiles, joinHashes, parseTilePath, tileHashes, tilePath, tileWidth,
  tileWidthAt,
} from "../../src/core/tiles.ts"; // biome-ignore format: fewer lines
import { hex, leafHashes, sha256, treeOf } from "../support/log.ts";
import vectors from "../vectors/log/tiles.json" with { type: "json" };

const n = fc.oneof(fc.nat(2_000), fc.maxSafeInteger().map(Math.abs));
const level = fc.nat(63);
const width = fc.integer({ min: 1, max: tileWidth });

describe("paths of tiles", () => {
  test.each(vectors.paths)("vector, $path", ({ path, request }) => {
    const { kind, n: index, width: wide } = request;
    const { level: high } = request as { readonly level?: number };
    expect(high === undefined ? entriesPath(index, wide) : tilePath({ level: high, n: index }, wide)).toBe(
      path,
    );
    expect(parseTilePath(path)).toEqual({
      kind,
      ...(high === undefined ? {} : { level: high }),
      n: index,
      width: wide,
    });
  });

  test.each(vectors.invalidPaths)("vector, %j is none", (path) => {
    expect(parseTilePath(path)).toBeUndefined();
  });

  test("are read back as what was asked for", () => {
    fc.assert(
      fc.property(level, n, width, (high, index, wide) => {
        const tile = { level: high, n: index };
        expect(parseTilePath(tilePath(tile, wide))).toEqual({ kind: "tile", ...tile, width: wide });
        expect(parseTilePath(entriesPath(index, wide))).toEqual({ kind: "entries", n: index, width: wide });
      }),
    );
  });

  test("are taken only as they are written", () => {
    const pieces = fc.constantFrom(
      "tile",
      "/",
      "entries",
      "x",
      "000",
      "001",
      "1",
      "0",
      ".p/",
      "255",
      "256",
      "..",
      "%2e",
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(pieces, { maxLength: 9 }).map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(text, (path) => {
        const request = parseTilePath(path);
        if (request === undefined) return;
        expect(
          request.kind === "tile" ? tilePath(request, request.width) : entriesPath(request.n, request.width),
        ).toBe(path);
      }),
    );
  });
});

describe("tiles", () => {
  test("of a tree of 70,000 leaves are those of the specification", () => {
    const full = fullTiles(0, 70_000);
    expect(full.filter((tile) => tile.level === 0)).toHaveLength(273);
    expect(full.filter((tile) => tile.level === 1)).toHaveLength(1);
    expect(full.filter((tile) => tile.level > 1)).toHaveLength(0);
    const widths = [
      [0, 273],
      [1, 1],
      [2, 0],
      [3, 0],
      [0, 272],
      [0, 274],
    ].map(([at = 0, of = 0]) => tileWidthAt({ level: at, n: of }, 70_000));
    expect(widths).toEqual([112, 17, 1, 0, 256, 0]);
  });

  test("that become full are each named once, however the tree grew", () => {
    const sizes = fc
      .array(fc.nat(200_000), { minLength: 1, maxLength: 6 })
      .map((all) => all.toSorted((a, b) => a - b));
    fc.assert(
      fc.property(sizes, (all) => {
        const steps = all.flatMap((size, at) => fullTiles(all[at - 1] ?? 0, size));
        const byName = steps.map((tile) => tilePath(tile)).sort();
        expect(byName).toEqual(
          fullTiles(0, all.at(-1) ?? 0)
            .map((tile) => tilePath(tile))
            .sort(),
        );
        for (const tile of steps) expect(tileWidthAt(tile, all.at(-1) ?? 0)).toBe(tileWidth);
      }),
      { numRuns: 30 },
    );
  });

  test("come low levels first, for the hashes of a level are those of the tiles below", () => {
    const levels = fullTiles(0, 65_536 * 2).map((tile) => tile.level);
    expect(levels).toEqual(levels.toSorted((a, b) => a - b));
    expect(levels.at(-1)).toBe(1);
  });

  test("re-assemble to the root of the tree", async () => {
    const tree = treeOf(leafHashes(1_000));
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1_000 }), async (size) => {
        const tiles: Uint8Array[] = [];
        for (let index = 0; tileWidthAt({ level: 0, n: index }, size) > 0; index++) {
          const wide = tileWidthAt({ level: 0, n: index }, size);
          const nodes = Array.from({ length: wide }, (_, at) => ({ level: 0, n: index * tileWidth + at }));
          tiles.push(joinHashes(await tree.read(nodes)));
        }
        expect(hex(rootOf(sha256, tiles.flatMap(tileHashes)))).toBe(hex(tree.rootAt(size)));
      }),
      { numRuns: 20 },
    );
  });

  test("hold 1 to 256 whole hashes", () => {
    expect(tileHashes(new Uint8Array(32 * 256))).toHaveLength(256);
    expect(tileHashes(new Uint8Array(32 * 257))).toEqual([]);
    expect(tileHashes(new Uint8Array(33))).toEqual([]);
    expect(tileHashes(new Uint8Array(0))).toEqual([]);
    const part = new Uint8Array(96).fill(7).subarray(32, 64);
    expect(tileHashes(part).map(hex)).toEqual(["07".repeat(32)]);
  });
});

describe("entry bundles", () => {
  test.each(vectors.bundles)("vector, $name", ({ entries, bundle }) => {
    const bytes = entries.map((entry) => Buffer.from(entry, "hex"));
    expect(hex(encodeEntries(bytes))).toBe(bundle);
    expect(decodeEntries(Buffer.from(bundle, "hex"))?.map(hex)).toEqual(entries);
  });

  test.each(vectors.invalidBundles)("vector, $name: is none", ({ bundle }) => {
    expect(decodeEntries(Buffer.from(bundle, "hex"))).toBeUndefined();
  });

  test("are read back as the entries that were put in", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: tileWidth }), (entries) => {
        expect(decodeEntries(encodeEntries(entries))).toEqual(entries);
      }),
    );
  });

  test("that are read are written again to the byte, and no bytes harm", () => {
    const short = fc.uint8Array({ maxLength: 5 }).map((entry) => [0, entry.length, ...entry]);
    const bundles = fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      fc
        .tuple(fc.array(short), fc.uint8Array({ maxLength: 2 }))
        .map(([all, rest]) => Uint8Array.from([...all.flat(), ...rest])),
    );
    fc.assert(
      fc.property(bundles, (bundle) => {
        const entries = decodeEntries(bundle);
        if (entries !== undefined) expect(encodeEntries(entries)).toEqual(bundle);
      }),
    );
  });

  test("hold at most 256 entries of at most 65,535 bytes", () => {
    const empty = new Uint8Array(0);
    expect(decodeEntries(encodeEntries(Array(256).fill(empty)))).toHaveLength(256);
    expect(decodeEntries(encodeEntries(Array(257).fill(empty)))).toBeUndefined();
    expect(decodeEntries(encodeEntries([new Uint8Array(65_535)]))?.[0]).toHaveLength(65_535);
    expect(() => encodeEntries([new Uint8Array(65_536)])).toThrow(RangeError);
  });
});
