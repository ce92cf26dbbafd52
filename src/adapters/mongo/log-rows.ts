/** Documents of `log_index` and the leaves they stand for. A record's key is its position, as in `records`; other keys are text. */
import { Binary, type Filter } from "mongodb";
import { type Rid, ridOf, type Src } from "../../core/ids.ts";
import {
  coverageKey, type LoggableRecord, type LogKey, type LogLeaf, type LogRow, logRowsMax,
} from "../../ports/log-store.ts"; // biome-ignore format: one line
import { bytesOf, ridKey, ridOfKey } from "./bson-values.ts";
import type { Collections, LogDocument, ReadOptions } from "./collections.ts";
import { isOnlyTaken } from "./errors.ts";

type Key = LogDocument["key"];

const isText = (key: LogKey): boolean => key.startsWith("cov:") || key.startsWith("ctl:");
const keyValue = (key: LogKey): Key => (isText(key) ? key : ridKey(key as Rid));
const keyOf = (key: Key): LogKey => (typeof key === "string" ? (key as LogKey) : ridOfKey(key));

const documentOf = ({ index, key, leafHash, entry }: LogRow): LogDocument => ({
  _id: index,
  key: keyValue(key),
  lh: new Binary(leafHash),
  ...(entry !== undefined && { entry }),
});

const logRow = ({ _id, key, lh, entry }: LogDocument): LogRow => ({
  index: _id,
  key: keyOf(key),
  leafHash: bytesOf(lh),
  entry,
});

/** Ordered; the first chunk in which an index or key is taken is the last. */
export async function appendRows(
  { logIndex }: Collections,
  rows: readonly LogRow[],
  insertMax: number,
  signal: AbortSignal,
): Promise<"done" | "taken"> {
  for (let from = 0; from < rows.length; from += insertMax) {
    signal.throwIfAborted();
    try {
      await logIndex.insertMany(rows.slice(from, from + insertMax).map(documentOf), { ordered: true });
    } catch (error) {
      if (isOnlyTaken(error)) return "taken";
      throw error;
    }
  }
  return "done";
}

export async function logSize({ logIndex }: Collections, options: ReadOptions): Promise<number> {
  const last = await logIndex.findOne({}, { ...options, sort: { _id: -1 }, projection: { _id: 1 } });
  return last === null ? 0 : last._id + 1;
}

const range = (from: number, to: number): Filter<LogDocument> => ({
  _id: { $gte: from, $lt: Math.min(to, from + logRowsMax) },
});

export async function readRows(
  { logIndex }: Collections,
  from: number,
  to: number,
  options: ReadOptions,
): Promise<readonly LogRow[]> {
  const found = await logIndex.find(range(from, to), options).sort({ _id: 1 }).toArray();
  return found.map(logRow);
}

export async function readLeaves(
  collections: Collections,
  from: number,
  to: number,
  options: ReadOptions,
): Promise<readonly LogLeaf[]> {
  const rows = await readRows(collections, from, to, options);
  const positions = rows.filter(({ key }) => !isText(key)).map(({ key }) => ridKey(key as Rid));
  const entries = new Map<LogKey, string>();
  const projection = { _id: 1, entry: 1 } as const;
  for await (const found of collections.records.find({ _id: { $in: positions } }, { ...options, projection }))
    entries.set(ridOfKey(found._id), found.entry);
  return rows.map((row) => ({ ...row, stored: isText(row.key) ? row.entry : entries.get(row.key) }));
}

export async function readIndexes(
  { logIndex }: Collections,
  keys: readonly LogKey[],
  options: ReadOptions,
): Promise<ReadonlyMap<LogKey, number>> {
  if (keys.length === 0) return new Map();
  const found = logIndex.find(
    { key: { $in: keys.map(keyValue) } },
    { ...options, projection: { _id: 1, key: 1 } },
  );
  const indexes = new Map<LogKey, number>();
  for await (const { _id, key } of found) indexes.set(keyOf(key), _id);
  return indexes;
}

export async function lastCoverage(
  { logIndex }: Collections,
  src: Src,
  from: number,
  options: ReadOptions,
): Promise<LogRow | undefined> {
  const upTo = { $gte: coverageKey(src, 0), $lte: coverageKey(src, from) };
  const found = await logIndex.findOne({ key: upTo }, { ...options, sort: { key: -1 } });
  return found === null ? undefined : logRow(found);
}

export async function coverageRows(
  { logIndex }: Collections,
  src: Src,
  [from, to]: readonly [number, number],
  limit: number,
  options: ReadOptions,
): Promise<readonly LogRow[]> {
  const within = { $gte: coverageKey(src, from), $lt: coverageKey(src, to) };
  return (await logIndex.find({ key: within }, options).sort({ key: 1 }).limit(limit).toArray()).map(logRow);
}

export async function loggableRecords(
  { records }: Collections,
  src: Src,
  [from, to]: readonly [number, number],
  limit: number,
  options: ReadOptions,
): Promise<readonly LoggableRecord[]> {
  if (to <= from || limit < 1) return [];
  const within = { $gte: ridKey(ridOf(src, from)), $lt: ridKey(ridOf(src, to)) };
  const found = records
    .find({ _id: within }, { ...options, projection: { _id: 1, entry: 1, leafHash: 1 } })
    .sort({ _id: 1 })
    .limit(Math.min(limit, logRowsMax));
  return (await found.toArray()).map(({ _id, entry, leafHash }) => {
    const rid = ridOfKey(_id);
    return { rid, offset: Number(rid.slice(src.length + 1)), entry, leafHash: bytesOf(leafHash) };
  });
}
