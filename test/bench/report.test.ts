import { expect, test } from "@jest/globals";
import { medianOf, quantile, spread, table } from "./report.ts";

test("the median of an odd number of values is the middle one, however they are ordered", () => {
  expect(medianOf([9, 1, 5])).toBe(5);
  expect(spread([9, 1, 5.26], 1)).toBe("5.3 (1.0 – 9.0)");
});

test("a quantile is a value that was measured, the last at most", () => {
  const sorted = [1, 2, 3, 4];
  expect([0, 0.5, 0.99, 1].map((q) => quantile(sorted, q))).toEqual([1, 3, 4, 4]);
});

test("a table has a line for its head, one below it and one for each row", () => {
  expect(table(["a", "b"], [["1", "2"]])).toBe("| a | b |\n| --- | --- |\n| 1 | 2 |");
});
