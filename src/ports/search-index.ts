/** What makes finding and counting quick: terms of records, and counts of blocks of the log. It follows the log, is made of nothing else, and can be made again at any time. */
import type { Rid } from "../core/ids.ts";

/** Entries of the log below `size` are indexed, under these rules. */
export type IndexState = { readonly rules: string; readonly size: number };

export type IndexedText = {
  readonly rid: Rid;
  readonly recordedAtMs: number;
  /** Each once; none of them holds a space. */
  readonly terms: readonly string[];
};

/** Block `n` of a level; bytes as core/summary-cells writes them. Actors are personal, hence apart. */
export type BlockId = { readonly level: number; readonly n: number };
export type SummaryBlock = BlockId & { readonly cells: Uint8Array; readonly actors: Uint8Array };

/** A page of blocks: what one read holds, and one block more at most. */
export const blocksBytesMax = 16 * 1024 * 1024;

/**
 * Contract. Everything acknowledged is durable; a call that throws may have had any part of its effect, and repeating it is safe.
 * Throws STORE_UNAVAILABLE. What is said of a record that is not stored is ignored.
 */
export type SearchIndex = {
  /** Undefined: nothing was ever indexed. */
  state(signal: AbortSignal): Promise<IndexState | undefined>;
  /** Takes away some of what is indexed. True once nothing is left: then the size is 0, under these rules. */
  reset(rules: string, signal: AbortSignal): Promise<boolean>;
  /** The terms by which these records are found; those that are not indexed are absent. */
  texts(rids: readonly Rid[], signal: AbortSignal): Promise<ReadonlyMap<Rid, readonly string[]>>;
  /** Adds the terms of records that have none yet. */
  addTexts(texts: readonly IndexedText[], signal: AbortSignal): Promise<void>;
  /** Puts blocks that are absent, then moves the size from `from` to `to`; false: it is not at `from`. */
  advance(
    from: IndexState,
    to: number,
    blocks: readonly SummaryBlock[],
    signal: AbortSignal,
  ): Promise<boolean>;
  /** Blocks [from, to) of a level that are there, ascending, up to the one that brings them to `blocksBytesMax`. `which` of the two is read; the other is empty. */
  blocks(
    level: number,
    from: number,
    to: number,
    which: "cells" | "actors",
    signal: AbortSignal,
  ): Promise<readonly SummaryBlock[]>;
  /** Takes away the terms of these records, for good: until a reset they get no others. */
  purgeTexts(rids: readonly Rid[], signal: AbortSignal): Promise<void>;
};
