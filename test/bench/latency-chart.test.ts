import { expect, test } from "@jest/globals";
import { latencyChart, tailOf } from "./latency-chart.ts";
import { readSvg } from "./read-svg.ts";

const sorted = Array.from({ length: 10_000 }, (_, at) => at + 1);

test("a point of the tail is the latency that one of so many calls exceeds", () => {
  const tail = new Map(tailOf(sorted, 1));
  expect([tail.get(2), tail.get(10), tail.get(100)]).toEqual([5_001, 9_001, 9_901]);
});

test("a share that fewer than five calls exceed is not shown", () => {
  expect(Math.max(...tailOf(sorted, 1).map(([share]) => share))).toBe(2_000);
  expect(tailOf(sorted.slice(0, 9), 1)).toEqual([]);
});

test("a latency of 0 ms has a place on the logarithmic axis", () => {
  const zeros = sorted.map(() => 0);
  expect(tailOf(zeros, 1).every(([, ms]) => ms === 1)).toBe(true);
  const svg = latencyChart("Title", [{ name: "one", sorted: zeros }, { name: "two", sorted }], 1); // biome-ignore format: one line
  const numbers = readSvg(svg).flatMap(({ attributes }) => [attributes["cy"] ?? "0", attributes["d"] ?? ""]);
  expect(numbers.join(" ")).not.toMatch(/NaN|Infinity|undefined/);
});

test("the axis names the shares that the calls can tell of", () => {
  const texts = readSvg(latencyChart("Title", [{ name: "one", sorted }], 1)).map(({ text }) => text);
  expect(texts).toEqual(expect.arrayContaining(["50 %", "90 %", "99 %", "99.9 %"]));
  expect(texts).not.toContain("99.99 %");
});
