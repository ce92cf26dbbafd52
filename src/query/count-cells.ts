/** Counting by the index: blocks of the log that were counted once and for all, and the records of the last entries, which fill no block yet. */
import { blockEntries, blockLevels, type Cells, countCells, entriesOf } from "../core/summary-cells.ts";
import { cellsBetween } from "./cells-between.ts";
import type { QueryDeps } from "./deps.ts";
import { countedBetween } from "./records-between.ts";

/** Entries behind the last block that are counted one by one. */
export const tailEntriesMax = 4_096;

/** Entries of the log [0, size), of which the first `inBlocks` are counted in blocks. */
export type Reach = { readonly size: number; readonly inBlocks: number };

/** Undefined: more entries lie behind the last block than may be counted one by one. Without `asOf`, as many are counted as may be. */
export async function reachOf(
  { index }: Pick<QueryDeps, "index">,
  treeSize: number,
  asOf: number | undefined,
  signal: AbortSignal,
): Promise<Reach | undefined> {
  const indexed = (await index.state(signal))?.size ?? 0;
  const blocksUpTo = (size: number): number =>
    Math.floor(Math.min(indexed, size) / blockEntries) * blockEntries;
  const inBlocks = blocksUpTo(asOf ?? treeSize);
  const size = asOf ?? Math.min(treeSize, inBlocks + tailEntriesMax);
  return size - inBlocks > tailEntriesMax ? undefined : { size, inBlocks };
}

/** The counts of all records that the tree holds. */
export async function* cellsWithin(
  deps: QueryDeps,
  { size, inBlocks }: Reach,
  which: "cells" | "actors",
  signal: AbortSignal,
): AsyncGenerator<Cells> {
  let from = 0;
  for (let level = blockLevels - 1; level >= 0; level--) {
    const entries = entriesOf(level);
    const end = Math.floor(inBlocks / entries);
    yield* cellsBetween(deps.index, level, [from / entries, end], which, signal);
    from = end * entries;
  }
  yield await tailCells(deps, { size, inBlocks }, which, signal);
}

type Tail = Reach & { readonly cells: Cells };
/** The last tail that was counted, until the log grows: many ask for the same one. Actors are not kept. */
const lastTails = new WeakMap<object, Tail>();

async function tailCells(
  { history, log }: QueryDeps,
  { size, inBlocks }: Reach,
  which: "cells" | "actors",
  signal: AbortSignal,
): Promise<Cells> {
  const last = lastTails.get(history);
  if (which === "cells" && last?.size === size && last.inBlocks === inBlocks) return last.cells;
  const cells = countCells(await countedBetween({ history, log: log.store }, inBlocks, size, signal), which);
  if (which === "cells") lastTails.set(history, { size, inBlocks, cells });
  return cells;
}
