/** Holds the search index against the log, for a check: each record that it reaches has its words there, and its counts are those of a recount. */
import type { Catalogue } from "../core/catalogue.ts";
import type { Report } from "../core/findings.ts";
import type { Rid } from "../core/ids.ts";
import { indexRules } from "../core/index-rules.ts";
import {
  addCells, blockEntries, blockLevels, blockWidth, type Cells, countCells, decodeCells, entriesOf, equalCells,
} from "../core/summary-cells.ts"; // biome-ignore format: one line
import type { HistoryReader } from "../ports/history-reader.ts";
import type { LogStore } from "../ports/log-store.ts";
import type { SearchIndex } from "../ports/search-index.ts";
import { countedOf, ridsBetween } from "../query/records-between.ts";

export type CheckIndexDeps = {
  readonly log: Pick<LogStore, "head" | "rows">;
  readonly history: Pick<HistoryReader, "values">;
  readonly index: Pick<SearchIndex, "state" | "texts" | "blocks">;
  readonly catalogue: Catalogue;
};

const counts = ["cells", "actors"] as const;
type Counts = Readonly<Record<(typeof counts)[number], Cells>>;
const remedy = "make the index anew: lastro reindex";

/** How many entries of the log it holds; none where it was made by other rules, since it is then made anew. Throws STORE_UNAVAILABLE. */
export async function checkIndex(
  deps: CheckIndexDeps,
  report: Report,
  onProgress: (entries: number, size: number) => void,
  signal: AbortSignal,
): Promise<number> {
  const state = await deps.index.state(signal);
  if (state?.rules !== indexRules(deps.catalogue)) return 0;
  const head = (await deps.log.head(signal))?.size ?? 0;
  if (state.size > head) {
    const object = { kind: "leaves", from: head, to: state.size } as const;
    report({ code: "INDEX_CHANGED", object, detail: `it claims entries that the log has not; ${remedy}` });
  }
  const size = Math.min(state.size, head);
  const recounted: Counts[][] = Array.from({ length: blockLevels }, () => []);
  for (let from = 0; from < size; from += blockEntries) {
    const to = Math.min(from + blockEntries, size);
    const rids = await ridsBetween(deps, from, to, signal);
    await checkTexts(deps, rids, report, signal);
    if (to - from === blockEntries) await checkBlocks(deps, recounted, rids, to, report, signal);
    onProgress(to, size);
  }
  return size;
}

async function checkTexts(
  { index }: CheckIndexDeps,
  rids: readonly Rid[],
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const texts = await index.texts(rids, signal);
  for (const rid of rids) {
    if (texts.has(rid)) continue;
    const object = { kind: "record", rid } as const;
    report({ code: "INDEX_CHANGED", object, detail: `none of its words is in the index; ${remedy}` });
  }
}

/** Those that end at `to`. `recounted`: blocks of each level whose sum is not complete yet. */
async function checkBlocks(
  { history, index }: CheckIndexDeps,
  recounted: readonly Counts[][],
  rids: readonly Rid[],
  to: number,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const records = await countedOf(history, rids, signal);
  let counted: Counts = { cells: countCells(records, "cells"), actors: countCells(records, "actors") };
  for (const [level, waiting] of recounted.entries()) {
    const from = to - entriesOf(level);
    const n = from / entriesOf(level);
    for (const which of counts) {
      const [stored] = await index.blocks(level, n, n + 1, which, signal);
      if (stored !== undefined && holds(stored[which], counted[which])) continue;
      const object = { kind: "leaves", from, to } as const;
      report({ code: "INDEX_CHANGED", object, detail: `their counts differ from a recount; ${remedy}` });
    }
    if (waiting.push(counted) < blockWidth) return;
    const parts = waiting.splice(0);
    const sum = (which: keyof Counts): Cells => addCells(parts.map((part) => part[which]));
    counted = { cells: sum("cells"), actors: sum("actors") };
  }
}

/** Bytes that are no cells hold none. */
function holds(bytes: Uint8Array, cells: Cells): boolean {
  try {
    return equalCells(decodeCells(bytes), cells);
  } catch {
    return false;
  }
}
