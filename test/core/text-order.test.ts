/** The order of texts is that of their bytes. */
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { compareTexts, firstBehind } from "../../src/core/text-order.ts";
import { seed } from "../support/fuzz.ts";

const compareBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
const borders = ["", "a", "~", "\ud7ff", "\ue000", "\uffff", "\u{10000}", "\u{10fffe}", "\u{10ffff}"];
const texts = fc
  .array(fc.oneof(fc.constantFrom(...borders), fc.string({ unit: "binary", maxLength: 2 })), { maxLength: 3 })
  .map((parts) => parts.join(""));

test(`texts are ordered as their UTF-8 bytes are, above U+FFFF too (seed ${seed})`, () => {
  expect(compareTexts("\uffee", "\u{10000}")).toBeLessThan(0);
  expect("\uffee" < "\u{10000}").toBe(false);
  const property = fc.property(texts, texts, (a, b) => {
    expect(Math.sign(compareTexts(a, b))).toBe(compareBytes(a, b));
  });
  fc.assert(property, { seed, numRuns: 5_000 });
});

test(`what begins with a text, and nothing else, lies between it and the first text behind it (seed ${seed})`, () => {
  expect([firstBehind("az"), firstBehind("a\u{10ffff}"), firstBehind("\ud7ff")]).toEqual([
    "a{",
    "b",
    "\ue000",
  ]);
  expect([firstBehind(""), firstBehind("\u{10ffff}")]).toEqual([undefined, undefined]);
  const property = fc.property(texts, texts, fc.boolean(), (prefix, other, isLonger) => {
    const text = isLonger ? prefix + other : other;
    const end = firstBehind(prefix);
    const isBetween = compareTexts(text, prefix) >= 0 && (end === undefined || compareTexts(text, end) < 0);
    expect(isBetween).toBe(text.startsWith(prefix));
  });
  fc.assert(property, { seed, numRuns: 5_000 });
});
