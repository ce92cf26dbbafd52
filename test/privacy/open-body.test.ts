import { randomBytes } from "node:crypto";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { LastroError } from "../../src/core/errors.ts";
import type { Rid } from "../../src/core/ids.ts";
import { openBody, partsAgree } from "../../src/privacy/open-body.ts";
import { type SealedBody, sealEvent } from "../../src/privacy/seal.ts";
import { partAad } from "../../src/privacy/sealed-format.ts";
import { encryptInPlace, nonceBytes, tagBytes } from "../../src/privacy/xchacha.ts";
import { bytesOf, type SealVector, sealInputOf, sealVectors } from "../support/seal-vectors.ts";

const vector = sealVectors.find(({ name }) => name === "subject-with-actor-cuts") as SealVector;
const base = sealInputOf(vector);
const ownerKey = base.owner.key.key;
const actorKey = base.actor?.key ?? new Uint8Array();
const openAll = (keyClass: string): Uint8Array => (keyClass === "a" ? actorKey : ownerKey);

type Range = { readonly start: number; readonly end: number; readonly class: "a" };
function sealed(value: Uint8Array, cuts: readonly Range[], rid: Rid = base.rid): SealedBody {
  return sealEvent({ ...sealInputOf(vector, Buffer.from(value), cuts), rid }, randomBytes);
}

/** A value and cuts in it, not empty, ascending, some of them touching. */
const cutValues = fc
  .uint8Array({ minLength: 1, maxLength: 300 })
  .chain((value) =>
    fc.tuple(
      fc.constant(value),
      fc.uniqueArray(fc.integer({ min: 0, max: value.length }), { maxLength: 12 }),
      fc.boolean(),
    ),
  )
  .map(([value, points, touching]) => {
    const sorted = points.toSorted((a, b) => a - b);
    const step = touching ? 1 : 2;
    const cuts: Range[] = [];
    for (let at = 0; at + 1 < sorted.length; at += step) {
      cuts.push({ start: sorted[at] ?? 0, end: sorted[at + 1] ?? 0, class: "a" });
    }
    return { value, cuts };
  });

test("every value comes back to the byte, whatever is cut out of it", () => {
  fc.assert(
    fc.property(cutValues, ({ value, cuts }) => {
      const { body, parts } = sealed(value, cuts);
      const opened = openBody(body, base.rid, openAll);
      expect(Buffer.from(opened.content?.value ?? [])).toEqual(Buffer.from(value));
      expect(partsAgree(opened.parts, parts)).toBe(true);
    }),
  );
});

test("a cut without its key is shown as null, and says where and why", () => {
  fc.assert(
    fc.property(cutValues, fc.boolean(), ({ value, cuts }, isDestroyed) => {
      const { body, parts } = sealed(value, cuts);
      const keyOf = (keyClass: string) =>
        keyClass !== "a" ? ownerKey : isDestroyed ? ("destroyed" as const) : undefined;
      const { content, parts: opened } = openBody(body, base.rid, keyOf);
      const why = isDestroyed ? "erased" : "withheld";
      expect(content?.hidden.map(({ start, length }) => [start, length])).toEqual(
        cuts.map(({ start, end }) => [start, end - start]),
      );
      let shown = Buffer.from(content?.value ?? []);
      for (const { start, length, shownAt, why: reason } of content?.hidden.toReversed() ?? []) {
        expect(reason).toBe(why);
        expect(shown.toString("latin1", shownAt, shownAt + 4)).toBe("null");
        const original = value.subarray(start, start + length);
        shown = Buffer.concat([shown.subarray(0, shownAt), original, shown.subarray(shownAt + 4)]);
      }
      expect(shown).toEqual(Buffer.from(value));
      if (cuts.length > 0) expect(opened[1]).toMatchObject({ state: why, m: undefined });
      expect(partsAgree(opened, parts)).toBe(true);
    }),
  );
});

test("without the key of part 0 nothing is shown, but hashes can still be compared", () => {
  const { body, parts } = sealed(Buffer.from('{"a":"b"}'), [{ start: 5, end: 8, class: "a" }]);
  const opened = openBody(body, base.rid, (keyClass) => (keyClass === "a" ? actorKey : "destroyed"));
  expect(opened.content).toBeUndefined();
  expect(opened.parts.map(({ state }) => state)).toEqual(["erased", "open"]);
  expect(partsAgree(opened.parts, parts)).toBe(true);
});

const isRefused = (open: () => unknown): boolean => {
  try {
    open();
    return false;
  } catch (error) {
    return error instanceof LastroError && error.code === "BODY_UNREADABLE";
  }
};

test("a body with any flipped bit is refused", () => {
  const { body } = sealed(bytesOf(vector.event.value), base.cuts);
  fc.assert(
    fc.property(fc.nat(body.length - 1), fc.nat(7), (at, bit) => {
      const changed = Uint8Array.from(body, (byte, index) => (index === at ? byte ^ (1 << bit) : byte));
      expect(isRefused(() => openBody(changed, base.rid, openAll))).toBe(true);
    }),
    { numRuns: 1000 },
  );
});

test("a body without any key still disagrees with the entry after a flipped bit", () => {
  const { body, parts } = sealed(bytesOf(vector.event.value), base.cuts);
  fc.assert(
    fc.property(fc.nat(body.length - 1), fc.nat(7), (at, bit) => {
      const changed = Uint8Array.from(body, (byte, index) => (index === at ? byte ^ (1 << bit) : byte));
      const agrees = () => partsAgree(openBody(changed, base.rid, () => undefined).parts, parts);
      expect(isRefused(agrees) || !agrees()).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test("a body cut short, lengthened, or moved to another record is refused", () => {
  const { body } = sealed(bytesOf(vector.event.value), base.cuts);
  for (let length = 0; length < body.length; length++) {
    expect(isRefused(() => openBody(body.subarray(0, length), base.rid, openAll))).toBe(true);
  }
  expect(isRefused(() => openBody(Buffer.concat([body, Buffer.of(0)]), base.rid, openAll))).toBe(true);
  expect(isRefused(() => openBody(body, `${base.rid}0` as Rid, openAll))).toBe(true);
});

test("parts of two records cannot be put together", () => {
  const one = sealed(Buffer.from('{"a":"b"}'), [{ start: 5, end: 8, class: "a" }]);
  const other = sealed(Buffer.from('{"a":"c"}'), [{ start: 5, end: 8, class: "a" }], `${base.rid}0` as Rid);
  const mixed = Buffer.concat([one.body.subarray(0, -40), other.body.subarray(-40)]);
  expect(isRefused(() => openBody(mixed, base.rid, openAll))).toBe(true);
});

/** A body that opens under its keys, whatever its parts say. */
function bodyOf(
  parts: readonly { readonly meta: string; readonly data: string; readonly metaBytes?: number }[],
): Uint8Array {
  const sealedParts = parts.map(({ meta, data, metaBytes }, number) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(metaBytes ?? Buffer.byteLength(meta));
    const plaintext = Buffer.concat([Buffer.alloc(32), length, Buffer.from(meta), Buffer.from(data)]);
    const head = Buffer.alloc(21);
    head.write(number === 0 ? "s" : "a");
    head.writeUInt32BE(plaintext.length, 17);
    const key = openAll(number === 0 ? "s" : "a");
    const nonce = Buffer.alloc(nonceBytes, number);
    const sealedPart = Buffer.concat([plaintext, Buffer.alloc(tagBytes)]);
    encryptInPlace(key, nonce, partAad(number, head, base.rid), sealedPart);
    return Buffer.concat([head, nonce, sealedPart]);
  });
  return Buffer.concat([Buffer.from("LB1"), Buffer.of(parts.length), ...sealedParts]);
}
const description = JSON.parse(vector.expected.parts[0]?.meta ?? "");
const metaWith = (changed: object): string =>
  JSON.stringify({ ...description, cuts: [[2, 3, 1]], ...changed });
const cutPart = { meta: "{}", data: "abc" };

test("the parts of the crafted bodies below open when nothing is wrong with them", () => {
  const { content } = openBody(bodyOf([{ meta: metaWith({}), data: "0156" }, cutPart]), base.rid, openAll);
  expect(Buffer.from(content?.value ?? []).toString()).toBe("01abc56");
});

test.each([
  [
    "cuts that overlap",
    [
      {
        meta: metaWith({
          cuts: [
            [2, 2, 1],
            [3, 1, 1],
          ],
        }),
        data: "0156",
      },
      cutPart,
    ],
  ],
  ["a cut behind the end", [{ meta: metaWith({ cuts: [[5, 3, 1]] }), data: "0156" }, cutPart]],
  ["a cut that names part 0", [{ meta: metaWith({ cuts: [[2, 3, 0]] }), data: "0156" }, cutPart]],
  ["a cut that names no part", [{ meta: metaWith({ cuts: [[2, 3, 2]] }), data: "0156" }, cutPart]],
  ["cuts longer than their part", [{ meta: metaWith({ cuts: [[2, 4, 1]] }), data: "0156" }, cutPart]],
  ["a part that no cut uses up", [{ meta: metaWith({ cuts: [[2, 2, 1]] }), data: "0156" }, cutPart]],
  ["a description that is no JSON", [{ meta: "{", data: "0156" }, cutPart]],
  ["a description with an unknown member", [{ meta: metaWith({ x: 1 }), data: "0156" }, cutPart]],
  ["a description without its tenant", [{ meta: metaWith({ tenant: undefined }), data: "0156" }, cutPart]],
  ["a description longer than its part", [{ meta: metaWith({}), data: "0156", metaBytes: 999_999 }, cutPart]],
  [
    "a later part with a description",
    [
      { meta: metaWith({}), data: "0156" },
      { meta: "[]", data: "abc" },
    ],
  ],
])("a body with %s is refused though its keys fit", (_what, parts) => {
  expect(isRefused(() => openBody(bodyOf(parts), base.rid, openAll))).toBe(true);
});
