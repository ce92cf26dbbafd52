import { createHmac } from "node:crypto";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { hmacSha256, hmacSha256Text, hmacWith } from "../../src/privacy/hmac.ts";

const hex = (text: string): Buffer => Buffer.from(text, "hex");
const text = (value: string): Buffer => Buffer.from(value);
/** RFC 4231, sections 4.2 to 4.8, SHA-256. 4.6 is there truncated to 128 bits. */
const rfc4231 = [
  [hex("0b".repeat(20)), text("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"],
  [text("Jefe"), text("what do ya want for nothing?"), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"],
  [hex("aa".repeat(20)), hex("dd".repeat(50)), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"],
  [hex("0102030405060708090a0b0c0d0e0f10111213141516171819"), hex("cd".repeat(50)), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"],
  [hex("0c".repeat(20)), text("Test With Truncation"), "a3b6167473100ee06e0c796c2955552b"],
  [hex("aa".repeat(131)), text("Test Using Larger Than Block-Size Key - Hash Key First"), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"],
  [hex("aa".repeat(131)), text("This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm."), "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"],
] as const; // biome-ignore format: a table

test.each(rfc4231)("HMAC-SHA-256 of RFC 4231, key %#", (key, message, expected) => {
  expect(hmacSha256(key, message).toString("hex").slice(0, expected.length)).toBe(expected);
});

test("HMAC equals createHmac for every key and message, in each of its forms", () => {
  const bytes = fc.uint8Array({ maxLength: 200 });
  fc.assert(
    fc.property(
      bytes,
      fc.string({ unit: "grapheme" }),
      fc.string({ unit: "grapheme" }),
      (key, prefix, message) => {
        const expected = (data: string): Buffer => createHmac("sha256", key).update(data).digest();
        expect(hmacSha256(key, message)).toEqual(expected(message));
        expect(hmacSha256(key, Buffer.from(message))).toEqual(expected(message));
        expect(hmacSha256Text(key, message)).toBe(expected(message).toString("base64url"));
        const prepared = hmacWith(key, prefix);
        prepared("another message");
        hmacSha256(Buffer.from("another key"), "in between");
        expect(prepared(message)).toBe(expected(prefix + message).toString("base64url"));
      },
    ),
  );
});
