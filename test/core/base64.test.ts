import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { fromBase64, toBase64, toBase64Url, utf8 } from "../../src/core/base64.ts";

test("bytes are written as RFC 4648 says, and read back", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString("base64"));
      expect(toBase64Url(bytes)).toBe(Buffer.from(bytes).toString("base64url"));
      expect(fromBase64(toBase64(bytes))).toEqual(bytes);
    }),
  );
});

test("what is read is written again to the letter", () => {
  const digits = fc.constantFrom(..."ABab09+/-_= \n");
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: digits, maxLength: 8 })), (text) => {
      const bytes = fromBase64(text);
      expect(bytes === undefined ? text : toBase64(bytes)).toBe(text);
    }),
  );
});

test.each([
  ["bits that are too many", "QUJ="],
  ["no padding", "QQ"],
  ["padding alone", "===="],
  ["padding in the middle", "QQ==QQ=="],
  ["digits for URLs", "-_8="],
  ["a space", "QUJD IEQ="],
  ["a line break behind it", "QUJD\n"],
  ["letters of other scripts", "QUJé"],
])("%s is no canonical base64", (_, text) => {
  expect(fromBase64(text)).toBeUndefined();
});

test("text becomes UTF-8", () => {
  expect(utf8("— é")).toEqual(Uint8Array.of(0xe2, 0x80, 0x94, 0x20, 0xc3, 0xa9));
});
