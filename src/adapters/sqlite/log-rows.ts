/** Rows of `log_index` and the leaves they stand for. A record's key is its position, so that the unique index grows at one end per partition. */
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import { LastroError } from "../../core/errors.ts";
import { type Rid, ridOf, type Src } from "../../core/ids.ts";
import {
  coverageKey, type LoggableRecord, type LogKey, type LogLeaf, type LogRow, logRowsMax,
} from "../../ports/log-store.ts"; // biome-ignore format: one line
import { integer, optionalText, positionOf, type Row, ridAt, text } from "./columns.ts";
import { assertWanted, isUniqueViolation } from "./faults.ts";
import type { GroupCommit } from "./group-commit.ts";

/** Rows read or looked up between two looks at the signal: a few milliseconds. */
const readStepRows = 1_000;
/** Rows of one transaction: the process is SQLite's alone until it is synced. */
const appendStepRows = 2_000;

/**
 * Thousands of rows are read a second, so they come as arrays whose columns are named by their place, and bytes come as hexadecimal
 * text: a row as an object with byte arrays takes twice the time.
 */
const places = { index: "0", key: "1", leafHash: "2", entry: "3", stored: "4" } as const;
const loggablePlaces = { position: "0", entry: "1", leafHash: "2" } as const;
const rowColumns = "idx, iif(typeof(key) = 'text', key, hex(key)), hex(log_index.leaf_hash), log_index.entry";
const prepareArrays = (db: DatabaseSync, sql: string): StatementSync => {
  const statement = db.prepare(sql);
  statement.setReturnArrays(true);
  return statement;
};

const isText = (of: LogKey | string): boolean => of.startsWith("cov:") || of.startsWith("ctl:");

function keyValue(of: LogKey): SQLInputValue {
  const position = isText(of) ? of : positionOf(of as Rid);
  if (position === undefined)
    throw new LastroError("INTERNAL", "a log key is neither a rid nor cov: nor ctl:");
  return position;
}

/** A position in hexadecimal digits, and of these topic id and partition. */
const [positionDigits, sourceDigits] = [56, 40];

/** Rids of positions in hexadecimal; neighbours are mostly of one source, whose text is made once. */
function ridReader(): (position: string) => Rid {
  let [digits, src] = ["", "" as Src];
  return (position) => {
    if (position.length !== positionDigits)
      throw new LastroError(
        "INTERNAL",
        "a key in log_index is none that Lastro writes; the store is damaged",
      );
    if (!position.startsWith(digits) || digits === "") {
      digits = position.slice(0, sourceDigits);
      const rid = ridAt(Buffer.from(position, "hex"));
      src = rid.slice(0, rid.lastIndexOf(".")) as Src;
    }
    return ridOf(src, offsetAt(position));
  };
}
const offsetAt = (position: string): number => Number.parseInt(position.slice(sourceDigits), 16);
const bytesAt = (row: Row, place: string): Uint8Array => Buffer.from(text(row, place), "hex");

function rowReader() {
  const rid = ridReader();
  const keyOf = (of: string): LogKey => (isText(of) ? (of as LogKey) : rid(of));
  const rowOf = (row: Row): LogRow => ({
    index: integer(row, places.index),
    key: keyOf(text(row, places.key)),
    leafHash: bytesAt(row, places.leafHash),
    entry: optionalText(row, places.entry),
  });
  return {
    rowOf,
    leafOf: (row: Row): LogLeaf => ({ ...rowOf(row), stored: optionalText(row, places.stored) }),
    loggableOf(row: Row): LoggableRecord {
      const position = text(row, loggablePlaces.position);
      return {
        rid: rid(position),
        offset: offsetAt(position),
        entry: text(row, loggablePlaces.entry),
        leafHash: bytesAt(row, loggablePlaces.leafHash),
      };
    },
  };
}

/** Reads at most `limit` in steps, each continued behind the last that was read. */
async function inSteps<T>(
  signal: AbortSignal,
  limit: number,
  step: (count: number, last: T | undefined) => readonly T[],
): Promise<readonly T[]> {
  const all: T[] = [];
  while (all.length < limit) {
    assertWanted(signal);
    const count = Math.min(readStepRows, limit - all.length);
    const some = step(count, all.at(-1));
    all.push(...some);
    if (some.length < count) break;
    await setImmediate();
  }
  return all;
}

function openAppend(db: DatabaseSync, commit: GroupCommit) {
  const insert = db.prepare("INSERT INTO log_index (idx, key, leaf_hash, entry) VALUES (?, ?, ?, ?)");
  const appendStep = (rows: readonly LogRow[]): "done" | "taken" => {
    for (const row of rows) {
      try {
        insert.run(row.index, keyValue(row.key), row.leafHash, row.entry ?? null);
      } catch (error) {
        if (isUniqueViolation(error)) return "taken";
        throw error;
      }
    }
    return "done";
  };
  return async (rows: readonly LogRow[], signal: AbortSignal): Promise<"done" | "taken"> => {
    for (let from = 0; from < rows.length; from += appendStepRows) {
      const step = rows.slice(from, from + appendStepRows);
      if ((await commit(signal, step.length, () => appendStep(step))) === "taken") return "taken";
    }
    return "done";
  };
}

function openRanges(db: DatabaseSync) {
  const { rowOf, leafOf } = rowReader();
  const within = "idx >= ? AND idx < ? ORDER BY idx LIMIT ?";
  const rows = prepareArrays(db, `SELECT ${rowColumns} FROM log_index WHERE ${within}`);
  // What the log keeps beside a record's key is never taken for the record.
  const leaves = prepareArrays(
    db,
    `SELECT ${rowColumns}, iif(typeof(key) = 'text', log_index.entry, records.entry)
    FROM log_index LEFT JOIN records ON records.position = log_index.key WHERE ${within}`,
  );
  const between =
    <T extends LogRow>(statement: StatementSync, of: (row: Row) => T) =>
    (from: number, to: number, signal: AbortSignal): Promise<readonly T[]> =>
      inSteps<T>(signal, Math.min(to - from, logRowsMax), (count, last) =>
        statement.all(last === undefined ? from : last.index + 1, to, count).map(of),
      );
  return { rows: between(rows, rowOf), leaves: between(leaves, leafOf) };
}

function openKeys(db: DatabaseSync) {
  const { rowOf } = rowReader();
  const byKey = db.prepare("SELECT idx FROM log_index WHERE key = ?");
  const lastKey = prepareArrays(
    db,
    `SELECT ${rowColumns} FROM log_index WHERE key >= ? AND key <= ? ORDER BY key DESC LIMIT 1`,
  );
  const keysFrom = (sign: ">=" | ">") =>
    prepareArrays(
      db,
      `SELECT ${rowColumns} FROM log_index WHERE key ${sign} ? AND key < ? ORDER BY key LIMIT ?`,
    );
  const [fromKey, afterKey] = [keysFrom(">="), keysFrom(">")];
  return {
    async indexes(of: readonly LogKey[], signal: AbortSignal): Promise<ReadonlyMap<LogKey, number>> {
      const found = new Map<LogKey, number>();
      for (const [at, one] of of.entries()) {
        if (at % readStepRows === readStepRows - 1) await setImmediate();
        assertWanted(signal);
        const row = byKey.get(keyValue(one));
        if (row !== undefined) found.set(one, integer(row, "idx"));
      }
      return found;
    },
    coverage(src: Src, from: number): LogRow | undefined {
      const row = lastKey.get(coverageKey(src, 0), coverageKey(src, from));
      return row && rowOf(row);
    },
    coverages: (src: Src, from: number, to: number, limit: number, signal: AbortSignal) =>
      inSteps<LogRow>(signal, Math.min(limit, logRowsMax), (count, last) =>
        (last === undefined ? fromKey : afterKey)
          .all(last?.key ?? coverageKey(src, from), coverageKey(src, to), count)
          .map(rowOf),
      ),
  };
}

function openLoggable(db: DatabaseSync) {
  const { loggableOf } = rowReader();
  const statement = prepareArrays(
    db,
    "SELECT hex(position), entry, hex(leaf_hash) FROM records WHERE position >= ? AND position < ? ORDER BY position LIMIT ?",
  );
  return (src: Src, from: number, to: number, limit: number, signal: AbortSignal) => {
    const end = keyValue(ridOf(src, to));
    return inSteps<LoggableRecord>(signal, Math.min(limit, logRowsMax), (count, last) =>
      statement
        .all(keyValue(ridOf(src, last === undefined ? from : last.offset + 1)), end, count)
        .map(loggableOf),
    );
  };
}

export function openLogRows(db: DatabaseSync, commit: GroupCommit) {
  const size = db.prepare("SELECT coalesce(max(idx) + 1, 0) AS size FROM log_index");
  return {
    size: (): number => integer(size.get() ?? {}, "size"),
    append: openAppend(db, commit),
    ...openRanges(db),
    ...openKeys(db),
    loggable: openLoggable(db),
  };
}
