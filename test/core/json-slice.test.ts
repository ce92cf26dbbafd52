import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { memberSlices } from "../../src/core/json-slice.ts";

const slicesOf = (text: string, names: readonly string[]): Record<string, string> => {
  const bytes = new TextEncoder().encode(text);
  return Object.fromEntries(
    [...memberSlices(bytes, names)].map(([key, { start, end }]) => [
      key,
      new TextDecoder().decode(bytes.subarray(start, end)),
    ]),
  );
};

test.each([
  [`{}`, {}],
  [`\ufeff { "a" : 1.50 , "b":[1,{"c":"]}\\""}] }`, { a: "1.50", b: `[1,{"c":"]}\\""}]` }],
  [`{"p\\u0061yload":9007199254740993,"m":null}`, { payload: "9007199254740993", m: "null" }],
  [`{"a":"\\\\","b":true}`, { a: `"\\\\"`, b: "true" }],
  [`[1]`, {}],
])("the members of %s keep their text", (text, members) =>
  expect(slicesOf(text, ["a", "b", "payload", "m"])).toEqual(members),
);

const ascii = fc.string({ unit: fc.integer({ min: 0, max: 0x7f }).map((code) => String.fromCharCode(code)) });
const names = fc.oneof(ascii, fc.constantFrom("payload", "payloads", "metadata", "data", '"', "\\"));

test("every member of any object with one of the names, and no other, is found as it was written", () => {
  const space = fc.constantFrom(undefined, 1, 2);
  const keys = fc.oneof(names, fc.string({ unit: "binary" }));
  fc.assert(
    fc.property(fc.dictionary(keys, fc.jsonValue()), fc.array(names), space, (value, others, indent) => {
      const text = JSON.stringify(value, null, indent);
      const parsed: Record<string, unknown> = JSON.parse(text);
      const isAscii = (key: string): boolean => [...key].every((character) => character <= "\x7f");
      const asked = [...Object.keys(parsed).filter((key, at) => at % 2 === 0 && isAscii(key)), ...others];
      const found = slicesOf(text, asked);
      expect(Object.keys(found).sort()).toEqual(
        Object.keys(parsed)
          .filter((key) => asked.includes(key))
          .sort(),
      );
      for (const [key, slice] of Object.entries(found)) expect(JSON.parse(slice)).toEqual(parsed[key]);
    }),
  );
});
