/** The transparency log's store in SQLite: what is unique here cannot fork, and what is published only moves forward. */
import type { DatabaseSync } from "node:sqlite";
import { equalHashes } from "../../core/merkle.ts";
import type {
  CheckpointName,
  LogHead,
  LogStore,
  PendingControl,
  PublishedCheckpoint,
} from "../../ports/log-store.ts";
import { controlKey, isForward } from "../../ports/log-store.ts";
import { blob, integer, type Row, text } from "./columns.ts";
import { storeCall } from "./faults.ts";
import type { GroupCommit } from "./group-commit.ts";
import { openLogRows } from "./log-rows.ts";

const headOf = (row: Row): LogHead => ({ size: integer(row, "size"), root: blob(row, "root") });

function openHead(db: DatabaseSync) {
  const read = db.prepare("SELECT size, root FROM log_head WHERE one = 1");
  const begin = db.prepare(
    "INSERT INTO log_head (one, size, root) VALUES (1, ?, ?) ON CONFLICT (one) DO NOTHING",
  );
  const move = db.prepare("UPDATE log_head SET size = ?, root = ? WHERE one = 1 AND size = ? AND root = ?");
  return {
    read(): LogHead | undefined {
      const row = read.get();
      return row && headOf(row);
    },
    move: (from: LogHead | undefined, to: LogHead): boolean =>
      (from === undefined ? begin.run(to.size, to.root) : move.run(to.size, to.root, from.size, from.root))
        .changes === 1,
  };
}

function openTiles(db: DatabaseSync) {
  const read = db.prepare("SELECT hashes FROM log_tiles WHERE level = ? AND n = ?");
  const put = db.prepare(
    "INSERT INTO log_tiles (level, n, hashes) VALUES (?, ?, ?) ON CONFLICT (level, n) DO NOTHING",
  );
  const tile = (level: number, n: number): Uint8Array | undefined => {
    const row = read.get(level, n);
    return row && blob(row, "hashes");
  };
  return {
    tile,
    put(level: number, n: number, hashes: Uint8Array): "stored" | "same" | "different" {
      if (put.run(level, n, hashes).changes === 1) return "stored";
      return equalHashes(tile(level, n) ?? new Uint8Array(0), hashes) ? "same" : "different";
    },
  };
}

function openCheckpoints(db: DatabaseSync) {
  const read = db.prepare("SELECT size, root, note, signatures FROM log_checkpoints WHERE name = ?");
  const write = db.prepare(
    "INSERT OR REPLACE INTO log_checkpoints (name, size, root, note, signatures) VALUES (?, ?, ?, ?, ?)",
  );
  const find = (name: CheckpointName): PublishedCheckpoint | undefined => {
    const row = read.get(name);
    return row && { ...headOf(row), note: text(row, "note"), signatures: integer(row, "signatures") };
  };
  return {
    find,
    publish(name: CheckpointName, next: PublishedCheckpoint): boolean {
      if (!isForward(find(name), next)) return false;
      write.run(name, next.size, next.root, next.note, next.signatures);
      return true;
    },
  };
}

function openControls(db: DatabaseSync) {
  // What the head covers stays logged, whatever happens to rows behind it; so it need not wait any longer.
  const forget = db.prepare(`
    DELETE FROM log_controls WHERE EXISTS (
      SELECT 1 FROM log_index JOIN log_head ON idx < size WHERE log_index.key = log_controls.key)`);
  const queue = db.prepare(
    "INSERT INTO log_controls (id, key, entry) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING",
  );
  const pending = db.prepare(`
    SELECT id, entry FROM log_controls WHERE NOT EXISTS (SELECT 1 FROM log_index WHERE log_index.key = log_controls.key)
    ORDER BY place LIMIT ?`);
  return {
    queue({ id, entry }: PendingControl): void {
      forget.run();
      queue.run(id, controlKey(id), entry);
    },
    pending: (limit: number): readonly PendingControl[] =>
      pending.all(limit).map((row) => ({ id: text(row, "id"), entry: text(row, "entry") })),
  };
}

/** What is written here is written by `commit`, within a transaction. */
export function openLog(db: DatabaseSync, commit: GroupCommit): LogStore {
  const rows = openLogRows(db, commit);
  const head = openHead(db);
  const tiles = openTiles(db);
  const checkpoints = openCheckpoints(db);
  const controls = openControls(db);
  const lease = db.prepare(`
    INSERT INTO log_lease (one, holder, until) VALUES (1, ?1, ?2)
    ON CONFLICT (one) DO UPDATE SET holder = ?1, until = ?2 WHERE holder = ?1 OR until <= ?3`);
  return {
    size: (signal) => storeCall(signal, rows.size),
    append: (added, signal) => storeCall(signal, () => rows.append(added, signal)),
    rows: (from, to, signal) => storeCall(signal, () => rows.rows(from, to, signal)),
    leaves: (from, to, signal) => storeCall(signal, () => rows.leaves(from, to, signal)),
    indexes: (keys, signal) => storeCall(signal, () => rows.indexes(keys, signal)),
    coverage: (src, from, signal) => storeCall(signal, () => rows.coverage(src, from)),
    coverages: (src, from, to, limit, signal) =>
      storeCall(signal, () => rows.coverages(src, from, to, limit, signal)),
    loggable: (src, from, to, limit, signal) =>
      storeCall(signal, () => rows.loggable(src, from, to, limit, signal)),
    head: (signal) => storeCall(signal, head.read),
    moveHead: (from, to, signal) => commit(signal, 1, () => head.move(from, to)),
    putTile: ({ level, n }, hashes, signal) => commit(signal, 1, () => tiles.put(level, n, hashes)),
    tile: ({ level, n }, signal) => storeCall(signal, () => tiles.tile(level, n)),
    checkpoint: (name, signal) => storeCall(signal, () => checkpoints.find(name)),
    publish: (name, checkpoint, signal) => commit(signal, 1, () => checkpoints.publish(name, checkpoint)),
    queueControl: (control, signal) => commit(signal, 1, () => controls.queue(control)),
    pendingControls: (limit, signal) => storeCall(signal, () => controls.pending(limit)),
    lease: (holder, nowMs, untilMs, signal) =>
      commit(signal, 1, () => lease.run(holder, untilMs, nowMs).changes === 1),
  };
}
