import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  consistencyPath, inclusionPath, leafHashOf, rootOf, treeRoot, verifyConsistency, verifyInclusion,
} from "../../src/core/merkle.ts"; // biome-ignore format: one line a name
import { flipped, hex, leafHashes, sha256, sparseTree, treeOf } from "../support/log.ts";
import vectors from "../vectors/log/rfc6962.json" with { type: "json" };

const sizeMax = 260;
/** For all proofs of all sizes, on a machine that has other work. */
const slowMsMax = 300_000;
const tree = treeOf(leafHashes(sizeMax));
const { leaves, read } = tree;
const roots = Array.from({ length: sizeMax + 1 }, (_, size) => tree.rootAt(size));
const rootAt = (size: number): Uint8Array => roots[size] as Uint8Array;

const published = treeOf(vectors.leaves.map((leaf) => leafHashOf(sha256, Buffer.from(leaf, "hex"))));
const bit = fc.nat(255);
const size = fc.integer({ min: 1, max: sizeMax });
const sizeAndIndex = size.chain((of) => fc.tuple(fc.constant(of), fc.nat(of - 1), bit));
const sizeAndOlder = size.chain((of) => fc.tuple(fc.constant(of), fc.integer({ min: 1, max: of }), bit));
const hugeSize = fc.oneof(
  fc.maxSafeInteger().map((of) => Math.max(1, Math.abs(of))),
  fc
    .tuple(fc.integer({ min: 9, max: 52 }), fc.integer({ min: -2, max: 2 }))
    .map(([bits, off]) => 2 ** bits + off),
);
const hugeAndIndex = hugeSize.chain((of) =>
  fc.tuple(
    fc.constant(of),
    fc.oneof(
      fc.constantFrom(0, of - 1),
      fc.maxSafeInteger().map((at) => Math.abs(at) % of),
    ),
  ),
);

/** All paths that are one hash shorter, one hash longer, or have one bit changed. */
function otherPaths(path: readonly Uint8Array[], changedBit: number): readonly (readonly Uint8Array[])[] {
  const more = flipped(path[0] ?? rootAt(1), changedBit);
  return [
    ...path.map((_, out) => path.filter((__, at) => at !== out)),
    ...path.map((_, in_) => path.map((hash, at) => (at === in_ ? flipped(hash, changedBit) : hash))),
    ...[0, path.length].map((at) => path.toSpliced(at, 0, more)),
    ...path.map((hash, in_) => path.with(in_, hash.slice(1))),
  ];
}

describe("the tree of RFC 6962", () => {
  test("has the published roots", () => {
    vectors.roots.forEach((root, of) => {
      expect(hex(rootOf(sha256, published.leaves.slice(0, of)))).toBe(root);
    });
  });

  test("has the published proofs", async () => {
    for (const { index, of, path } of vectors.inclusion)
      expect((await inclusionPath(sha256, index, of, published.read)).map(hex)).toEqual(path);
    for (const { from, to, path } of vectors.consistency)
      expect((await consistencyPath(sha256, from, to, published.read)).map(hex)).toEqual(path);
  });

  test("has one root, whether read from subtrees or computed from leaves", async () => {
    for (let of = 0; of <= sizeMax; of++) expect(hex(await treeRoot(sha256, of, read))).toBe(hex(rootAt(of)));
  });

  test(
    `proves each leaf of each tree of up to ${sizeMax} leaves`,
    async () => {
      for (let of = 1; of <= sizeMax; of++) {
        for (let index = 0; index < of; index++) {
          const leafHash = leaves[index] as Uint8Array;
          const path = await inclusionPath(sha256, index, of, read);
          if (!verifyInclusion(sha256, { index, size: of, leafHash, root: rootAt(of), path }))
            throw new Error(`leaf ${index} of ${of} is not proven`);
        }
      }
    },
    slowMsMax,
  );

  test(
    `proves of each two trees of up to ${sizeMax} leaves that the larger grew from the smaller`,
    async () => {
      for (let of = 0; of <= sizeMax; of++) {
        for (let oldSize = 0; oldSize <= of; oldSize++) {
          const path = await consistencyPath(sha256, oldSize, of, read);
          if (
            !verifyConsistency(sha256, {
              oldSize,
              oldRoot: rootAt(oldSize),
              size: of,
              root: rootAt(of),
              path,
            })
          )
            throw new Error(`${oldSize} to ${of} is not proven`);
        }
      }
    },
    slowMsMax,
  );
});

describe("a proof that a leaf is in the tree", () => {
  test("proves nothing with a bit changed, a hash more or less, or for another leaf", async () => {
    await fc.assert(
      fc.asyncProperty(sizeAndIndex, fc.nat(sizeMax), async ([of, index, changed], otherIndex) => {
        const path = await inclusionPath(sha256, index, of, read);
        const claim = { index, size: of, leafHash: leaves[index] as Uint8Array, root: rootAt(of), path };
        const isFalse = (other: Partial<typeof claim>): void =>
          expect(verifyInclusion(sha256, { ...claim, ...other })).toBe(false);
        expect(verifyInclusion(sha256, claim)).toBe(true);
        isFalse({ leafHash: flipped(claim.leafHash, changed) });
        isFalse({ root: flipped(claim.root, changed) });
        for (const other of otherPaths(path, changed)) isFalse({ path: other });
        if (otherIndex !== index) isFalse({ index: otherIndex });
        // A tree twice as high has longer paths. Sizes with paths of the same form are told apart by their roots only: a size belongs to the signed root.
        isFalse({ size: 2 * of + 1 });
        isFalse({ size: index });
      }),
    );
  });

  test("holds in trees of up to 2^53 leaves", async () => {
    await fc.assert(
      fc.asyncProperty(hugeAndIndex, bit, async ([of, index], changed) => {
        const { leafHash, read: readSparse } = sparseTree(index);
        const root = await treeRoot(sha256, of, readSparse);
        const path = await inclusionPath(sha256, index, of, readSparse);
        const claim = { index, size: of, leafHash, root, path };
        expect(verifyInclusion(sha256, claim)).toBe(true);
        for (const other of [0, index - 1, index + 1, of - 1].filter((at) => at !== index))
          expect(verifyInclusion(sha256, { ...claim, index: other })).toBe(false);
        for (const other of otherPaths(path, changed))
          expect(verifyInclusion(sha256, { ...claim, path: other })).toBe(false);
      }),
      { numRuns: 30 },
    );
  });

  test.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])(
    "does not know the number %p",
    (odd) => {
      const [leaf] = leaves as [Uint8Array];
      const claim = { index: 0, size: 1, leafHash: leaf, root: leaf, path: [] };
      expect(verifyInclusion(sha256, claim)).toBe(true);
      expect(verifyInclusion(sha256, { ...claim, index: odd })).toBe(false);
      expect(verifyInclusion(sha256, { ...claim, size: odd })).toBe(false);
      const grown = { oldSize: 1, oldRoot: leaf, size: 1, root: leaf, path: [] };
      expect(verifyConsistency(sha256, grown)).toBe(true);
      expect(verifyConsistency(sha256, { ...grown, oldSize: odd })).toBe(false);
      expect(verifyConsistency(sha256, { ...grown, size: odd })).toBe(false);
    },
  );

  test("does not take equal bytes for a leaf and a root that are no hashes", () => {
    const short = new Uint8Array(31);
    expect(verifyInclusion(sha256, { index: 0, size: 1, leafHash: short, root: short, path: [] })).toBe(
      false,
    );
    expect(verifyConsistency(sha256, { oldSize: 2, oldRoot: short, size: 2, root: short, path: [] })).toBe(
      false,
    );
  });

  test("is not made for a leaf outside", async () => {
    await expect(inclusionPath(sha256, 5, 5, read)).rejects.toThrow(RangeError);
    await expect(inclusionPath(sha256, -1, 5, read)).rejects.toThrow(RangeError);
  });
});

describe("a proof that the tree only grew", () => {
  test("proves nothing with a bit changed, a hash more or less, or for other sizes", async () => {
    await fc.assert(
      fc.asyncProperty(sizeAndOlder, size, async ([of, oldSize, changed], other) => {
        const path = await consistencyPath(sha256, oldSize, of, read);
        const claim = { oldSize, oldRoot: rootAt(oldSize), size: of, root: rootAt(of), path };
        const isFalse = (change: Partial<typeof claim>): void =>
          expect(verifyConsistency(sha256, { ...claim, ...change })).toBe(false);
        expect(verifyConsistency(sha256, claim)).toBe(true);
        isFalse({ oldRoot: flipped(claim.oldRoot, changed) });
        isFalse({ root: flipped(claim.root, changed) });
        for (const paths of otherPaths(path, changed)) isFalse({ path: paths });
        if (other !== oldSize && other <= of) isFalse({ oldSize: other, oldRoot: rootAt(other) });
        if (oldSize < of) isFalse({ oldSize: of, size: oldSize });
        isFalse({ size: 2 * of + 1 });
      }),
    );
  });

  test("holds in trees of up to 2^53 leaves", async () => {
    await fc.assert(
      fc.asyncProperty(hugeAndIndex, bit, async ([of, index], changed) => {
        const { read: readSparse } = sparseTree(index);
        const oldSize = index + 1;
        const path = await consistencyPath(sha256, oldSize, of, readSparse);
        const oldRoot = await treeRoot(sha256, oldSize, readSparse);
        const claim = { oldSize, oldRoot, size: of, root: await treeRoot(sha256, of, readSparse), path };
        expect(verifyConsistency(sha256, claim)).toBe(true);
        expect(verifyConsistency(sha256, { ...claim, oldSize: oldSize - 1 })).toBe(false);
        for (const other of otherPaths(path, changed))
          expect(verifyConsistency(sha256, { ...claim, path: other })).toBe(false);
      }),
      { numRuns: 30 },
    );
  });

  test("is empty from nothing, and the root of nothing is known", async () => {
    const claim = { oldSize: 0, oldRoot: rootAt(0), size: 5, root: rootAt(5), path: [] };
    expect(verifyConsistency(sha256, claim)).toBe(true);
    expect(verifyConsistency(sha256, { ...claim, oldRoot: flipped(rootAt(0), 3) })).toBe(false);
    expect(verifyConsistency(sha256, { ...claim, path: [rootAt(5)] })).toBe(false);
  });

  test("is not made for a tree that would shrink", async () => {
    await expect(consistencyPath(sha256, 6, 5, read)).rejects.toThrow(RangeError);
  });
});
