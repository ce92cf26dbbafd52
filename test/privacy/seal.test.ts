import { describe, expect, test } from "@jest/globals";
import canonicalize from "canonicalize";
import type { Fingerprint, Kid, OwnershipKey } from "../../src/core/ids.ts";
import { actorKeyNeed, producerKeyNeed } from "../../src/privacy/data-keys.ts";
import { lookupKey } from "../../src/privacy/lookup-key.ts";
import { openBody } from "../../src/privacy/open-body.ts";
import { sealEvent } from "../../src/privacy/seal.ts";
import { partKey } from "../../src/privacy/sealed-format.ts";
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

  test.each(expected.parts)(
    "data key of class $c: its document, its wrapped form, its part key",
    (part: VectorPart) => {
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
      expect(hexOf(partKey(dek, expected.parts.indexOf(part), vector.rid))).toBe(part.part_key);
    },
  );
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
  const input = sealInputOf(vector);
  const cuts = ranges.map(([start, end]) => ({ start, end, class: "a" as const }));
  const seal = () => sealEvent({ ...input, envelope: { ...input.envelope, cuts } }, randomnessOf(vector));
  expect(seal).toThrow(expect.objectContaining({ code: "INTERNAL" }));
});
