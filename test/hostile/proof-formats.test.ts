/** Fuzz targets: the formats of the log's proofs, which come from anybody. What is accepted is written again to the letter. */
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  type AddCheckpoint,
  formatAddCheckpoint,
  parseAddCheckpoint,
} from "../../src/core/add-checkpoint.ts";
import { type Checkpoint, formatCheckpoint, parseCheckpoint } from "../../src/core/checkpoint.ts";
import { type Evidence, formatEvidence, parseEvidence } from "../../src/core/evidence.ts";
import { leafHash } from "../../src/core/leaf.ts";
import { parseLogEntry } from "../../src/core/log-entries.ts";
import { verifyInclusion } from "../../src/core/merkle.ts";
import {
  formatNote,
  formatVerifierKey,
  type NoteSignature,
  parseNote,
  parseSignatureLine,
  parseVerifierKey,
  type SignedNote,
  signatureLine,
  type VerifierKey,
  verifierKey,
} from "../../src/core/signed-note.ts";
import { formatTlogProof, parseTlogProof, type TlogProof } from "../../src/core/tlog-proof.ts";
import { codecTests } from "../support/codec-tests.ts";
import type { Codec } from "../support/codecs.ts";
import { must } from "../support/fuzz.ts";
import { leafHashes, sha256, treeOf } from "../support/log.ts";
import checkpointVectors from "../vectors/log/checkpoints.json" with { type: "json" };
import noteVectors from "../vectors/log/notes.json" with { type: "json" };
import proofVectors from "../vectors/log/proofs.json" with { type: "json" };

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const hashes = (max: number) => fc.array(bytes(32), { maxLength: max });
const count = fc.maxSafeInteger().map(Math.abs);
const name = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
  .map((text) => text.replaceAll(/[+\p{White_Space}\p{Cc}]/gu, "-"));
const line = fc.string({ unit: "grapheme", maxLength: 30 }).map((text) => text.replaceAll(/\p{Cc}/gu, "-"));
const signature: fc.Arbitrary<NoteSignature> = fc.record({
  name,
  id: fc.nat(0xffff_ffff),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 72 }),
});
const note: fc.Arbitrary<SignedNote> = fc.record({
  text: fc.array(line, { minLength: 1, maxLength: 5 }).map((lines) => `${lines.join("\n")}\n`),
  signatures: fc.array(signature, { minLength: 1, maxLength: 4 }),
});
const checkpoint = note.map(formatNote);

const checkpoints: Codec<Checkpoint> = {
  name: "checkpoints",
  values: fc.record({ origin: name, size: count, root: bytes(32) }),
  texts: checkpointVectors.valid.map(({ text }) => text),
  parse: parseCheckpoint,
  format: formatCheckpoint,
  again: (text) => text.split("\n").slice(0, 3).concat("").join("\n"),
};
const notes: Codec<SignedNote> = {
  name: "signed notes",
  values: note,
  texts: [...noteVectors.verified, ...noteVectors.unverified].map((vector) => vector.note),
  parse: parseNote,
  format: formatNote,
};
const signatureLines: Codec<NoteSignature> = {
  name: "signature lines",
  values: signature,
  parse: parseSignatureLine,
  format: signatureLine,
};
const verifierKeys: Codec<VerifierKey> = {
  name: "verifier keys",
  values: fc
    .record({
      name,
      type: fc.constantFrom("ed25519" as const, "cosignature/v1" as const),
      publicKey: bytes(32),
    })
    .map((key) => verifierKey(sha256, key)),
  texts: noteVectors.verified.map(({ vkey }) => vkey),
  parse: (text) => parseVerifierKey(sha256, text),
  format: (key) => formatVerifierKey(sha256, key),
};
const tlogProofs: Codec<TlogProof> = {
  name: "tlog-proofs",
  values: fc.record({
    extra: fc.option(fc.uint8Array(), { nil: undefined }),
    index: count,
    path: hashes(63),
    checkpoint,
  }),
  texts: proofVectors.valid.map(({ proof }) => proof),
  parse: parseTlogProof,
  format: formatTlogProof,
};
const addCheckpoints: Codec<AddCheckpoint> = {
  name: "add-checkpoint requests",
  values: fc.record({ oldSize: count, proof: hashes(63), checkpoint }),
  parse: parseAddCheckpoint,
  format: formatAddCheckpoint,
};
const bundles: Codec<Evidence> = {
  name: "evidence bundles",
  values: fc.record({
    checkpoint,
    vkeys: fc.array(line, { maxLength: 2 }),
    entries: fc.array(
      fc.record({
        index: count,
        entry: line,
        path: hashes(4),
        proven: fc.constant(undefined),
        body: fc.option(fc.uint8Array(), { nil: undefined }),
      }),
      { maxLength: 3 },
    ),
    outcomes: fc.array(fc.record({ index: count, list: line }), { maxLength: 2 }),
    consistency: fc.array(fc.record({ from: count, to: count, path: hashes(4) }), { maxLength: 2 }),
  }),
  texts: [
    JSON.stringify({
      t: "lastro-evidence",
      v: 1,
      checkpoint: "",
      entries: proofVectors.valid.map(({ proof }) => ({ entry: "{}", proof, unknown: [null] })),
    }),
  ],
  parse(text) {
    const read = parseEvidence(text);
    if (read.ok) return read.evidence;
    must(read.why.length > 0, "it does not say why");
    return undefined;
  },
  format: formatEvidence,
  again: "another",
};

codecTests(checkpoints);
codecTests(notes);
codecTests(signatureLines);
codecTests(verifierKeys);
codecTests(tlogProofs);
codecTests(addCheckpoints);
codecTests(bundles);

test("a node of the tree is proven as no leaf: not in the tree that was signed, and by no entry", async () => {
  const tree = treeOf(leafHashes(4));
  const [left, right] = await tree.read([
    { level: 1, n: 0 },
    { level: 1, n: 1 },
  ]);
  if (left === undefined || right === undefined) throw new Error("no nodes");
  const claim = { index: 0, leafHash: left, path: [right], root: tree.rootAt(4) };
  expect(verifyInclusion(sha256, { ...claim, size: 2 })).toBe(true);
  expect(verifyInclusion(sha256, { ...claim, size: 4 })).toBe(false);
  const preimage = Buffer.concat(tree.leaves.slice(0, 2)).toString("latin1");
  for (const entry of [preimage, `\u0001${preimage}`]) {
    expect(leafHash(sha256, entry)).not.toEqual(left);
    expect(parseLogEntry(entry)).toBeUndefined();
  }
});
