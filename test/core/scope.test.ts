import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Scope } from "../../src/core/caller.ts";
import { commonScope, isWithin } from "../../src/core/scope.ts";

const names = fc.option(fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 3 }), { nil: undefined });
const time = fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined });
const scope: fc.Arbitrary<Scope> = fc.record({
  tenants: names,
  producerServices: names,
  entityTypes: names,
  ownershipIds: names,
  fromMs: time,
  toMs: time,
  personal: fc.boolean(),
});
const record = fc.record({ list: fc.constantFrom("a", "b", "c", "d"), atMs: fc.integer({ min: 0, max: 6 }) });

/** What it means that a scope holds for a record, written down once more. */
const holds = (s: Scope, { list, atMs }: { list: string; atMs: number }): boolean =>
  [s.tenants, s.producerServices, s.entityTypes, s.ownershipIds].every(
    (all) => all === undefined || all.includes(list),
  ) &&
  (s.fromMs === undefined || s.fromMs <= atMs) &&
  (s.toMs === undefined || atMs < s.toMs);

test("what two scopes have in common is never wider than either, and nothing less", () => {
  fc.assert(
    fc.property(scope, scope, record, (a, b, one) => {
      const both = commonScope(a, b);
      expect(holds(both, one)).toBe(holds(a, one) && holds(b, one));
      expect(both.personal).toBe(a.personal && b.personal);
    }),
    { numRuns: 2_000 },
  );
});

test("a scope is within another where that reaches and shows all that it does, and within what it was written and read as", () => {
  let within = 0;
  fc.assert(
    fc.property(scope, scope, record, (a, b, one) => {
      expect(isWithin(a, a)).toBe(true);
      expect(isWithin(JSON.parse(JSON.stringify(a)), a)).toBe(true);
      expect(isWithin(commonScope(a, b), b)).toBe(true);
      if (!isWithin(a, b)) return;
      within += 1;
      expect(!a.personal || b.personal).toBe(true);
      expect(holds(b, one) || !holds(a, one)).toBe(true);
    }),
    { numRuns: 5_000 },
  );
  expect(within).toBeGreaterThan(20);
});
