import { beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { formatCheckpoint } from "../../../src/core/checkpoint.ts";
import {
  formatNote,
  formatVerifierKey,
  parseNote,
  parseVerifierKey,
  verifiedSignature,
} from "../../../src/core/signed-note.ts";
import { ed25519, flipped, leafHashes, sha256, testSigner } from "../../support/log.ts";
import { buildMsMax, judgeNotes, outsideProgram } from "../../support/outside.ts";
import vectors from "../../vectors/log/notes.json" with { type: "json" };

beforeAll(outsideProgram, buildMsMax);

const log = testSigner("lastro.local/0123456789abcdef");
const witness = testSigner("witness.example/w1", "cosignature/v1");
const vkeyOf = ({ key }: typeof log): string => formatVerifierKey(sha256, key);
const [root = new Uint8Array()] = leafHashes(1);
const text = formatCheckpoint({ origin: log.key.name, size: 7, root });
const cosignedS = 1_795_251_600;
const signatures = [log.signature(text), witness.signature(text, cosignedS)];

test("Go opens our checkpoint with our verifier key, and our cosignature with the witness's", async () => {
  const note = formatNote({ text, signatures });
  const [judged] = await judgeNotes([{ vkeys: [vkeyOf(log), vkeyOf(witness)], note }]);
  expect(judged).toEqual({
    text,
    signatures: [
      { name: log.key.name, id: log.key.id },
      { name: witness.key.name, id: witness.key.id, timestamp: cosignedS },
    ],
  });
});

test("Go refuses our checkpoint with any bit of text or signature changed", async () => {
  const [signature = log.signature("")] = signatures;
  const bits = fc.sample(fc.nat(64 * 8 - 1), { numRuns: 64, seed: 20_261_127 });
  const tampered = [
    { text: text.replace("\n7\n", "\n8\n"), signatures },
    { text: text.replace("lastro", "lastra"), signatures },
    { text: formatCheckpoint({ origin: log.key.name, size: 7, root: flipped(root, 9) }), signatures },
    ...bits.map((bit) => ({ text, signatures: [{ ...signature, bytes: flipped(signature.bytes, bit) }] })),
  ];
  const judged = await judgeNotes(tampered.map((note) => ({ vkeys: [vkeyOf(log)], note: formatNote(note) })));
  for (const { error } of judged) expect(error).toMatch(/invalid signature/);
  expect(judged).toHaveLength(tampered.length);
});

test("Go refuses our cosignature of another second", async () => {
  const [own = log.signature(""), cosigned = own] = signatures;
  const note = formatNote({
    text,
    signatures: [own, { ...cosigned, bytes: flipped(cosigned.bytes, 7 * 8) }],
  });
  const [judged] = await judgeNotes([{ vkeys: [vkeyOf(witness)], note }]);
  expect(judged?.error).toMatch(/invalid signature/);
});

test("Go judges each vector as it says", async () => {
  const note = formatNote({ text, signatures });
  const refused = [
    ...vectors.unverified.map((vector) => ({ vkeys: [vector.vkey], note: vector.note })),
    ...vectors.malformed.map((vector) => ({ vkeys: [vkeyOf(log)], note: vector.note })),
    ...vectors.malformedKeys
      .filter((vector) => !("lenient" in vector))
      .map(({ vkey }) => ({ vkeys: [vkey], note })),
  ];
  const verified = vectors.verified.map((vector) => ({ vkeys: [vector.vkey], note: vector.note }));
  const judged = await judgeNotes([...verified, ...refused]);
  const taken = judged.map(({ error }) => error === undefined);
  expect(taken).toEqual([...verified.map(() => true), ...refused.map(() => false)]);
});

test("Go and we say the same of keys and notes of any letters", async () => {
  const letters = fc.constantFrom(
    "\n",
    "\n\n",
    "— ",
    "— a AAAAAQ==\n",
    "a",
    " ",
    "+",
    "é",
    "\u0085",
    "\u00a0",
    "\ufeff",
    "\u2028",
    "\u007f",
    "\t",
    "\u200b",
  );
  const anyText = fc.array(letters, { maxLength: 6 }).map((parts) => parts.join(""));
  const samples = fc.sample(fc.record({ name: anyText, before: anyText, signed: fc.boolean() }), {
    numRuns: 300,
    seed: 7,
  });
  const asked = samples.map(({ name, before, signed }) => {
    const signer = testSigner(name);
    const noted = `${before}\n`;
    const made = signer.signature(signed ? noted : `${noted}\n`);
    return { vkeys: [vkeyOf(signer)], note: formatNote({ text: noted, signatures: [made] }) };
  });
  const judged = await judgeNotes(asked);
  const ours = asked.map(({ vkeys: [vkey = ""], note }) => {
    const [key, parsed] = [parseVerifierKey(sha256, vkey), parseNote(note)];
    return key !== undefined && parsed !== undefined && verifiedSignature(parsed, key, ed25519) !== undefined;
  });
  expect(ours).toEqual(judged.map(({ error }) => error === undefined));
  expect(new Set(ours).size).toBe(2);
});
