import { beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  consistencyPath,
  inclusionPath,
  treeRoot,
  verifyConsistency,
  verifyInclusion,
} from "../../../src/core/merkle.ts";
import { flipped, leafHashes, sha256, sparseTree, treeOf } from "../../support/log.ts";
import { buildMsMax, judgeProofs, outsideProgram } from "../../support/outside.ts";

beforeAll(outsideProgram, buildMsMax);

const sizeMax = 70;
const tree = treeOf(leafHashes(sizeMax));
/** The same samples each time; change it to look elsewhere. */
const seed = 20_261_127;

async function inclusion(index: number, size: number, of = tree.read, leafHash = tree.leaves[index]) {
  if (leafHash === undefined) throw new RangeError("no leaf");
  const path = await inclusionPath(sha256, index, size, of);
  return { index, size, leafHash, root: await treeRoot(sha256, size, of), path };
}

async function consistency(oldSize: number, size: number, of = tree.read) {
  const path = await consistencyPath(sha256, oldSize, size, of);
  const [oldRoot, root] = [await treeRoot(sha256, oldSize, of), await treeRoot(sha256, size, of)];
  return { oldSize, oldRoot, size, root, path };
}

const both = { sumdb: true, merkle: true };

test(`two Go libraries take each proof in trees of up to ${sizeMax} leaves`, async () => {
  const claims = { inclusion: [await inclusion(0, 1)], consistency: [await consistency(1, 1)] };
  for (let size = 2; size <= sizeMax; size++) {
    for (let index = 0; index < size; index++) {
      claims.inclusion.push(await inclusion(index, size));
      claims.consistency.push(await consistency(index + 1, size));
    }
  }
  const judged = await judgeProofs(claims);
  expect(judged.inclusion).toEqual(claims.inclusion.map(() => both));
  expect(judged.consistency).toEqual(claims.consistency.map(() => both));
});

test("two Go libraries take proofs in trees of up to 2^53 leaves", async () => {
  const sizes = fc.oneof(
    fc.maxSafeInteger().map((size) => Math.max(1, Math.abs(size))),
    fc.integer({ min: 9, max: 53 }).map((bits) => 2 ** bits - 1),
  );
  const samples = fc.sample(fc.tuple(sizes, fc.maxSafeInteger().map(Math.abs)), { numRuns: 100, seed });
  const claims = { inclusion: [await inclusion(0, 1)], consistency: [await consistency(1, 1)] };
  for (const [size, any] of samples) {
    const index = any % size;
    const { leafHash, read } = sparseTree(index);
    claims.inclusion.push(await inclusion(index, size, read, leafHash));
    claims.consistency.push(await consistency(index + 1, size, read));
  }
  const judged = await judgeProofs(claims);
  expect(judged.inclusion).toEqual(claims.inclusion.map(() => both));
  expect(judged.consistency).toEqual(claims.consistency.map(() => both));
});

type Common = { readonly size: number; readonly root: Uint8Array; readonly path: readonly Uint8Array[] };
type Draw = { readonly at: number; readonly bit: number };

const tamperings: readonly (<T extends Common>(claim: T, draw: Draw) => T)[] = [
  (claim) => claim,
  (claim, { at }) => ({ ...claim, size: at }),
  (claim, { bit }) => ({ ...claim, root: flipped(claim.root, bit) }),
  (claim, { at, bit }) => ({
    ...claim,
    path: claim.path.map((hash, place) => (place === at % claim.path.length ? flipped(hash, bit) : hash)),
  }),
  (claim, { at }) => ({ ...claim, path: claim.path.filter((_, place) => place !== at % claim.path.length) }),
  (claim, { at, bit }) => ({
    ...claim,
    path: claim.path.toSpliced(at % (claim.path.length + 1), 0, flipped(claim.root, bit)),
  }),
  (claim) => ({ ...claim, path: claim.path.toReversed() }),
];

test("two Go libraries take and refuse what we take and refuse of proofs that were tampered with", async () => {
  const one = fc.integer({ min: 1, max: sizeMax });
  const samples = fc.sample(fc.tuple(one, fc.nat(), one, fc.nat(255), fc.nat(tamperings.length)), {
    numRuns: 1_500,
    seed,
  });
  const claims = { inclusion: [await inclusion(0, 1)], consistency: [await consistency(1, 1)] };
  for (const [size, any, at, bit, which] of samples) {
    const tamper = tamperings[which];
    const [included, grown] = [await inclusion(any % size, size), await consistency(1 + (any % size), size)];
    claims.inclusion.push(tamper === undefined ? { ...included, index: at } : tamper(included, { at, bit }));
    claims.consistency.push(tamper === undefined ? { ...grown, oldSize: at } : tamper(grown, { at, bit }));
  }
  const judged = await judgeProofs(claims);
  const ours = {
    inclusion: claims.inclusion.map((claim) => verifyInclusion(sha256, claim)),
    consistency: claims.consistency.map((claim) => verifyConsistency(sha256, claim)),
  };
  for (const kind of ["inclusion", "consistency"] as const) {
    expect(judged[kind].map(({ sumdb }) => sumdb)).toEqual(ours[kind]);
    expect(judged[kind].map(({ merkle }) => merkle)).toEqual(ours[kind]);
    expect(ours[kind].filter((taken) => !taken).length).toBeGreaterThan(500);
    expect(ours[kind].filter((taken) => taken).length).toBeGreaterThan(100);
  }
});
