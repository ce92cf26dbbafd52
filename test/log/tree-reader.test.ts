import { beforeEach, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { LastroError } from "../../src/core/errors.ts";
import {
  consistencyPath,
  inclusionPath,
  treeRoot,
  verifyConsistency,
  verifyInclusion,
} from "../../src/core/merkle.ts";
import { treeReader } from "../../src/log/tree-reader.ts";
import {
  flipped,
  hex,
  leafHashes,
  type StoredLog,
  sha256,
  sparseTree,
  storedLog,
  treeOf,
} from "../support/log.ts";

const { signal } = new AbortController();
const sizeMax = 66_000;
const tree = treeOf(leafHashes(sizeMax));
const whole = await storedLog(tree);
let log: StoredLog;
const asked: string[] = [];
beforeEach(() => {
  log = { tiles: new Map(whole.tiles), rows: [...whole.rows] };
  asked.length = 0;
});

const store: Parameters<typeof treeReader>[0] = {
  async tile({ level, n }) {
    asked.push(`tile ${level}/${n}`);
    return log.tiles.get(`${level}/${n}`);
  },
  async rows(from, to) {
    asked.push(`rows ${from} to ${to}`);
    return log.rows.slice(from, to).filter(({ index }) => index < to);
  },
};
const rowsAsked = (): readonly string[] => asked.filter((what) => what.startsWith("rows"));

describe("hashes of the stored log", () => {
  test("give roots and proofs of each size, from tiles and from the rows that fill no tile yet", async () => {
    const read = treeReader(store, sha256, signal);
    const sizes = fc.oneof(
      fc.integer({ min: 1, max: sizeMax }),
      fc.constantFrom(1, 255, 256, 257, 65_535, 65_536, 65_537),
    );
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(), async (size, seed) => {
        const [index, oldSize] = [seed % size, 1 + (seed % size)];
        const root = await treeRoot(sha256, size, read);
        expect(hex(root)).toBe(hex(await treeRoot(sha256, size, tree.read)));
        const path = await inclusionPath(sha256, index, size, read);
        const leafHash = tree.leaves[index] as Uint8Array;
        expect(verifyInclusion(sha256, { index, size, leafHash, root, path })).toBe(true);
        const grown = await consistencyPath(sha256, oldSize, size, read);
        const oldRoot = await treeRoot(sha256, oldSize, tree.read);
        expect(verifyConsistency(sha256, { oldSize, oldRoot, size, root, path: grown })).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  test("are the same before tiles were stored: the log is there with its rows", async () => {
    log.tiles.clear();
    expect(hex(await treeRoot(sha256, sizeMax, treeReader(store, sha256, signal)))).toBe(
      hex(await treeRoot(sha256, sizeMax, tree.read)),
    );
  });

  test("are read with each tile once, and rows only where the last tile is not full", async () => {
    log.tiles.delete("1/0");
    await treeRoot(sha256, 65_535, treeReader(store, sha256, signal));
    expect(new Set(asked).size).toBe(asked.length);
    expect(asked).toHaveLength(1 + 255 + 1);
    expect(rowsAsked()).toEqual([]);
    asked.length = 0;
    log = { ...log, tiles: whole.tiles };
    await treeRoot(sha256, sizeMax, treeReader(store, sha256, signal));
    expect(rowsAsked()).toEqual([`rows ${257 * 256} to ${258 * 256}`]);
  });

  test.each(["0/0", "0/255", "0/256", "1/0"])(
    "give another root when a bit of tile %s was changed",
    async (name) => {
      await fc.assert(
        fc.asyncProperty(fc.nat(8_192 * 8 - 1), async (bit) => {
          const tiles = new Map(whole.tiles).set(name, flipped(whole.tiles.get(name) as Uint8Array, bit));
          log = { ...log, tiles };
          // Level 0 counts where no tile above holds the hash of the changed one.
          if (name === "0/0" || name === "0/255") tiles.delete("1/0");
          const root = await treeRoot(sha256, sizeMax, treeReader(store, sha256, signal));
          expect(hex(root)).not.toBe(hex(await treeRoot(sha256, sizeMax, tree.read)));
        }),
        { numRuns: 1 },
      );
    },
  );

  test.each<[string, (log: StoredLog) => void]>([
    ["a tile that is cut off", ({ tiles }) => tiles.set("1/0", new Uint8Array(8_160))],
    ["a tile that is too long", ({ tiles }) => tiles.set("1/0", new Uint8Array(8_224))],
    ["an empty tile", ({ tiles }) => tiles.set("1/0", new Uint8Array(0))],
    ["a row that is missing", ({ rows }) => rows.splice(65_900, 1)],
    ["rows that end too early", ({ rows }) => rows.splice(65_999)],
  ])("stop the log: %s", async (_, damage) => {
    damage(log);
    const failure = await treeRoot(sha256, sizeMax, treeReader(store, sha256, signal)).catch(
      (error) => error,
    );
    expect(failure).toBeInstanceOf(LastroError);
    expect(failure).toMatchObject({ code: "LOG_HALTED" });
  });

  test("fail as the store fails", async () => {
    const broken = new LastroError("STORE_UNAVAILABLE", "gone");
    const read = treeReader({ ...store, tile: () => Promise.reject(broken) }, sha256, signal);
    await expect(treeRoot(sha256, sizeMax, read)).rejects.toBe(broken);
  });

  test("of more leaves than any tile of the third level holds need a few tiles only", async () => {
    const index = 2 ** 24 + 5;
    const { leafHash, read } = sparseTree(index);
    const sparse: Parameters<typeof treeReader>[0] = {
      async tile({ level, n }) {
        asked.push(`tile ${level}/${n}`);
        const nodes = Array.from({ length: 256 }, (__, at) => ({ level: level * 8, n: n * 256 + at }));
        return Buffer.concat(await read(nodes));
      },
      rows: () => Promise.reject(new Error("no row is needed")),
    };
    const size = 2 ** 25;
    const path = await inclusionPath(sha256, index, size, treeReader(sparse, sha256, signal));
    const root = await treeRoot(sha256, size, read);
    expect(verifyInclusion(sha256, { index, size, leafHash, root, path })).toBe(true);
    expect(asked.toSorted()).toEqual(["tile 0/65536", "tile 1/256", "tile 2/1", "tile 3/0"]);
  });
});
