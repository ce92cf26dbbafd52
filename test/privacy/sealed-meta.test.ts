import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { z } from "zod";
import type { JsonValue } from "../../src/core/json.ts";
import { isSealedMeta } from "../../src/privacy/sealed-meta.ts";
import { sealVectors } from "../support/seal-vectors.ts";

/** The same form, said a second time. */
const count = z.int().nonnegative();
const Meta = z.strictObject({
  action_at: z.string(),
  catalogue: z.string(),
  cuts: z.array(z.tuple([count, count, count])),
  entity: z.strictObject({
    id: z.string().optional(),
    namespace: z.string(),
    pointer: z.string(),
    type: z.string(),
  }),
  headers: z.array(z.tuple([z.string(), z.base64url().nullable()])),
  kafka_ts: z.int(),
  key: z.base64url().nullable(),
  ownership_id: z.string().optional(),
  producer_service_id: z.string(),
  tenant: z.string(),
  trace_id: z.string(),
  uid: z.strictObject({ form: z.enum(["ce", "header", "metadata", "fp"]), parts: z.array(z.string()) }),
});

const metas: readonly JsonValue[] = sealVectors.map((vector) =>
  JSON.parse(vector.expected.parts[0]?.meta ?? ""),
);

test("the description of every vector has the form of a description", () => {
  expect(metas.map(isSealedMeta)).toEqual(metas.map(() => true));
});

const odd: readonly JsonValue[] = [
  null,
  true,
  -1,
  0,
  1.5,
  2 ** 53,
  "",
  "A",
  "AB",
  "AAAAA",
  "A=",
  "+/",
  "é",
  [],
  [1],
  {},
  [[]],
  { id: 1 },
  { toString: "x" },
];

type Step = {
  readonly pick: number;
  readonly what: "replace" | "remove" | "add" | "double";
  readonly value: JsonValue;
};
const steps = fc.array(
  fc.record({
    pick: fc.nat(),
    what: fc.constantFrom("replace", "remove", "add", "double"),
    value: fc.oneof(fc.constantFrom(...odd), fc.jsonValue() as fc.Arbitrary<JsonValue>),
  }),
  { minLength: 1, maxLength: 3 },
);

type Place = { readonly holder: Record<string, unknown> | unknown[]; readonly key: string | number };
function placesIn(value: unknown): Place[] {
  if (Array.isArray(value)) return value.flatMap((item, key) => [{ holder: value, key }, ...placesIn(item)]);
  if (typeof value !== "object" || value === null) return [];
  const holder = value as Record<string, unknown>;
  return Object.keys(holder).flatMap((key) => [{ holder, key }, ...placesIn(holder[key])]);
}

function changed(meta: JsonValue, changes: readonly Step[]): JsonValue {
  const root = { meta: structuredClone(meta) };
  for (const { pick, what, value: given } of changes) {
    // A value of its own each time: put into itself it would never end.
    const value = structuredClone(given);
    const places = placesIn(root);
    const place = places[pick % places.length];
    if (place === undefined) break;
    const { holder, key } = place;
    if (Array.isArray(holder)) {
      if (what === "remove") holder.splice(Number(key), 1);
      else if (what === "double") holder.push(structuredClone(holder[Number(key)]));
      else holder[Number(key)] = value;
    } else if (what === "remove") delete holder[key];
    else holder[what === "replace" ? key : `${key}${what === "add" ? "x" : ""}`] = value;
  }
  return root.meta ?? null;
}

test("any change to a description is judged as a schema of the same form judges it", () => {
  let refused = 0;
  fc.assert(
    fc.property(fc.constantFrom(...metas), steps, (meta, changes) => {
      const json = changed(meta, changes);
      const verdict = Meta.safeParse(json).success;
      refused += verdict ? 0 : 1;
      expect(isSealedMeta(json)).toBe(verdict);
    }),
    { numRuns: 3_000 },
  );
  expect(refused).toBeGreaterThan(300);
});
