/** Head, tiles, published checkpoints and lease of the log in MongoDB: each moves by a compare-and-set of its own document. */
import { Binary } from "mongodb";
import { LastroError } from "../../core/errors.ts";
import { equalHashes } from "../../core/merkle.ts";
import type { TileId } from "../../core/tiles.ts";
import {
  type CheckpointName, isForward, type LogHead, type PublishedCheckpoint,
} from "../../ports/log-store.ts"; // biome-ignore format: one line
import { bytesOf } from "./bson-values.ts";
import type { Collections, ReadOptions } from "./collections.ts";
import { insertOnce } from "./follow-ups.ts";

const headId = "log_head";
const leaseId = "log_lease" as const;
/** Each attempt but the last met a checkpoint that another publisher put there meanwhile. */
const publishAttemptsMax = 5;

export async function readHead({ logHead }: Collections, options: ReadOptions): Promise<LogHead | undefined> {
  const found = await logHead.findOne({ _id: headId }, options);
  return found === null ? undefined : { size: found.size, root: bytesOf(found.root) };
}

export async function moveHead(
  { logHead }: Collections,
  from: LogHead | undefined,
  to: LogHead,
): Promise<boolean> {
  const next = { size: to.size, root: new Binary(to.root) };
  if (from === undefined) return insertOnce(logHead, { _id: headId, ...next });
  const place = { _id: headId, size: from.size, root: new Binary(from.root) } as const;
  return (await logHead.updateOne(place, { $set: next })).matchedCount === 1;
}

const tileId = ({ level, n }: TileId): string => `${level}/${n}`;

export async function readTile(
  { logTiles }: Collections,
  tile: TileId,
  options: ReadOptions,
): Promise<Uint8Array | undefined> {
  const found = await logTiles.findOne({ _id: tileId(tile) }, options);
  return found === null ? undefined : bytesOf(found.hashes);
}

export async function putTile(
  collections: Collections,
  tile: TileId,
  hashes: Uint8Array,
  options: ReadOptions,
): Promise<"stored" | "same" | "different"> {
  const document = { _id: tileId(tile), hashes: new Binary(hashes) };
  if (await insertOnce(collections.logTiles, document)) return "stored";
  const stored = await readTile(collections, tile, options);
  // In the way of the insert, but not yet on a majority: whether it stays is not known, so nothing may be said of it.
  if (stored === undefined)
    throw new LastroError("STORE_UNAVAILABLE", "another writer's tile is not yet durable; try again");
  return equalHashes(stored, hashes) ? "same" : "different";
}

const checkpointId = (name: CheckpointName) => `log_checkpoint:${name}` as const;

export async function readCheckpoint(
  { logCheckpoints }: Collections,
  name: CheckpointName,
  options: ReadOptions,
): Promise<PublishedCheckpoint | undefined> {
  const found = await logCheckpoints.findOne({ _id: checkpointId(name) }, options);
  if (found === null) return undefined;
  const { size, root, note, signatures } = found;
  return { size, root: bytesOf(root), note, signatures };
}

export async function publish(
  collections: Collections,
  name: CheckpointName,
  next: PublishedCheckpoint,
  options: ReadOptions,
): Promise<boolean> {
  for (let attempt = 0; attempt < publishAttemptsMax; attempt++) {
    options.signal.throwIfAborted();
    const before = await readCheckpoint(collections, name, options);
    if (!isForward(before, next)) return false;
    if (await replaceCheckpoint(collections, name, before, next)) return true;
  }
  throw new LastroError("STORE_UNAVAILABLE", "another process is publishing checkpoints; try again");
}

async function replaceCheckpoint(
  { logCheckpoints }: Collections,
  name: CheckpointName,
  before: PublishedCheckpoint | undefined,
  { size, root, note, signatures }: PublishedCheckpoint,
): Promise<boolean> {
  const _id = checkpointId(name);
  const next = { size, root: new Binary(root), note, signatures };
  if (before === undefined) return insertOnce(logCheckpoints, { _id, ...next });
  const place = { _id, size: before.size, signatures: before.signatures };
  return (await logCheckpoints.updateOne(place, { $set: next })).matchedCount === 1;
}

export async function takeLease(
  { logLease }: Collections,
  holder: string,
  nowMs: number,
  untilMs: number,
): Promise<boolean> {
  const next = { holder, until: untilMs };
  const free = { _id: leaseId, $or: [{ holder }, { until: { $lte: nowMs } }] };
  const { matchedCount } = await logLease.updateOne(free, { $set: next });
  return matchedCount === 1 || insertOnce(logLease, { _id: leaseId, ...next });
}
