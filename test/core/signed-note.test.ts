import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  formatNote,
  formatVerifierKey,
  type KeyType,
  type NoteSignature,
  parseNote,
  parseSignatureLine,
  parseVerifierKey,
  signatureLine,
  verifiedSignature,
} from "../../src/core/signed-note.ts";
import { ed25519, flipped, sha256, testSigner } from "../support/log.ts";
import vectors from "../vectors/log/notes.json" with { type: "json" };

const nameUnit = fc.oneof(
  fc.constantFrom(..."abz09./-—é"),
  fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
);
const name = fc
  .string({ unit: nameUnit, minLength: 1, maxLength: 40 })
  .filter((text) => !/[+\s\p{White_Space}\p{Cc}\p{Cs}]/u.test(text));
const signature: fc.Arbitrary<NoteSignature> = fc.record({
  name,
  id: fc.nat(0xffff_ffff),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 100 }),
});
const line = fc.string({
  unit: fc.oneof(fc.constantFrom(..."ab— "), fc.string({ unit: "binary", minLength: 1, maxLength: 1 })),
});
const noteText = fc
  .array(
    line.map((text) => text.replaceAll(/[\p{Cc}\p{Cs}]/gu, "")),
    { minLength: 1 },
  )
  .map((lines) => `${lines.join("\n")}\n`);

describe("a verifier key", () => {
  test.each(vectors.keys)("vector, %s", (vkey) => {
    const key = parseVerifierKey(sha256, vkey);
    expect(key && formatVerifierKey(sha256, key)).toBe(vkey);
  });

  test.each(vectors.malformedKeys)("vector, $name: is none", ({ vkey }) => {
    expect(parseVerifierKey(sha256, vkey)).toBeUndefined();
  });

  test("is read back as what was written", () => {
    const publicKey = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(
        name,
        fc.constantFrom<KeyType>("ed25519", "cosignature/v1"),
        publicKey,
        (named, type, bytes) => {
          const key = { name: named, type, publicKey: bytes };
          expect(parseVerifierKey(sha256, formatVerifierKey(sha256, key))).toMatchObject(key);
        },
      ),
    );
  });

  test("stands for its name, its type and its bytes: no letter of it can be changed", () => {
    const [vkey = ""] = vectors.keys;
    fc.assert(
      fc.property(fc.nat(vkey.length - 1), fc.constantFrom(..."0aA+/=é"), (at, letter) => {
        const other = vkey.slice(0, at) + letter + vkey.slice(at + 1);
        if (other !== vkey) expect(parseVerifierKey(sha256, other)).toBeUndefined();
      }),
    );
  });

  test("has no name that UTF-8 cannot hold", () => {
    const { key } = testSigner("a\ud800");
    expect(parseVerifierKey(sha256, formatVerifierKey(sha256, key))).toBeUndefined();
  });
});

describe("a signed note", () => {
  test.each(vectors.verified)("vector, $name: verifies", ({ vkey, note, ...given }) => {
    const [parsed, key] = [parseNote(note), parseVerifierKey(sha256, vkey)];
    expect(parsed && formatNote(parsed)).toBe(note);
    const verified = parsed && key && verifiedSignature(parsed, key, ed25519);
    expect(verified?.signature).toMatchObject({ name: key?.name, id: key?.id });
    expect(verified?.timestampS).toBe("timestamp" in given ? given.timestamp : undefined);
  });

  test.each(vectors.unverified)("vector, $name: does not verify", ({ vkey, note }) => {
    const [parsed, key] = [parseNote(note), parseVerifierKey(sha256, vkey)];
    expect(parsed && formatNote(parsed)).toBe(note);
    expect(key).toBeDefined();
    expect(parsed && key && verifiedSignature(parsed, key, ed25519)).toBeUndefined();
  });

  test.each(vectors.malformed)("vector, $name: is none", ({ note }) => {
    expect(parseNote(note)).toBeUndefined();
  });

  test("has at most 100 signatures", () => {
    const signatures = Array(101).fill(testSigner("a").signature("text\n"));
    expect(
      parseNote(formatNote({ text: "text\n", signatures: signatures.slice(1) }))?.signatures,
    ).toHaveLength(100);
    expect(parseNote(formatNote({ text: "text\n", signatures }))).toBeUndefined();
  });

  test("is read back as what was written, and each of its signature lines too", () => {
    fc.assert(
      fc.property(noteText, fc.array(signature, { minLength: 1, maxLength: 5 }), (text, signatures) => {
        expect(parseNote(formatNote({ text, signatures }))).toEqual({ text, signatures });
        for (const one of signatures) expect(parseSignatureLine(signatureLine(one))).toEqual(one);
      }),
    );
  });

  test("that is read is written again to the letter, and no text harms", () => {
    const pieces = fc.constantFrom(
      "\n",
      "\n\n",
      "— ",
      "a",
      " ",
      "AAAAAAA=",
      "AAAAAAAA",
      "\u2028",
      "\ud800",
      "+",
    );
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(pieces).map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(text, (note) => {
        const parsed = parseNote(note);
        if (parsed !== undefined) expect(formatNote(parsed)).toBe(note);
        const one = parseSignatureLine(note);
        if (one !== undefined) expect(signatureLine(one)).toBe(note);
      }),
      { numRuns: 1_000 },
    );
  });

  test.each<KeyType>(["ed25519", "cosignature/v1"])(
    "of %s verifies with no bit of text or signature changed",
    (type) => {
      const signer = testSigner("signer.example", type);
      const text = "one\ntwo\n";
      const made = signer.signature(text, 1_795_251_600);
      const verifies = (noted: string, bytes: Uint8Array): boolean =>
        verifiedSignature({ text: noted, signatures: [{ ...made, bytes }] }, signer.key, ed25519) !==
        undefined;
      expect(verifies(text, made.bytes)).toBe(true);
      fc.assert(
        fc.property(fc.nat(made.bytes.length * 8 - 1), (bit) => !verifies(text, flipped(made.bytes, bit))),
      );
      fc.assert(fc.property(noteText, (other) => other === text || !verifies(other, made.bytes)));
    },
  );

  test("signed by a key proves nothing for another type of the same key", () => {
    const [plain, witness] = [testSigner("a", "ed25519", "seed"), testSigner("a", "cosignature/v1", "seed")];
    expect(plain.key.id).not.toBe(witness.key.id);
    const note = { text: "text\n", signatures: [plain.signature("text\n")] };
    expect(verifiedSignature(note, witness.key, ed25519)).toBeUndefined();
  });
});
