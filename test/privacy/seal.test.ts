import { createDecipheriv } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import canonicalize from "canonicalize";
import type { Fingerprint, Kid, OwnershipKey } from "../../src/core/ids.ts";
import { actorKeyNeed, producerKeyNeed } from "../../src/privacy/data-keys.ts";
import { lookupKey } from "../../src/privacy/lookup-key.ts";
import { openBody } from "../../src/privacy/open-body.ts";
import { sealEvent } from "../../src/privacy/seal.ts";
import { unwrapDek, wrapDek } from "../../src/privacy/wrapped-key.ts";
import {
  bytesOf,
  randomnessOf,
  type SealVector,
  sealInputOf,
  sealVectors,
  type VectorPart,
} from "../support/seal-vectors.ts";

const hexOf = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString("hex");
const openAll =
  ({ expected }: SealVector) =>
  (_class: string, kid: Kid) =>
    expected.parts.filter((part) => part.k === kid).map((part) => bytesOf(part.dek))[0];

describe.each(sealVectors)("vector $name", (vector) => {
  const { expected, envelope, entity } = vector;
  const kek = { epoch: vector.kek.epoch, key: bytesOf(vector.kek.key) };

  test("an event is sealed to the byte", () => {
    const sealed = sealEvent(sealInputOf(vector), randomnessOf(vector));
    expect(hexOf(sealed.body)).toBe(expected.body);
    expect(sealed.parts).toEqual(expected.parts.map(({ c, k, h, m }) => ({ c, k, h, m })));
    expect(sealed.kids).toEqual(expected.parts.map(({ k }) => k));
  });

  test("a body is opened to the bytes received and to its description", () => {
    const opened = openBody(bytesOf(expected.body), vector.rid, openAll(vector));
    expect(hexOf(opened.content?.value)).toBe(vector.event.value);
    expect(canonicalize(opened.content?.meta)).toBe(expected.parts[0]?.meta);
    expect(opened.parts).toEqual(expected.parts.map(({ c, k, h, m }) => ({ c, k, h, m, state: "open" })));
    expect(opened.content?.hidden).toEqual([]);
  });

  test("identities become the same columns", () => {
    const l = lookupKey(bytesOf(vector.lookup_key));
    const { tenant, producer_service: producer, ownership_id: ownershipId } = envelope;
    expect(l.fingerprint(envelope.canonical)).toBe(expected.fp);
    expect(l.uid(tenant, producer, envelope.uid, expected.fp as Fingerprint)).toBe(expected.uid);
    expect(l.stream(tenant, entity.namespace, entity.type, entity.id)).toBe(expected.stream);
    expect(ownershipId === null ? null : l.ownership(tenant, ownershipId)).toBe(expected.ownership);
    expect(hexOf(l.pageKey())).toBe(expected.page_key);
  });

  test.each(expected.parts)("data key of class $c: its document and its wrapped form", (part: VectorPart) => {
    const documents: Record<string, string | OwnershipKey | null> = {
      s: expected.ownership,
      p: producerKeyNeed(envelope.tenant, envelope.producer_service).id,
      a: actorKeyNeed(envelope.tenant, Date.parse(envelope.action_at)).id,
    };
    expect(documents[part.c]).toBe(part.key_document);
    const [dek, wrapped] = [bytesOf(part.dek), bytesOf(part.wrapped)];
    expect(hexOf(wrapDek(kek, part.key_document, part.k, dek, () => bytesOf(part.wrap_nonce)))).toBe(
      part.wrapped,
    );
    expect(unwrapDek(kek, part.key_document, part.k, wrapped)).toEqual(dek);
    expect(unwrapDek(kek, `${part.key_document}x`, part.k, wrapped)).toBeUndefined();
    expect(unwrapDek(kek, part.key_document, "AAAAAAAAAAAAAAAAAAAAAA" as Kid, wrapped)).toBeUndefined();
  });

  test("with the key of a message any ChaCha20-Poly1305 of RFC 8439 opens its part", () => {
    const body = bytesOf(expected.body);
    let at = 4;
    for (const [number, part] of expected.parts.entries()) {
      const head = body.subarray(at, at + 21);
      const nonce = body.subarray(at + 21, at + 45);
      const sealed = body.subarray(at + 45, at + 45 + head.readUInt32BE(17));
      const tag = body.subarray(at + 45 + sealed.length, at + 61 + sealed.length);
      const shortNonce = Buffer.concat([Buffer.alloc(4), nonce.subarray(16)]);
      const options = { authTagLength: 16 };
      const decipher = createDecipheriv("chacha20-poly1305", bytesOf(part.message_key), shortNonce, options);
      const aad = Buffer.concat([Buffer.from("LB1"), Buffer.of(number), head, Buffer.from(vector.rid)]);
      decipher.setAAD(aad, { plaintextLength: sealed.length });
      decipher.setAuthTag(tag);
      const plaintext = Buffer.concat([decipher.update(sealed), decipher.final()]);
      const metaEnd = 36 + plaintext.readUInt32BE(32);
      expect(hexOf(nonce)).toBe(part.nonce);
      expect(hexOf(plaintext.subarray(0, 32))).toBe(part.salt);
      expect(plaintext.toString("utf8", 36, metaEnd)).toBe(part.meta);
      at += 61 + sealed.length;
    }
    expect(at).toBe(body.length);
  });
});

test("an entity id that lies in a cut is left out of the description", () => {
  const vector = sealVectors.find(({ name }) => name === "entity-in-a-cut");
  expect(vector?.expected.parts[0]?.meta).not.toContain("u-77");
});

test.each([
  [
    "overlap",
    [
      [2, 9],
      [8, 12],
    ],
  ],
  [
    "go back",
    [
      [8, 12],
      [2, 4],
    ],
  ],
  ["are empty", [[4, 4]]],
  ["leave the value", [[2, 9_999_999]]],
] as const)("cuts that %s are a fault of ours, not a body", (_what, ranges) => {
  const [vector] = sealVectors.filter(({ expected }) => expected.parts.length === 2);
  if (vector === undefined) throw new Error("no vector");
  const cuts = ranges.map(([start, end]) => ({ start, end, class: "a" as const }));
  const seal = () => sealEvent(sealInputOf(vector, undefined, cuts), randomnessOf(vector));
  expect(seal).toThrow(expect.objectContaining({ code: "INTERNAL" }));
});
