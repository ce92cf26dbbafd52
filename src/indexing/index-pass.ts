/**
 * One pass of the search index: the next entries of the log that the head covers get their terms and, at the end of a block, their counts.
 * All of it is made of the log and the records anew; what a pass that died left behind is put again and changes nothing.
 */

import type { Catalogue } from "../core/catalogue.ts";
import { LastroError } from "../core/errors.ts";
import { indexRules } from "../core/index-rules.ts";
import { parseRecordEntry } from "../core/leaf.ts";
import type { RecordRow } from "../core/record.ts";
import { valueOfRow } from "../core/search-fields.ts";
import { countedRecord } from "../core/summary.ts";
import {
  blockEntries, blockLevels, blockWidth, cellsSum, countCells, countedFields, decodeCells, encodeCells, entriesOf,
} from "../core/summary-cells.ts"; // biome-ignore format: one line
import type { HistoryReader } from "../ports/history-reader.ts";
import type { LogStore } from "../ports/log-store.ts";
import type { IndexedText, IndexState, SearchIndex, SummaryBlock } from "../ports/search-index.ts";
import type { DataKeys } from "../privacy/data-keys.ts";
import { openBody } from "../privacy/open-body.ts";
import { cellsBetween } from "../query/cells-between.ts";
import { contentTerms } from "../query/content-terms.ts";
import { readContent } from "../query/read-content.ts";
import type { RecordContent } from "../query/record-view.ts";
import { countedBetween, recordsBetween } from "../query/records-between.ts";

export type IndexPassDeps = {
  readonly log: Pick<LogStore, "head" | "rows">;
  readonly history: Pick<HistoryReader, "byRids" | "values">;
  readonly index: SearchIndex;
  readonly keys: Pick<DataKeys, "forOpening">;
  readonly catalogue: Catalogue;
};

/** `size`: entries that are indexed; `lag`: entries that the log's head covers and the index does not. */
export type IndexPassResult = { readonly size: number; readonly lag: number };

/** A pass ends at the end of a block. Throws STORE_UNAVAILABLE, KEY_UNAVAILABLE. */
export async function indexPass(deps: IndexPassDeps, signal: AbortSignal): Promise<IndexPassResult> {
  const { log, index, catalogue } = deps;
  const head = (await log.head(signal))?.size ?? 0;
  const rules = indexRules(catalogue);
  const from = await index.state(signal);
  if (from?.rules !== rules) {
    await index.reset(rules, signal);
    return { size: 0, lag: head };
  }
  const to = Math.min(head, (Math.floor(from.size / blockEntries) + 1) * blockEntries);
  if (to <= from.size) return { size: from.size, lag: 0 };
  const records = await recordsBetween(deps, from.size, to, signal);
  await index.addTexts(await textsOf(deps, records, signal), signal);
  const blocks = to % blockEntries === 0 ? await blocksAt(deps, from, to, records, signal) : [];
  await index.advance(from, to, blocks, signal);
  return { size: to, lag: head - to };
}

async function textsOf(
  { keys, catalogue }: IndexPassDeps,
  records: readonly RecordRow[],
  signal: AbortSignal,
): Promise<readonly IndexedText[]> {
  const entries = records.map(({ entry }) => parseRecordEntry(entry));
  const kids = entries.flatMap((entry) => entry?.parts.map(({ c, k }) => ({ class: c, kid: k })) ?? []);
  const opening = kids.length === 0 ? undefined : await keys.forOpening(kids, signal);
  return records.map((row, at) => ({
    rid: row.rid,
    recordedAtMs: row.recordedAtMs,
    terms: contentTerms(
      catalogue,
      entries[at]?.eventType ?? row.projection.eventType,
      contentOf(row, (kid) => opening?.get(kid)),
    ),
  }));
}

type OpenKey = (kid: RecordRow["kids"][number]) => Uint8Array | "destroyed" | undefined;

/** Undefined where it was erased or cannot be opened: a check tells of that. */
function contentOf(row: RecordRow, keyOf: OpenKey): RecordContent | undefined {
  try {
    const { content } = openBody(row.body, row.rid, (_, kid) => keyOf(kid));
    return content && readContent(content);
  } catch (error) {
    if (error instanceof LastroError && error.code === "BODY_UNREADABLE") return undefined;
    throw error;
  }
}

/** The blocks that end at `to`, of each level. `records` are those of the last pass, which may have begun inside the lowest one. */
async function blocksAt(
  deps: IndexPassDeps,
  from: IndexState,
  to: number,
  records: readonly RecordRow[],
  signal: AbortSignal,
): Promise<readonly SummaryBlock[]> {
  const start = to - blockEntries;
  const before = start < from.size ? await countedBetween(deps, start, from.size, signal) : [];
  const added = records.map((row) => countedRecord(countedFields.map((field) => valueOfRow(row, field))));
  const counted = [...before, ...added];
  const blocks: SummaryBlock[] = [
    {
      level: 0,
      n: start / blockEntries,
      cells: encodeCells(countCells(counted, "cells")),
      actors: encodeCells(countCells(counted, "actors")),
    },
  ];
  for (let level = 1; level < blockLevels && to % entriesOf(level) === 0; level++)
    blocks.push(await sumOf(deps, level, to / entriesOf(level) - 1, blocks.at(-1), signal));
  return blocks;
}

/** Of the blocks below, the last of which is not stored yet. */
async function sumOf(
  { index }: IndexPassDeps,
  level: number,
  n: number,
  last: SummaryBlock | undefined,
  signal: AbortSignal,
): Promise<SummaryBlock> {
  const sum = async (which: "cells" | "actors"): Promise<Uint8Array> => {
    const total = cellsSum();
    const stored = [n * blockWidth, (n + 1) * blockWidth - 1] as const;
    for await (const cells of cellsBetween(index, level - 1, stored, which, signal)) total.add(cells);
    if (last !== undefined) total.add(decodeCells(last[which]));
    return encodeCells(total.cells());
  };
  return { level, n, cells: await sum("cells"), actors: await sum("actors") };
}
