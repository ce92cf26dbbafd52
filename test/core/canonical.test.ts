import { expect, test } from "@jest/globals";
import canonicalize from "canonicalize";
import fc from "fast-check";
import { canonicalJson, losesValue, parseExactly } from "../../src/core/canonical.ts";

test.each(["0", "-0", "0.0", "1.0", "1E2", "1e-7", "0.1", "1.10", "123456789012345", "9007199254740992", "1e23", "0.30000000000000004", "5e-324", "0e99999"])(
  "%s survives parse-and-print",
  (text) => expect(losesValue(text)).toBe(false),
); // biome-ignore format: a table

test.each(["9007199254740993", "-9007199254740993", "0.10000000000000000001", "1e-400", "123456789012345678", "1.00000000000000000001"])(
  "%s loses value in a double",
  (text) => expect(losesValue(text)).toBe(true),
); // biome-ignore format: a table

test("only lossy numbers enter the canonical form by their source text", () => {
  const canonical = canonicalJson(parseExactly('{"b":9007199254740993,"a":[1.0,-0,"9007199254740993"]}'));
  expect(canonical).toBe('{"a":[1,0,"9007199254740993"],"b":{"\\u0000n":"9007199254740993"}}');
});

/** Keys that objects order by themselves, that mean something to JavaScript, or that look like what JSON.stringify writes for a lone surrogate. */
const oddKeys = [
  "10",
  "9",
  "01",
  "-1",
  "__proto__",
  "constructor",
  "toJSON",
  "",
  "é",
  "\ue000",
  "\u{1f600}",
  "\\ud",
];

test("the canonical text is RFC 8785's, as a library that does nothing else writes it", () => {
  const key = fc.oneof(fc.constantFrom(...oddKeys), fc.string({ unit: "binary", maxLength: 4 }));
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.oneof(key, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null)),
      fc.array(tie("value"), { maxLength: 4 }),
      fc.array(fc.tuple(key, tie("value")), { maxLength: 6 }).map((members) => Object.fromEntries(members)),
    ),
  }));
  fc.assert(
    fc.property(value, (given) => {
      const text = JSON.stringify(given);
      expect(canonicalJson(JSON.parse(text))).toBe(canonicalize(JSON.parse(text)));
    }),
    { numRuns: 2_000 },
  );
});

test.each([["\ud800"], [{ "\udfff": 1 }], [[Number.POSITIVE_INFINITY]]])(
  "what has no canonical text is an error, never another text",
  (value) => expect(() => canonicalJson(value)).toThrow(),
);
