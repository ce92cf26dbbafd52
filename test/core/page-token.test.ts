import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { LastroError } from "../../src/core/errors.ts";
import {
  decodePageToken,
  encodePageToken,
  type PageAead,
  pageTokenValidMs,
} from "../../src/core/page-token.ts";

const aeadOf = (key: Uint8Array): PageAead => ({
  seal(nonce, plaintext, additional) {
    const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(additional);
    return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  },
  open(nonce, sealed, additional) {
    try {
      const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 }).setAAD(additional);
      decipher.setAuthTag(sealed.subarray(-16));
      return Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
    } catch {
      return undefined;
    }
  },
});
const aead = aeadOf(randomBytes(32));
const binding = { method: "SearchRecords", request: "h", caller: "anna", order: "recorded_at desc" };
const nowMs = 1_700_000_000_000;
const token = encodePageToken(aead, randomBytes(12), binding, [5, "rid"], nowMs);
const problem = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof LastroError && error.code === "INVALID_ARGUMENT" && error.field === "page_token") {
      return error.message;
    }
    throw error;
  }
  return "accepted";
};

test("R-10 a token leads back to its position and is URL-safe", () => {
  expect(token).toMatch(/^[A-Za-z0-9_-]+$/);
  expect(decodePageToken(aead, token, binding, nowMs + pageTokenValidMs)).toEqual([5, "rid"]);
});

test.each([
  ["another method", { ...binding, method: "GetHistory" }],
  ["another filter", { ...binding, request: "other" }],
  ["another caller", { ...binding, caller: "bob" }],
  ["another order", { ...binding, order: "recorded_at asc" }],
])("a token is refused with %s", (_, other) => {
  expect(problem(() => decodePageToken(aead, token, other, nowMs))).toMatch(/given for another request/);
});

test("a token is refused after 24 hours", () => {
  expect(problem(() => decodePageToken(aead, token, binding, nowMs + pageTokenValidMs + 1))).toMatch(
    /expired/,
  );
});

test("a token of another key is refused", () => {
  expect(problem(() => decodePageToken(aeadOf(randomBytes(32)), token, binding, nowMs))).toMatch(
    /not a token/,
  );
});

test("a token that is cut or changed anywhere is refused", () => {
  const bytes = Buffer.from(token, "base64url");
  for (let i = 0; i < bytes.length; i++) {
    expect(
      problem(() => decodePageToken(aead, bytes.subarray(0, i).toString("base64url"), binding, nowMs)),
    ).toMatch(/not a token/);
    const changed = Buffer.from(bytes);
    changed[i] = (changed[i] ?? 0) ^ 1;
    expect(problem(() => decodePageToken(aead, changed.toString("base64url"), binding, nowMs))).toMatch(
      /not a token/,
    );
  }
});

test("no text is taken for a token", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.base64String()), (text) => {
      expect(problem(() => decodePageToken(aead, text, binding, nowMs))).toMatch(/not a token/);
    }),
  );
});
