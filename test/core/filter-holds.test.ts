import { expect, test } from "@jest/globals";
import { parseFilter } from "../../src/core/filter.ts";
import { holds } from "../../src/core/filter-holds.ts";
import type { FieldValue, FilterField } from "../../src/core/search-fields.ts";

/** Of a record whose owner_id was erased. */
const values: Partial<Record<FilterField, FieldValue>> = {
  tenant: "acme", entity_id: "é-1", ownership_id: "", active: true, version: 3, severity: 1, flags: ["late", "aliased"], text: ["joao", "silva"],
  recorded_at: Date.parse("2024-06-22T12:00:00Z"), "/payload/plan": "gold",
}; // biome-ignore format: a record
const judged = (text: string) =>
  holds(parseFilter(text, new Set(["/payload/plan"])), (field) => values[field]);

test.each([
  ["", true],
  ["tenant = acme", true],
  ["tenant = ACME", false],
  ["tenant != acme", false],
  [`entity_id = "é*"`, true],
  [`entity_id = "-*"`, false],
  [`ownership_id = ""`, true],
  ["ownership_id != x", true],
  ["ownership_id:*", false],
  ["payload.plan:gold AND payload.plan:*", true],
  ["flags:late -flags:clock_skew", true],
  ["-flags:*", false],
  [`text:"silva JOÃO"`, true],
  [`text:"joao sil*"`, true],
  [`text:"joao so*"`, false],
  ["text:jo", false],
  ["text:*", true],
  ["severity >= MEDIUM AND severity < HIGH", true],
  ["severity > MEDIUM", false],
  ["version <= 3 AND version >= 3 AND version = 3", true],
  ["recorded_at > 2024-06-22T12:00:00Z", false],
  ["tenant = acme AND active = false OR version = 3", true],
  ["(tenant = acme AND active = false) OR version = 4", false],
  ["NOT (tenant = acme AND version = 4)", true],
  ["owner_id = eve", undefined],
  ["owner_id != eve", undefined],
  ["owner_id = eve AND tenant = acme", undefined],
  ["owner_id = eve AND tenant = other", false],
  ["owner_id = eve OR tenant = acme", true],
  ["owner_id = eve OR tenant = other", undefined],
] as const)("R-23 %j is %s; what was erased decides nothing", (text, expected) =>
  expect(judged(text)).toBe(expected),
);
