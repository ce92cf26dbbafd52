import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { JsonValue } from "../../src/core/json.ts";
import { parseJson } from "../../src/core/parse-json.ts";
import { growthOf } from "../support/growth.ts";

const keysOf = (text: string): readonly string[] => Object.keys(parseJson(text) as object);

test("an escaped name is not taken for one that was seen before in its place", () => {
  parseJson('{"a":1,"\\\\":2}');
  parseJson('{"a":1,"x\\\\":2}');
  for (const [name, escaped] of [["\n", "\\n"], ['"', '\\"'], ["/", "\\/"], ["\n", "\\u000a"], ["x\n", "x\\n"]] as const)
    expect(keysOf(`{"a":2,"${escaped}":3}`)).toEqual(["a", name]);
}); // biome-ignore format: a table

test.each([
  ['{"\\u005f_proto__":1,"b":{"\\n":[{"\\t":null}]}}', [["__proto__", 1], ["b", { "\n": [{ "\t": null }] }]]],
  ['{"\\n":1,"\\u000a":2}', [["\n", 2]]],
  ['{"\uffff0":1,"\\uffff\\n":2}', [["\uffff0", 1], ["\uffff\n", 2]]],
  ['{"v":"\\\\","w":"a\\":","x":[":\\""]}', [["v", "\\"], ["w", 'a":'], ["x", [':"']]]],
])("the members of %s are kept in their order", (text, members) => {
  expect(Object.entries(parseJson(text) as object)).toEqual(members);
}); // biome-ignore format: a table

test("any value is what was printed, whatever was parsed before it", () => {
  const key = fc.oneof(
    fc.constantFrom("\\", "\n", '"', "\\n", "\uffff0", "__proto__", "a"),
    fc.string({ unit: "binary" }),
  );
  const value = fc.letrec<{ value: JsonValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.string(),
      fc.constantFrom("\\", '":', '\\":'),
      fc.array(tie("value"), { maxLength: 4 }),
      fc.dictionary(key, tie("value"), { maxKeys: 4, noNullPrototype: true }),
    ),
  })).value;
  fc.assert(
    fc.property(value, fc.constantFrom(undefined, 1), (json, indent) => {
      const text = JSON.stringify(json, null, indent);
      // Strict equality of members: toEqual would pass over an own __proto__.
      expect(JSON.stringify(parseJson(text), null, indent)).toBe(text);
    }),
    { numRuns: 2_000 },
  );
});

test("a text that is no JSON is a SyntaxError, and the source of numbers is told", () => {
  expect(() => parseJson('{"\\n":1')).toThrow(SyntaxError);
  const sources: (string | undefined)[] = [];
  parseJson('{"\\n":1.50}', (_key, value, { source }) => {
    if (typeof value === "number") sources.push(source);
    return value;
  });
  expect(sources).toEqual(["1.50"]);
});

test("an escaped name and a million characters are parsed in linear time", () => {
  const long = `${"x".repeat(500_000)}${"\\n".repeat(250_000)}`;
  expect(keysOf(`{"\\n":"${long}","${long}":1}`)).toHaveLength(2);
});

test.each([
  ["escapes in a value", (n: number) => `{"a":"${"\\n".repeat(n)}"}`],
  ["what could stand for an escaped name", (n: number) => `{"\\n":"${"\uffff".repeat(n)}"}`],
])("%s are passed over in linear time", (_, text) => {
  expect(growthOf(16_000, text, parseJson)).toMatchObject({ linear: true });
});
