import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { projectedTextBytesMax, searchable } from "../../src/core/projection.ts";

test("control characters are removed from searchable text", () => {
  expect(searchable("a\u0000b\u001b[2Jc\u0085d\r\n")).toBe("ab[2Jcd");
});

test("searchable text is the longest prefix of whole characters within 1 KiB", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", minLength: 0, maxLength: 2000, size: "max" }), (text) => {
      const cut = searchable(text);
      const clean = [...text].filter((c) => !/\p{Cc}/u.test(c));
      expect(clean.join("").startsWith(cut)).toBe(true);
      expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(projectedTextBytesMax);
      const next = clean[[...cut].length];
      if (next !== undefined) expect(Buffer.byteLength(cut + next)).toBeGreaterThan(projectedTextBytesMax);
    }),
    { numRuns: 200 },
  );
});
