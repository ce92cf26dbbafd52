/** The embedded store: one SQLite file, one process, synced at every commit. Trusted with what `ports/store` promises. */
import { closeSync, mkdirSync, openSync, realpathSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Store } from "../../ports/store.ts";
import { openAudit } from "./audit.ts";
import { text } from "./columns.ts";
import { storeCall } from "./faults.ts";
import { openGroupCommit } from "./group-commit.ts";
import { openHistory } from "./history.ts";
import { openKeys } from "./keys.ts";
import { lockStore } from "./lock.ts";
import { openLog } from "./log.ts";
import { openRecords } from "./records.ts";
import { migrate } from "./schema.ts";
import { openState } from "./state.ts";

export type SqliteOptions = {
  /** A file, made when absent, or `:memory:`. */
  readonly path: string;
  /** SQLite's page cache; most of the store's memory. */
  readonly cacheBytes?: number;
  /** Pages in the write-ahead log before it is folded into the file: more of them, fewer random writes (and a larger log). */
  readonly checkpointPages?: number;
  /** How long a write waits for another program that reads or copies the file. */
  readonly busyTimeoutMs?: number;
  /** Entry and body of one record; above it the record is refused, as MongoDB would. */
  readonly recordBytesMax?: number;
};

/** Three records of usual size lie on a page of 8 KiB, but only one on SQLite's default of 4 KiB: the file is a third smaller and commits cost less. Fixed when the file is made. */
const pageBytes = 8_192;
const inMemory = ":memory:";
const defaults = {
  cacheBytes: 128 * 1024 * 1024,
  checkpointPages: 20_000,
  busyTimeoutMs: 5_000,
  recordBytesMax: 16 * 1024 * 1024,
};

/** Makes the file for its owner alone (it holds searchable copies in the clear) and tells its one true path, which is what the lock is named after. */
function prepareFile(path: string): string {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, "a", 0o600));
  return realpathSync(path);
}

function tune(db: DatabaseSync, options: { cacheBytes: number; checkpointPages: number }): void {
  const cacheKib = Math.floor(options.cacheBytes / 1024);
  db.exec(`
    PRAGMA page_size = ${pageBytes};
    PRAGMA cache_size = -${cacheKib};
    PRAGMA temp_store = MEMORY;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = ${options.checkpointPages};`);
}

/** The bare file with its settings and schema; a file has one owner, who holds its lock. */
export function openDatabase(path: string, options: Partial<typeof defaults> = {}): DatabaseSync {
  const settings = { ...defaults, ...options };
  const db = new DatabaseSync(path, { timeout: settings.busyTimeoutMs });
  try {
    tune(db, settings);
    migrate(db, path);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Throws STORE_LOCKED, STORE_NEWER, STORE_UNAVAILABLE; CONFIG_INVALID for a file of another program. */
export async function openSqliteStore(options: SqliteOptions): Promise<Store> {
  const { path, ...given } = options;
  const settings = { ...defaults, ...given };
  return storeCall(new AbortController().signal, () => {
    using undo = new DisposableStack();
    const file = path === inMemory ? path : prepareFile(path);
    if (file !== inMemory) undo.use(lockStore(file));
    const db = undo.adopt(openDatabase(file, settings), (open) => open.close());
    const commit = openGroupCommit(db);
    const version = db.prepare("SELECT sqlite_version() AS version").get();
    const faces = {
      records: openRecords(db, commit, settings.recordBytesMax),
      history: openHistory(db),
      keys: openKeys(db, commit),
      state: openState(db),
      audit: openAudit(db),
      log: openLog(db, commit),
      description: `SQLite ${version === undefined ? "" : text(version, "version")}, ${path}`,
    };
    const resources = undo.move();
    return { ...faces, [Symbol.asyncDispose]: async () => resources.dispose() };
  });
}

export type LogFaces = Pick<Store, "log" | "records" | "audit"> &
  AsyncDisposable & {
    /** To be called when the log has caught up: does what would hold up others at a busier time. */
    readonly rest?: () => void;
  };

/** Folds the write-ahead log into the file beside intake, which would otherwise stand still for tens of milliseconds at every 20,000 pages; it finds but the rest to do. */
function foldWal(db: DatabaseSync): void {
  try {
    db.exec("PRAGMA wal_checkpoint(PASSIVE)");
  } catch {
    // Trouble of the file is told by the next write.
  }
}

/** The faces that threads of the log and of a check need, on a connection of its own, in the process that holds the file's lock. Throws STORE_UNAVAILABLE. */
export async function openSqliteLog({
  path,
  cacheBytes,
}: Required<Pick<SqliteOptions, "path" | "cacheBytes">>): Promise<LogFaces> {
  return storeCall(new AbortController().signal, () => {
    const db = openDatabase(path, { cacheBytes });
    const commit = openGroupCommit(db);
    return {
      log: openLog(db, commit),
      records: openRecords(db, commit, defaults.recordBytesMax),
      audit: openAudit(db),
      rest: () => foldWal(db),
      [Symbol.asyncDispose]: async () => db.close(),
    };
  });
}
