/** Rows of `log_index` and the leaves they stand for. A record's key is its position, so that the unique index grows at one end per partition. */
import type { DatabaseSync, SQLInputValue, SQLOutputValue } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import { LastroError } from "../../core/errors.ts";
import { parseSrc, type Rid, type Src, srcOf } from "../../core/ids.ts";
import {
  coverageKey, type LoggableRecord, type LogKey, type LogLeaf, type LogRow, logRowsMax,
} from "../../ports/log-store.ts"; // biome-ignore format: one line
import { blob, integer, optionalText, positionOf, type Row, ridAt, text } from "./columns.ts";
import { assertInTime, isUniqueViolation } from "./faults.ts";
import { transaction } from "./transaction.ts";

/** Rows read between two looks at the signal. */
const stepRows = 1_000;

function keyValue(key: LogKey): SQLInputValue {
  if (key.startsWith("cov:") || key.startsWith("ctl:")) return key;
  const position = positionOf(key as Rid);
  if (position === undefined)
    throw new LastroError("INTERNAL", "a log key is neither a rid nor cov: nor ctl:");
  return position;
}

const keyOf = (value: SQLOutputValue | undefined): LogKey =>
  typeof value === "string" ? (value as LogKey) : ridAt(value as Uint8Array);

const rowOf = (row: Row): LogRow => ({
  index: integer(row, "idx"),
  key: keyOf(row["key"]),
  leafHash: blob(row, "leaf_hash"),
  entry: optionalText(row, "entry"),
});

const leafOf = (row: Row): LogLeaf => ({ ...rowOf(row), stored: optionalText(row, "stored") });

const positionAt = (src: Src, offset: number): Uint8Array => {
  const { topicId, partition } = parseSrc(src);
  const position = positionOf(`${srcOf(topicId, partition)}.${offset}` as Rid);
  if (position === undefined) throw new LastroError("INTERNAL", "a source partition has no position");
  return position;
};

/** Reads [from, to) in steps, each continued behind what the last one gave. */
async function inSteps<T>(
  signal: AbortSignal,
  limit: number,
  step: (count: number, last: T | undefined) => readonly T[],
): Promise<readonly T[]> {
  const all: T[] = [];
  while (all.length < limit) {
    assertInTime(signal);
    const count = Math.min(stepRows, limit - all.length);
    const some = step(count, all.at(-1));
    all.push(...some);
    if (some.length < count) break;
    await setImmediate();
  }
  return all;
}

export function openLogRows(db: DatabaseSync) {
  const size = db.prepare("SELECT coalesce(max(idx) + 1, 0) AS size FROM log_index");
  const insert = db.prepare("INSERT INTO log_index (idx, key, leaf_hash, entry) VALUES (?, ?, ?, ?)");
  const columns = "idx, key, leaf_hash, entry";
  const rows = db.prepare(`SELECT ${columns} FROM log_index WHERE idx >= ? AND idx < ? ORDER BY idx LIMIT ?`);
  const leaves = db.prepare(`
    SELECT idx, key, log_index.leaf_hash, log_index.entry, coalesce(log_index.entry, records.entry) AS stored
    FROM log_index LEFT JOIN records ON records.position = log_index.key
    WHERE idx >= ? AND idx < ? ORDER BY idx LIMIT ?`);
  const byKey = db.prepare("SELECT idx FROM log_index WHERE key = ?");
  const lastKey = db.prepare(
    `SELECT ${columns} FROM log_index WHERE key >= ? AND key <= ? ORDER BY key DESC LIMIT 1`,
  );
  const keys = db.prepare(`SELECT ${columns} FROM log_index WHERE key >= ? AND key < ? ORDER BY key LIMIT ?`);
  const loggable = db.prepare(
    "SELECT position, entry, leaf_hash FROM records WHERE position >= ? AND position < ? ORDER BY position LIMIT ?",
  );
  const between = <T extends { readonly index: number }>(
    statement: typeof rows,
    of: (row: Row) => T,
    from: number,
    to: number,
    signal: AbortSignal,
  ): Promise<readonly T[]> =>
    inSteps<T>(signal, Math.min(to - from, logRowsMax), (count, last) =>
      statement.all(last === undefined ? from : last.index + 1, to, count).map(of),
    );
  return {
    size: (): number => integer(size.get() ?? {}, "size"),
    /** Ordered: what precedes the first that is taken stays. */
    append: (added: readonly LogRow[]): "done" | "taken" =>
      transaction(db, () => {
        for (const { index, key, leafHash, entry } of added) {
          try {
            insert.run(index, keyValue(key), leafHash, entry ?? null);
          } catch (error) {
            if (isUniqueViolation(error)) return "taken";
            throw error;
          }
        }
        return "done";
      }),
    rows: (from: number, to: number, signal: AbortSignal) => between(rows, rowOf, from, to, signal),
    leaves: (from: number, to: number, signal: AbortSignal) => between(leaves, leafOf, from, to, signal),
    indexes(of: readonly LogKey[]): ReadonlyMap<LogKey, number> {
      const found = new Map<LogKey, number>();
      for (const key of of) {
        const row = byKey.get(keyValue(key));
        if (row !== undefined) found.set(key, integer(row, "idx"));
      }
      return found;
    },
    coverage(src: Src, from: number): LogRow | undefined {
      const row = lastKey.get(coverageKey(src, 0), coverageKey(src, from));
      return row && rowOf(row);
    },
    coverages: (src: Src, from: number, to: number, limit: number): readonly LogRow[] =>
      keys.all(coverageKey(src, from), coverageKey(src, to), limit).map(rowOf),
    loggable(
      src: Src,
      from: number,
      to: number,
      limit: number,
      signal: AbortSignal,
    ): Promise<readonly LoggableRecord[]> {
      const end = positionAt(src, to);
      return inSteps<LoggableRecord>(signal, Math.min(limit, logRowsMax), (count, last) =>
        loggable
          .all(positionAt(src, last === undefined ? from : last.offset + 1), end, count)
          .map(loggableOf),
      );
    },
  };
}

function loggableOf(row: Row): LoggableRecord {
  const rid = ridAt(blob(row, "position"));
  return {
    rid,
    offset: Number(rid.slice(rid.lastIndexOf(".") + 1)),
    entry: text(row, "entry"),
    leafHash: blob(row, "leaf_hash"),
  };
}
