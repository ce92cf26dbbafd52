import { expect, test } from "@jest/globals";
import { ridOfNth } from "./reads-store.ts";

const placesOf = (records: number): readonly (readonly [partition: string, offset: number])[] =>
  Array.from({ length: records }, (_, n) => {
    const [, partition = "", offset] = ridOfNth(n).split(".");
    return [partition, Number(offset)];
  });

test("the records of a small store lie in the partitions that its few batches went to", () => {
  const places = placesOf(2_500);
  expect(new Set(places.map(([partition]) => partition)).size).toBe(3);
  expect(Math.max(...places.map(([, offset]) => offset))).toBe(999);
  expect(new Set(places.map(String)).size).toBe(2_500);
});

test("offsets of a partition have no holes", () => {
  const offsets = placesOf(14_000).filter(([partition]) => partition === placesOf(1)[0]?.[0]);
  expect(offsets.map(([, offset]) => offset)).toEqual(Array.from({ length: 3_000 }, (_, at) => at));
});
