import { expect, test } from "@jest/globals";
import { loads, outcomesOf, variantLoad } from "./variant-load.ts";

const count = 1_000;
const idOf = (value: string): string => JSON.parse(value).metadata.event_id;

test("a load is the same each time", () => {
  expect([...variantLoad(200, loads.copied)]).toEqual([...variantLoad(200, loads.copied)]);
});

test("30 % of a load with copies are the same bytes under the same key as an earlier event", () => {
  const events = [...variantLoad(count, loads.copied)];
  const seen = new Set<string>();
  let copies = 0;
  for (const event of events) {
    const bytes = JSON.stringify(event);
    if (seen.has(bytes)) copies += 1;
    seen.add(bytes);
  }
  expect(copies).toBe(300);
  expect(new Set(events.map(({ value }) => idOf(value))).size).toBe(700);
  expect(Object.fromEntries(outcomesOf(count, loads.copied))).toEqual({ duplicate: 300, stored: 700 });
});

test("1 % of a poisoned load is no JSON, spread evenly, and the rest is whole", () => {
  const broken = [...variantLoad(count, loads.poisoned)].flatMap(({ value }, at) => {
    try {
      return idOf(value) === "" ? [at] : [];
    } catch {
      return [at];
    }
  });
  expect(broken).toHaveLength(10);
  expect(broken.at(1)).toBe((broken.at(0) ?? 0) + 100);
  expect(Object.fromEntries(outcomesOf(count, loads.poisoned))).toEqual({ rejected: 10, stored: 990 });
});

test("large events have about 8 KB, plain ones about 770 bytes, and all differ", () => {
  const mean = (values: readonly string[]): number =>
    values.reduce((sum, value) => sum + Buffer.byteLength(value), 0) / values.length;
  const large = [...variantLoad(100, loads.large)].map(({ value }) => value);
  expect(Math.abs(mean(large) - 8_170)).toBeLessThan(50);
  expect(Math.abs(mean([...variantLoad(100, loads.plain)].map(({ value }) => value)) - 770)).toBeLessThan(50);
  expect(new Set(large.map((value) => JSON.parse(value).payload.note)).size).toBe(100);
});
