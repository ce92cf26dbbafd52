/** Counts of blocks, page by page: all of a range, or none. */
import { expect, test } from "@jest/globals";
import { encodeCells } from "../../src/core/summary-cells.ts";
import type { SummaryBlock } from "../../src/ports/search-index.ts";
import { cellsBetween } from "../../src/query/cells-between.ts";

const signal = new AbortController().signal;
const block = (n: number): SummaryBlock => {
  const bytes = encodeCells({ values: [[String(n)]], actors: [""], rows: Uint32Array.of(0, 0, 0, 1) });
  return { level: 0, n, cells: bytes, actors: bytes };
};

/** An index with these blocks, two of them on a page. */
const indexOf = (...there: readonly number[]) => ({
  blocks: async (_: number, from: number, to: number) =>
    there
      .filter((n) => n >= from && n < to)
      .slice(0, 2)
      .map(block),
});

async function counted(index: ReturnType<typeof indexOf>, from: number, to: number): Promise<string[]> {
  const found: string[] = [];
  for await (const { values } of cellsBetween(index, 0, [from, to], "cells", signal))
    found.push(...values.flat());
  return found;
}

test("blocks come one after another over all pages, and none where none is asked for", async () => {
  const index = indexOf(0, 1, 2, 3, 4, 5);
  expect(await counted(index, 1, 6)).toEqual(["1", "2", "3", "4", "5"]);
  expect(await counted(index, 3, 3)).toEqual([]);
});

test.each([
  ["first", [2, 3]],
  ["middle", [1, 3]],
  ["last", [1, 2]],
])("where the %s block is missing, nothing is summed: it would be too little", async (_, there) => {
  await expect(counted(indexOf(...there), 1, 4)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
});
