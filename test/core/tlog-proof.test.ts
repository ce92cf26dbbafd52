import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { parseCheckpoint } from "../../src/core/checkpoint.ts";
import { verifyInclusion } from "../../src/core/merkle.ts";
import { parseNote } from "../../src/core/signed-note.ts";
import { formatTlogProof, parseTlogProof, type TlogProof } from "../../src/core/tlog-proof.ts";
import { sha256 } from "../support/log.ts";
import vectors from "../vectors/log/proofs.json" with { type: "json" };

const fromHex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));

test.each(vectors.valid)(
  "vector, $name: is read, and its leaf lies in its checkpoint",
  ({ proof, index, path, checkpoint, leaf, ...given }) => {
    const parsed = parseTlogProof(proof);
    const extra = "extra" in given && given.extra !== undefined ? fromHex(given.extra) : undefined;
    expect(parsed).toEqual({ extra, index, path: path.map(fromHex), checkpoint });
    expect(parsed && formatTlogProof(parsed)).toBe(proof);
    const head = parseCheckpoint(parseNote(checkpoint)?.text ?? "");
    if (parsed === undefined || head === undefined) throw new Error("not read");
    expect(verifyInclusion(sha256, { ...head, ...parsed, leafHash: fromHex(leaf) })).toBe(true);
  },
);

test.each(vectors.malformed)("vector, $name: is no proof", ({ proof }) => {
  expect(parseTlogProof(proof)).toBeUndefined();
});

const proofs: fc.Arbitrary<TlogProof> = fc.record({
  extra: fc.option(fc.uint8Array(), { nil: undefined }),
  index: fc.maxSafeInteger().map(Math.abs),
  path: fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 63 }),
  checkpoint: fc.string({ unit: "binary" }),
});

test("a proof is read back as what was written", () => {
  fc.assert(
    fc.property(proofs, (proof) => {
      expect(parseTlogProof(formatTlogProof(proof))).toEqual(proof);
    }),
  );
});

test("a proof that is read is written again to the letter, and no text harms", () => {
  const hash = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
  const lines = fc.constantFrom(
    "c2sp.org/tlog-proof@v1",
    "extra ",
    "extra AA==",
    "index 0",
    "index 12",
    "index 012",
    hash,
    "",
    "AA==",
  );
  const texts = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(lines).map((all) => ["c2sp.org/tlog-proof@v1", ...all].join("\n")),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const proof = parseTlogProof(text);
      if (proof !== undefined) expect(formatTlogProof(proof)).toBe(text);
    }),
    { numRuns: 1_000 },
  );
});
