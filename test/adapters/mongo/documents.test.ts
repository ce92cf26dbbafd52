/** Records through BSON and back; names from outside never become field names. */
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { BSON } from "mongodb";
import { type RecordDocument, recordDocument, recordRow } from "../../../src/adapters/mongo/documents.ts";
import type { RecordRow } from "../../../src/core/record.ts";
import { makeScene, startMs } from "../../support/records.ts";

const scene = makeScene();
const wellFormed = fc.string({ unit: "grapheme" });
const anyName = fc.oneof(wellFormed, fc.constantFrom("__proto__", "$where", "a.b", "", "constructor", "_id"));

const anyRow: fc.Arbitrary<RecordRow> = fc
  .record({
    offset: fc.maxSafeNat(),
    version: fc.integer({ min: 1, max: 0x7fff_ffff }),
    isActive: fc.boolean(),
    recordedAtMs: fc.integer({ min: 0, max: startMs * 2 }),
    owner: fc.option(wellFormed, { nil: undefined }),
    body: fc.uint8Array({ maxLength: 200 }),
    actionAtMs: fc.integer({ min: -startMs, max: startMs * 2 }),
    names: fc.array(anyName, { maxLength: 4 }),
    indexed: fc.array(fc.tuple(anyName, wellFormed), { maxLength: 4 }),
    resourceType: fc.option(wellFormed, { nil: undefined }),
  })
  .map(({ offset, version, isActive, recordedAtMs, owner, body, actionAtMs, names, indexed, resourceType }) =>
    scene.record({
      offset, version, isActive, recordedAtMs, body,
      ownership: owner === undefined ? undefined : scene.ownership(owner),
      kids: names.map((name) => scene.kid(name)),
      projection: {
        actionAtMs, resourceType, ownershipId: owner, candidateIds: names, indexed: Object.fromEntries(indexed),
        actor: { id: names[0] ?? "", ip: "192.0.2.1", role: owner ?? "", type: "user" },
      },
    }),
  ); // biome-ignore format: one line a part

const plain = (row: RecordRow) => ({ ...row, leafHash: [...row.leafHash], body: [...row.body] });
const throughBson = (row: RecordRow): RecordDocument =>
  BSON.deserialize(BSON.serialize(recordDocument(row))) as RecordDocument;

function fieldNames(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(fieldNames);
  if (value === null || typeof value !== "object" || value instanceof Date || "_bsontype" in value) return [];
  return Object.entries(value).flatMap(([name, inner]) => [name, ...fieldNames(inner)]);
}

describe("documents of records", () => {
  test("R-08 a record comes back from BSON exactly as it went in", () => {
    fc.assert(
      fc.property(anyRow, (row) => {
        expect(plain(recordRow(throughBson(row)))).toEqual(plain(row));
      }),
    );
  });

  test("field names are Lastro's own, whatever an event is called or holds", () => {
    const allowed = new Set(
      fieldNames(recordDocument(scene.record({
        offset: 1, isActive: true, ownership: scene.ownership("a"),
        projection: { ownershipId: "a", resourceType: "r", indexed: { x: "y" } },
      }))),
    ); // biome-ignore format: one line a part
    fc.assert(
      fc.property(anyRow, (row) => {
        expect(fieldNames(recordDocument(row)).filter((name) => !allowed.has(name))).toEqual([]);
      }),
    );
  });
});
