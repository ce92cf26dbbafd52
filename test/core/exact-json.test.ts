import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { losesValue, numberMark, parseExactly } from "../../src/core/canonical.ts";
import { exactText, hasMembers, lossyNumber } from "../../src/core/exact-json.ts";
import { parseJson } from "../../src/core/parse-json.ts";

test.each([
  "9007199254740993",
  "-0.10000000000000000001",
  "[9007199254740993,1e-400]",
  `{"a":{"b":[12345678901234567890]},"c":"{\\"\\\\u0000n\\":\\"1\\"}","d":"\\u0000n"}`,
])("%s is written as it was read", (text) => expect(exactText(parseExactly(text))).toBe(text));

test("numbers that a double holds are written by their value, as in the canonical form", () =>
  expect(exactText(parseExactly("[1.0,1e2,-0,0.50]"))).toBe("[1,100,0,0.5]"));

test("a number is a leaf, whatever stands for it", () => {
  const [lossy, plain] = [parseExactly("9007199254740993"), parseExactly("1")];
  expect([lossyNumber(lossy), hasMembers(lossy)]).toEqual(["9007199254740993", false]);
  expect([lossyNumber(plain), hasMembers(plain)]).toEqual([undefined, false]);
  expect([lossyNumber({ n: "1" }), hasMembers({ n: "1" }), hasMembers([])]).toEqual([undefined, true, false]);
});

test("whatever stands around it, no number loses its digits", () => {
  const digits = fc.oneof(
    fc.stringMatching(/^(?:0|[1-9]\d{0,20})(?:\.\d{1,20})?(?:[eE][+-]?\d{1,2})?$/),
    fc.stringMatching(/^[1-9]\d{12,20}$/),
    fc.stringMatching(/^0\.\d{14,20}(?:[eE][+-]?\d{1,2})?$/),
  );
  const numbers = fc.tuple(fc.constantFrom("", "-"), digits).map((parts) => parts.join(""));
  const inside = fc.constantFrom(
    "%",
    "[%]",
    "[1,%]",
    "[1, %]",
    '{"a":%}',
    '{"a": %}',
    '{"a":"1e5,12","b":[\n%]}',
  );
  let lossy = 0;
  fc.assert(
    fc.property(numbers, inside, (number, text) => {
      const event = text.replace("%", number);
      const expected = losesValue(number) ? { [numberMark]: number } : Number(number);
      lossy += losesValue(number) ? 1 : 0;
      const told = parseJson(text.replace("%", JSON.stringify(expected)));
      expect(JSON.stringify(parseExactly(event))).toBe(JSON.stringify(told));
    }),
    { numRuns: 2_000 },
  );
  expect(lossy).toBeGreaterThan(100);
});
