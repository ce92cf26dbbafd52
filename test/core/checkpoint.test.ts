import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { formatCheckpoint, parseCheckpoint } from "../../src/core/checkpoint.ts";
import vectors from "../vectors/log/checkpoints.json" with { type: "json" };

test.each(vectors.valid)("vector, $name", ({ text, origin, size, root, ...given }) => {
  const checkpoint = { origin, size, root: new Uint8Array(Buffer.from(root, "hex")) };
  expect(parseCheckpoint(text)).toEqual(checkpoint);
  if (!("extensions" in given)) expect(formatCheckpoint(checkpoint)).toBe(text);
});

test.each(vectors.invalid)("vector, $name: is no checkpoint", ({ text }) => {
  expect(parseCheckpoint(text)).toBeUndefined();
});

const origin = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !text.includes("\n"));
const size = fc.maxSafeInteger().map(Math.abs);
const root = fc.uint8Array({ minLength: 32, maxLength: 32 });

test("a checkpoint is read back as what was written", () => {
  fc.assert(
    fc.property(fc.record({ origin, size, root }), (checkpoint) => {
      expect(parseCheckpoint(formatCheckpoint(checkpoint))).toEqual(checkpoint);
    }),
  );
});

test("a checkpoint that is read is written again to the letter, extension lines aside, and no text harms", () => {
  const hash = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
  const lines = fc.constantFrom("", "a", "0", "1", "01", "-1", hash, hash.slice(1), " ");
  const texts = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(lines, { maxLength: 6 }).map((all) => all.join("\n")),
    fc
      .tuple(lines, lines, fc.array(lines))
      .map(([first, second, more]) => [first, second, hash, ...more, ""].join("\n")),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const checkpoint = parseCheckpoint(text);
      if (checkpoint === undefined) return;
      const head = formatCheckpoint(checkpoint);
      expect(text.startsWith(head)).toBe(true);
      expect(text.slice(head.length)).toMatch(/^(?:.+\n)*$/);
    }),
    { numRuns: 1_000 },
  );
});
