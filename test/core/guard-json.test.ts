import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { guardJson } from "../../src/core/guard-json.ts";
import { defaultLimits } from "../../src/core/parse-options.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const noWatch = { path: [], names: [] };
const guard = (text: string) => guardJson(bytes(text), defaultLimits, noWatch);

/** Whether the guard takes the text for JSON, whatever else it thinks of it. */
const isJson = (text: string): boolean => {
  const result = guard(`{"v":${text}}`);
  return result.ok || result.rejection.reason !== "INVALID_JSON";
};
const parses = (text: string): boolean => {
  try {
    JSON.parse(`{"v":${text}}`);
    return true;
  } catch {
    return false;
  }
};

test.each([
  "0", "-0", "-", "--1", "01", "-01", "1.", ".1", "1.5", "1.e1", "1e", "1e+", "1E+2", "1e1.5", "0e0", "0x1", "1_0", "Infinity", "NaN", "-NaN", "+1", "1a",
  "true", "True", "tru", "truee", "null", "nul", "nulll", "false", "fals", "undefined",
  '""', '"a', '"', '"\\"', '"\\"', '"\\\\"', '"\\a"', '"\\u12"', '"\\u12G4"', '"\\u0041"', '"\\U0041"', '"\\/"', '"\\b\\f\\n\\r\\t"', '"\\', '"\\u', '"\t"', '"\u007f"', '"\u2028"', '"é"', "'a'",
  "[]", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1,,2]", "[[]]", "[[]", "[1]]", "[ 1 , 2 ]", "[\u00a01]", "[\f1]",
  "{}", "{", "}", '{"a"}', '{"a":}', '{"a":1', '{"a":1,}', "{a:1}", '{"a":1,,"b":2}', '{"a" : 1}', '{1:1}', '{"a":1 "b":2}', '{:1}', '{"a"::1}',
  "", " ", "//c\n1", "/**/1", "1//", "#", "\ufeff1", "1\u0000",
])("the guard and JSON.parse agree on %j", (text) => {
  expect(isJson(text)).toBe(parses(text));
}); // biome-ignore format: a table

test("what JSON.stringify writes, the guard accepts and gives back", () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.string({ unit: "grapheme" }).filter((key) => !key.includes("\u0000")),
        fc.jsonValue({ maxDepth: 5 }),
      ),
      (value) => {
        const text = JSON.stringify(value);
        const result = guard(text);
        if (result.ok) expect(JSON.stringify(result.value)).toBe(text);
        else expect(["KEY_TOO_LONG", "INVALID_KEY"]).toContain(result.rejection.reason);
      },
    ),
    { numRuns: 3_000 },
  );
});

test("after any change of its text the guard accepts an object exactly when JSON.parse does", () => {
  const good = '{"a":[1,-2.5e3,true,null,"x\\n\\u00e9"],"b":{"c":"d"}, "e":{}}';
  const cut = fc.tuple(fc.nat(good.length), fc.nat(3), fc.string({ maxLength: 3 }));
  fc.assert(
    fc.property(cut, ([at, removed, inserted]) => {
      const text = good.slice(0, at) + inserted + good.slice(at + removed);
      const result = guard(text);
      if (result.ok) JSON.parse(text);
      else if (result.rejection.reason === "INVALID_JSON") expect(() => JSON.parse(text)).toThrow();
    }),
    { numRuns: 10_000 },
  );
});

test("watched tokens are found under escaped names and only at their path", () => {
  const text =
    '{"x":{"metadata":{"owner_id":"no"}},"m\\u0065tadata":{"a":{"owner_id":"no"},"owner\\u005fid":"yes","owner_id ":"no"}}';
  const result = guardJson(bytes(text), defaultLimits, { path: ["metadata"], names: ["owner_id"] });
  expect(result.ok && result.watched.map(({ start, end }) => text.slice(start, end))).toEqual(['"yes"']);
});

test("keys from the event are escaped in pointers, and long pointers end at a whole segment", () => {
  const slashes = guard('{"a/b~c":{"x":1,"x":2}}');
  expect(!slashes.ok && slashes.rejection.pointer).toBe("/a~1b~0c/x");
  const key = "k".repeat(200);
  const long = guard(`{"${key}":{"${key}":{"${key}":{"x":1e999}}}}`);
  expect(!long.ok && long.rejection.pointer).toBe(`/${key}/${key}`);
});

test("50,000 values with 5,000 keys an object pass the guard, one key more does not", () => {
  const object = (keys: number) => `{${Array.from({ length: keys }, (_, i) => `"${i}":0`).join()}}`;
  const result = guard(`{"a":[${Array.from({ length: 9 }, () => object(5_000)).join()}]}`);
  expect(result.ok).toBe(true);
  const over = guard(`{"a":${object(5_001)}}`);
  expect(!over.ok && over.rejection.reason).toBe("TOO_MANY_NODES");
});
