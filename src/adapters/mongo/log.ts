/** The transparency log's store in MongoDB: unique keys and compare-and-set on single documents, nothing else. */
import { Binary } from "mongodb";
import { LastroError } from "../../core/errors.ts";
import { equalHashes } from "../../core/merkle.ts";
import {
  type CheckpointName, controlKey, type LogHead, type LogStore, type PendingControl, type PublishedCheckpoint,
} from "../../ports/log-store.ts"; // biome-ignore format: one line
import { bytesOf } from "./bson-values.ts";
import type { Collections, ReadOptions } from "./collections.ts";
import { guarded } from "./errors.ts";
import { insertAbsent } from "./follow-ups.ts";
import {
  appendRows, coverageRows, lastCoverage, loggableRecords, logSize, readIndexes, readLeaves, readRows,
} from "./log-rows.ts"; // biome-ignore format: one line
import type { Manners } from "./record-store.ts";

const readMaxMs = 20_000;

export function mongoLog(collections: Collections, manners: Pick<Manners, "inTurn" | "insertMax">): LogStore {
  const { inTurn, insertMax } = manners;
  const guard = <T>(doing: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> =>
    guarded(doing, signal, "STORE_UNAVAILABLE", work);
  const reading = <T>(
    doing: string,
    signal: AbortSignal,
    work: (options: ReadOptions) => Promise<T>,
  ): Promise<T> => guard(doing, signal, () => work({ maxTimeMS: readMaxMs, signal }));
  return {
    size: (signal) => reading("read the log's size", signal, (options) => logSize(collections, options)),
    append: (rows, signal) =>
      guard("append to the log", signal, () => appendRows(collections, rows, insertMax, signal)),
    rows: (from, to, signal) =>
      reading("read the log", signal, (options) => readRows(collections, from, to, options)),
    leaves: (from, to, signal) =>
      reading("read leaves", signal, (options) => readLeaves(collections, from, to, options)),
    indexes: (keys, signal) =>
      reading("look up log indexes", signal, (options) => readIndexes(collections, keys, options)),
    coverage: (src, from, signal) =>
      reading("look up coverage", signal, (options) => lastCoverage(collections, src, from, options)),
    coverages: (src, from, to, limit, signal) =>
      reading("read coverage", signal, (options) =>
        coverageRows(collections, src, [from, to], limit, options),
      ),
    loggable: (src, from, to, limit, signal) =>
      reading("read records to log", signal, (options) =>
        loggableRecords(collections, src, [from, to], limit, options),
      ),
    head: (signal) => reading("read the log's head", signal, (options) => readHead(collections, options)),
    moveHead: (from, to, signal) =>
      guard("move the log's head", signal, () => inTurn(() => moveHead(collections, from, to))),
    putTile: ({ level, n }, hashes, signal) =>
      guard("store a tile", signal, () => putTile(collections, level, n, hashes)),
    tile: ({ level, n }, signal) =>
      reading("read a tile", signal, (options) => readTile(collections, level, n, options)),
    checkpoint: (name, signal) =>
      reading("read a checkpoint", signal, (options) => readCheckpoint(collections, name, options)),
    publish: (name, checkpoint, signal) =>
      guard("publish a checkpoint", signal, () => inTurn(() => publish(collections, name, checkpoint))),
    queueControl: (control, signal) =>
      guard("queue a control entry", signal, () => queueControl(collections, control)),
    pendingControls: (limit, signal) =>
      reading("read waiting control entries", signal, (options) =>
        pendingControls(collections, limit, options),
      ),
    lease: (holder, nowMs, untilMs, signal) =>
      guard("take the log's lease", signal, () => inTurn(() => lease(collections, holder, nowMs, untilMs))),
  };
}

async function readHead({ logHead }: Collections, options: ReadOptions): Promise<LogHead | undefined> {
  const found = await logHead.findOne({ _id: "log_head" }, options);
  return found === null ? undefined : { size: found.size, root: bytesOf(found.root) };
}

async function moveHead({ logHead }: Collections, from: LogHead | undefined, to: LogHead): Promise<boolean> {
  const next = { size: to.size, root: new Binary(to.root) };
  if (from === undefined) {
    if ((await logHead.findOne({ _id: "log_head" })) !== null) return false;
    await insertAbsent(logHead, [{ _id: "log_head", ...next }]);
    const stored = await logHead.findOne({ _id: "log_head" });
    return stored?.size === to.size && equalHashes(bytesOf(stored.root), to.root);
  }
  const where = { _id: "log_head", size: from.size, root: new Binary(from.root) } as const;
  return (await logHead.updateOne(where, { $set: next })).matchedCount === 1;
}

const tileId = (level: number, n: number): string => `${level}/${n}`;

async function readTile(
  { logTiles }: Collections,
  level: number,
  n: number,
  options: Partial<ReadOptions>,
): Promise<Uint8Array | undefined> {
  const found = await logTiles.findOne({ _id: tileId(level, n) }, options);
  return found === null ? undefined : bytesOf(found.hashes);
}

async function putTile(
  collections: Collections,
  level: number,
  n: number,
  hashes: Uint8Array,
): Promise<"stored" | "same" | "different"> {
  const before = await readTile(collections, level, n, {});
  if (before === undefined)
    await insertAbsent(collections.logTiles, [{ _id: tileId(level, n), hashes: new Binary(hashes) }]);
  const stored = before ?? (await readTile(collections, level, n, {}));
  if (stored === undefined || !equalHashes(stored, hashes)) return "different";
  return before === undefined ? "stored" : "same";
}

async function readCheckpoint(
  { logCheckpoints }: Collections,
  name: CheckpointName,
  options: Partial<ReadOptions>,
): Promise<PublishedCheckpoint | undefined> {
  const found = await logCheckpoints.findOne({ _id: `log_checkpoint:${name}` }, options);
  if (found === null) return undefined;
  const { size, root, note, signatures } = found;
  return { size, root: bytesOf(root), note, signatures };
}

async function publish(
  collections: Collections,
  name: CheckpointName,
  { size, root, note, signatures }: PublishedCheckpoint,
): Promise<boolean> {
  const { logCheckpoints } = collections;
  const _id = `log_checkpoint:${name}` as const;
  const next = { size, root: new Binary(root), note, signatures };
  for (;;) {
    const before = await readCheckpoint(collections, name, {});
    if (before === undefined) {
      await insertAbsent(logCheckpoints, [{ _id, ...next }]);
      const stored = await readCheckpoint(collections, name, {});
      if (stored?.note === note) return true;
      continue;
    }
    if (before.size === size && !equalHashes(before.root, root))
      throw new LastroError("LOG_HALTED", `the published checkpoint at size ${size} has another root`);
    const isForward = size > before.size || (size === before.size && signatures > before.signatures);
    if (!isForward) return false;
    const where = { _id, size: before.size, signatures: before.signatures };
    if ((await logCheckpoints.replaceOne(where, next)).matchedCount === 1) return true;
  }
}

async function queueControl({ logControls }: Collections, { id, entry }: PendingControl): Promise<void> {
  await insertAbsent(logControls, [{ _id: id, queuedAt: new Date(), entry }]);
}

/** Those that have their index are taken out of the line on the way. */
async function pendingControls(
  collections: Collections,
  limit: number,
  options: ReadOptions,
): Promise<readonly PendingControl[]> {
  const { logControls } = collections;
  for (;;) {
    const found = await logControls.find({}, options).sort({ queuedAt: 1, _id: 1 }).limit(limit).toArray();
    const logged = await readIndexes(
      collections,
      found.map(({ _id }) => controlKey(_id)),
      options,
    );
    const isLogged = ({ _id }: { readonly _id: string }): boolean => logged.has(controlKey(_id));
    const done = found.filter(isLogged);
    if (done.length === 0) return found.map(({ _id, entry }) => ({ id: _id, entry }));
    await logControls.deleteMany({ _id: { $in: done.map(({ _id }) => _id) } });
  }
}

async function lease(
  { logLease }: Collections,
  holder: string,
  nowMs: number,
  untilMs: number,
): Promise<boolean> {
  const free = { $or: [{ holder }, { until: { $lte: nowMs } }] };
  const taken = await logLease.updateOne({ _id: "log_lease", ...free }, { $set: { holder, until: untilMs } });
  if (taken.matchedCount === 1) return true;
  await insertAbsent(logLease, [{ _id: "log_lease", holder, until: untilMs }]);
  return (await logLease.findOne({ _id: "log_lease" }))?.holder === holder;
}
