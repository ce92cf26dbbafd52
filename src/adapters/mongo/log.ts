/** The transparency log's store in MongoDB: unique keys and compare-and-set on single documents, nothing else. */
import type { LogStore } from "../../ports/log-store.ts";
import { type Collections, type ReadOptions, readMaxMs } from "./collections.ts";
import { guarded } from "./errors.ts";
import { pendingControls, queueControl } from "./log-controls.ts";
import {
  appendRows, coverageRows, lastCoverage, loggableRecords, logSize, readIndexes, readLeaves, readRows,
} from "./log-rows.ts"; // biome-ignore format: one line
import { moveHead, publish, putTile, readCheckpoint, readHead, readTile, takeLease } from "./log-state.ts";
import type { Manners } from "./record-store.ts";

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
    putTile: (tile, hashes, signal) =>
      reading("store a tile", signal, (options) => putTile(collections, tile, hashes, options)),
    tile: (tile, signal) => reading("read a tile", signal, (options) => readTile(collections, tile, options)),
    checkpoint: (name, signal) =>
      reading("read a checkpoint", signal, (options) => readCheckpoint(collections, name, options)),
    publish: (name, checkpoint, signal) =>
      reading("publish a checkpoint", signal, (options) =>
        inTurn(() => publish(collections, name, checkpoint, options)),
      ),
    queueControl: (control, signal) =>
      reading("put a control entry in line", signal, (options) =>
        queueControl(collections, control, options),
      ),
    pendingControls: (limit, signal) =>
      reading("read waiting control entries", signal, (options) =>
        pendingControls(collections, limit, options),
      ),
    lease: (holder, nowMs, untilMs, signal) =>
      guard("take the log's lease", signal, () =>
        inTurn(() => takeLease(collections, holder, nowMs, untilMs)),
      ),
  };
}
