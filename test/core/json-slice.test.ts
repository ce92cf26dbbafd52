import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { memberSlices } from "../../src/core/json-slice.ts";

const slicesOf = (text: string): Record<string, string> => {
  const bytes = new TextEncoder().encode(text);
  return Object.fromEntries(
    [...memberSlices(bytes)].map(([key, { start, end }]) => [
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
])("the members of %s keep their text", (text, members) => expect(slicesOf(text)).toEqual(members));

test("every member of any object is found as it was written", () => {
  const space = fc.constantFrom(undefined, 1, 2);
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue()), space, (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      const parsed: Record<string, unknown> = JSON.parse(text);
      const found = slicesOf(text);
      expect(Object.keys(found).sort()).toEqual(Object.keys(parsed).sort());
      for (const [key, slice] of Object.entries(found)) expect(JSON.parse(slice)).toEqual(parsed[key]);
    }),
  );
});
