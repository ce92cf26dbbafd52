import { hash } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  consistencyPath, type HashReader, inclusionPath, leafHashOf, rootOf, treeRoot, verifyConsistency, verifyInclusion,
} from "../../src/core/merkle.ts"; // biome-ignore format: one line a name
import vectors from "../vectors/log/rfc6962.json" with { type: "json" };

const sha256 = (bytes: Uint8Array): Uint8Array => hash("sha256", bytes, "buffer");
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const leaves = Array.from({ length: 300 }, (_, at) => leafHashOf(sha256, Buffer.from(`leaf ${at}`)));

/** Hashes of complete subtrees of leaves that are at hand. */
const readerOf =
  (of: readonly Uint8Array[]): HashReader =>
  async (nodes) =>
    nodes.map(({ level, n }) => rootOf(sha256, of.slice(n * 2 ** level, (n + 1) * 2 ** level)));
const read = readerOf(leaves);
const rootAt = (size: number): Uint8Array => rootOf(sha256, leaves.slice(0, size));

const flipped = (bytes: Uint8Array): Uint8Array => bytes.map((byte, at) => (at === 7 ? byte ^ 1 : byte));
const size = fc.integer({ min: 1, max: leaves.length });
const sizeAndIndex = size.chain((of) => fc.tuple(fc.constant(of), fc.integer({ min: 0, max: of - 1 })));
const sizeAndOlder = size.chain((of) => fc.tuple(fc.constant(of), fc.integer({ min: 1, max: of })));

describe("the tree of RFC 6962", () => {
  test("has the published roots", () => {
    const hashes = vectors.leaves.map((leaf) => leafHashOf(sha256, Buffer.from(leaf, "hex")));
    vectors.roots.forEach((root, of) => {
      expect(hex(rootOf(sha256, hashes.slice(0, of)))).toBe(root);
    });
  });

  test("has the published proofs", async () => {
    const hashes = vectors.leaves.map((leaf) => leafHashOf(sha256, Buffer.from(leaf, "hex")));
    for (const { index, of, path } of vectors.inclusion)
      expect((await inclusionPath(sha256, index, of, readerOf(hashes))).map(hex)).toEqual(path);
    for (const { from, to, path } of vectors.consistency)
      expect((await consistencyPath(sha256, from, to, readerOf(hashes))).map(hex)).toEqual(path);
  });

  test("has one root, whether read from subtrees or computed from leaves", async () => {
    await fc.assert(
      fc.asyncProperty(size, async (of) => {
        expect(hex(await treeRoot(sha256, of, read))).toBe(hex(rootAt(of)));
      }),
    );
  });

  test("proves that a leaf is in it, and nothing else", async () => {
    await fc.assert(
      fc.asyncProperty(sizeAndIndex, async ([of, index]) => {
        const path = await inclusionPath(sha256, index, of, read);
        const leafHash = leaves[index] as Uint8Array;
        const claim = { index, size: of, leafHash, root: rootAt(of), path };
        expect(verifyInclusion(sha256, claim)).toBe(true);
        expect(verifyInclusion(sha256, { ...claim, leafHash: flipped(leafHash) })).toBe(false);
        expect(verifyInclusion(sha256, { ...claim, root: flipped(claim.root) })).toBe(false);
        expect(verifyInclusion(sha256, { ...claim, path: [...path, claim.root] })).toBe(false);
        expect(verifyInclusion(sha256, { ...claim, index: of })).toBe(false);
        if (of > 1) {
          expect(verifyInclusion(sha256, { ...claim, path: path.slice(1) })).toBe(false);
          expect(verifyInclusion(sha256, { ...claim, path: path.map(flipped) })).toBe(false);
          expect(verifyInclusion(sha256, { ...claim, index: (index + 1) % of })).toBe(false);
        }
      }),
    );
  });

  test("proves that it only grew, and nothing else", async () => {
    await fc.assert(
      fc.asyncProperty(sizeAndOlder, async ([of, oldSize]) => {
        const path = await consistencyPath(sha256, oldSize, of, read);
        const claim = { oldSize, oldRoot: rootAt(oldSize), size: of, root: rootAt(of), path };
        expect(verifyConsistency(sha256, claim)).toBe(true);
        expect(verifyConsistency(sha256, { ...claim, oldRoot: flipped(claim.oldRoot) })).toBe(false);
        expect(verifyConsistency(sha256, { ...claim, root: flipped(claim.root) })).toBe(false);
        expect(verifyConsistency(sha256, { ...claim, path: [...path, claim.root] })).toBe(false);
        if (oldSize < of) {
          expect(verifyConsistency(sha256, { ...claim, path: path.slice(1) })).toBe(false);
          expect(verifyConsistency(sha256, { ...claim, path: path.map(flipped) })).toBe(false);
          expect(verifyConsistency(sha256, { ...claim, oldSize: of, size: oldSize })).toBe(false);
        }
      }),
    );
  });

  test("grows from nothing without a proof", async () => {
    const empty = rootOf(sha256, []);
    expect(await consistencyPath(sha256, 0, 5, read)).toEqual([]);
    const claim = { oldSize: 0, oldRoot: empty, size: 5, root: rootAt(5), path: [] };
    expect(verifyConsistency(sha256, claim)).toBe(true);
    expect(verifyConsistency(sha256, { ...claim, oldRoot: flipped(empty) })).toBe(false);
  });

  test("refuses to prove what does not lie in it", async () => {
    expect(() => inclusionPath(sha256, 5, 5, read)).toThrow(RangeError);
    await expect(consistencyPath(sha256, 6, 5, read)).rejects.toThrow(RangeError);
  });
});
