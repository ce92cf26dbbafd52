/** Counts of blocks one after another: no more of them than a page of the index lies in memory. */
import { LastroError } from "../core/errors.ts";
import { type Cells, decodeCells } from "../core/summary-cells.ts";
import type { SearchIndex } from "../ports/search-index.ts";

/** Of blocks [from, to) of a level. Throws STORE_UNAVAILABLE when one is not there. */
export async function* cellsBetween(
  index: Pick<SearchIndex, "blocks">,
  level: number,
  [from, to]: readonly [number, number],
  which: "cells" | "actors",
  signal: AbortSignal,
): AsyncGenerator<Cells> {
  for (let at = from; at < to; ) {
    const page = await index.blocks(level, at, to, which, signal);
    if (page.length === 0) throw missing();
    for (const block of page) {
      if (block.n !== at++) throw missing();
      yield decodeCells(block[which]);
    }
  }
}

const missing = (): LastroError =>
  new LastroError(
    "STORE_UNAVAILABLE",
    "the search index lacks counts: it is being made anew; ask again once it has caught up. If that lasts, see `lastro check`: `lastro reindex` has it made anew",
  );
