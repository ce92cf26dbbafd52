import { expect, test } from "@jest/globals";
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
