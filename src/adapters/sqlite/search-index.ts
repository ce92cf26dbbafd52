/** The search index in SQLite. Rows of terms name a record by its row: shorter than its position, and as lasting. */
import type { DatabaseSync } from "node:sqlite";
import type { Rid } from "../../core/ids.ts";
import {
  blocksBytesMax,
  type IndexedText,
  type IndexState,
  type SearchIndex,
  type SummaryBlock,
} from "../../ports/search-index.ts";
import { blob, integer, positionOf, text } from "./columns.ts";
import { assertWanted, storeCall } from "./faults.ts";
import type { GroupCommit } from "./group-commit.ts";

/** Records of one transaction: while it runs, intake waits with its own. */
const stepTextsMax = 64;
/** Rows taken away in one transaction. */
const stepResetRowsMax = 5_000;
const nothing = new Uint8Array();

function openTexts(db: DatabaseSync) {
  const idOf = db.prepare("SELECT id, recorded_at FROM records WHERE position = ?");
  const termsOf = db.prepare("SELECT terms FROM texts WHERE record = ?");
  const putText = db.prepare(
    "INSERT INTO texts (record, terms) VALUES (?, ?) ON CONFLICT (record) DO NOTHING",
  );
  const putTerm = db.prepare(
    "INSERT INTO terms (term, recorded_at, record) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
  );
  const dropText = db.prepare(
    "INSERT INTO texts (record, terms) VALUES (?, '') ON CONFLICT (record) DO UPDATE SET terms = ''",
  );
  const isFoundBy = db.prepare("SELECT 1 FROM terms WHERE term = ? AND recorded_at = ? AND record = ?");
  const dropTerm = db.prepare("DELETE FROM terms WHERE term = ? AND recorded_at = ? AND record = ?");
  const rowOf = (rid: Rid) => {
    const position = positionOf(rid);
    const row = position && idOf.get(position);
    return row && { id: integer(row, "id"), recordedAt: integer(row, "recorded_at") };
  };
  const written = ({ id }: { readonly id: number }): readonly string[] | undefined => {
    const row = termsOf.get(id);
    return (
      row &&
      text(row, "terms")
        .split(" ")
        .filter((term) => term !== "")
    );
  };
  return {
    add({ rid, terms }: IndexedText): void {
      const row = rowOf(rid);
      if (row === undefined || putText.run(row.id, terms.join(" ")).changes === 0) return;
      for (const term of terms) putTerm.run(term, row.recordedAt, row.id);
    },
    read(rid: Rid): readonly string[] | undefined {
      const row = rowOf(rid);
      return row && written(row)?.filter((term) => isFoundBy.get(term, row.recordedAt, row.id) !== undefined);
    },
    purge(rid: Rid): void {
      const row = rowOf(rid);
      if (row === undefined) return;
      for (const term of written(row) ?? []) dropTerm.run(term, row.recordedAt, row.id);
      dropText.run(row.id);
    },
  };
}

function openState(db: DatabaseSync) {
  const read = db.prepare("SELECT rules, size FROM search_index WHERE one = 1");
  const set = db.prepare(
    "INSERT INTO search_index (one, rules, size) VALUES (1, ?1, 0) ON CONFLICT (one) DO UPDATE SET rules = ?1, size = 0",
  );
  const move = db.prepare("UPDATE search_index SET size = ? WHERE one = 1 AND size = ? AND rules = ?");
  const drops = ["terms WHERE (term, recorded_at, record) IN (SELECT term, recorded_at, record FROM terms LIMIT ?)",
    "texts WHERE record IN (SELECT record FROM texts LIMIT ?)",
    "summary_blocks WHERE rowid IN (SELECT rowid FROM summary_blocks LIMIT ?)",
  ].map((from) => db.prepare(`DELETE FROM ${from}`)); // biome-ignore format: a list
  return {
    read(): IndexState | undefined {
      const row = read.get();
      return row && { rules: text(row, "rules"), size: integer(row, "size") };
    },
    move: (from: IndexState, to: number): boolean => move.run(to, from.size, from.rules).changes === 1,
    /** Until all is gone, the rules are those of nothing. */
    reset(rules: string): boolean {
      const left = drops.some((drop) => Number(drop.run(stepResetRowsMax).changes) > 0);
      set.run(left ? "" : rules);
      return !left;
    },
  };
}

function openBlocks(db: DatabaseSync) {
  const put = db.prepare(
    "INSERT INTO summary_blocks (level, n, cells, actors) VALUES (?, ?, ?, ?) ON CONFLICT (level, n) DO NOTHING",
  );
  const reading = (which: "cells" | "actors") =>
    db.prepare(
      `SELECT n, ${which} AS bytes FROM summary_blocks WHERE level = ? AND n >= ? AND n < ? ORDER BY n`,
    );
  const readers = { cells: reading("cells"), actors: reading("actors") };
  return {
    put: ({ level, n, cells, actors }: SummaryBlock): void => void put.run(level, n, cells, actors),
    read(level: number, from: number, to: number, which: "cells" | "actors"): readonly SummaryBlock[] {
      const found: SummaryBlock[] = [];
      let length = 0;
      for (const row of readers[which].iterate(level, from, to)) {
        const bytes = blob(row, "bytes");
        found.push({ level, n: integer(row, "n"), cells: nothing, actors: nothing, [which]: bytes });
        length += bytes.length;
        if (length >= blocksBytesMax) break;
      }
      return found;
    },
  };
}

/** What is written here is written by `commit`, within a transaction. */
export function openSearchIndex(db: DatabaseSync, commit: GroupCommit): SearchIndex {
  const texts = openTexts(db);
  const state = openState(db);
  const blocks = openBlocks(db);
  const inSteps = async <T>(
    all: readonly T[],
    signal: AbortSignal,
    work: (one: T) => void,
  ): Promise<void> => {
    for (let from = 0; from < all.length; from += stepTextsMax) {
      assertWanted(signal);
      const some = all.slice(from, from + stepTextsMax);
      await commit(signal, some.length, () => some.forEach(work));
    }
  };
  return {
    state: (signal) => storeCall(signal, state.read),
    reset: (rules, signal) => commit(signal, stepResetRowsMax, () => state.reset(rules)),
    texts: (rids, signal) =>
      storeCall(signal, () => {
        const found = new Map<Rid, readonly string[]>();
        for (const rid of rids) {
          const terms = texts.read(rid);
          if (terms !== undefined) found.set(rid, terms);
        }
        return found;
      }),
    addTexts: (all, signal) => storeCall(signal, () => inSteps(all, signal, texts.add)),
    advance: (from, to, added, signal) =>
      commit(signal, 1 + added.length, () => {
        const isMoved = state.move(from, to);
        if (isMoved) added.forEach(blocks.put);
        return isMoved;
      }),
    blocks: (level, from, to, which, signal) => storeCall(signal, () => blocks.read(level, from, to, which)),
    purgeTexts: (rids, signal) => storeCall(signal, () => inSteps(rids, signal, texts.purge)),
  };
}
