import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { fromBase64, isBase64UrlOf, toBase64, toBase64Url, utf8 } from "../../src/core/base64.ts";

test("bytes are written as RFC 4648 says, and read back", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString("base64"));
      expect(toBase64Url(bytes)).toBe(Buffer.from(bytes).toString("base64url"));
      expect(fromBase64(toBase64(bytes))).toEqual(bytes);
    }),
  );
});

test("base64url is told from any other text without being written", () => {
  const digit = fc.constantFrom(..."ABQgwxz09-_= ");
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(60), digit, (bytes, at, other) => {
      const text = toBase64Url(bytes);
      const changed = text.slice(0, at) + other + text.slice(at + 1);
      expect(isBase64UrlOf(text, bytes)).toBe(true);
      expect(isBase64UrlOf(changed, bytes)).toBe(changed === text);
      expect(isBase64UrlOf(text.slice(0, -1), bytes)).toBe(text === "");
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
