/** The embedded store: one SQLite file, one process, synced at every commit. Trusted with what `ports/store` promises. */
import { closeSync, mkdirSync, openSync, realpathSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { Store } from "../../ports/store.ts";
import { openAudit } from "./audit.ts";
import { text } from "./columns.ts";
import { assertOurs, type DatabaseSettings, defaults, inMemory, openDatabase } from "./database.ts";
import { storeCall } from "./faults.ts";
import { type GroupCommit, openGroupCommit } from "./group-commit.ts";
import { openHistory } from "./history.ts";
import { readKeys, writeKeys } from "./keys.ts";
import { lockStore } from "./lock.ts";
import { openLog } from "./log.ts";
import { type RecordReads, readRecords } from "./records.ts";
import { writesInThread } from "./run-write-thread.ts";
import { openSearchIndex } from "./search-index.ts";
import { readState, writeState } from "./state.ts";
import { openWrites, type Writes } from "./writes.ts";

export type SqliteOptions = Partial<DatabaseSettings> & {
  /** A file, made when absent, or `:memory:`. */
  readonly path: string;
  /** Entry and body of one record; above it the record is refused, as MongoDB would. */
  readonly recordBytesMax?: number;
};

const recordBytesDefault = 16 * 1024 * 1024;
/** Of the page cache: each commit of the thread that writes empties the part for reading. */
const readShare = 0.25;

/** Makes the file for its owner alone: it holds searchable copies in the clear. */
function makeFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, "a", 0o600));
}

/** Reads on this connection; writes of the log too, which the service leaves to the log's thread. */
export const facesOver = (
  db: DatabaseSync,
  commit: GroupCommit,
  { records, keys, state }: Writes,
): Omit<Store, "description" | typeof Symbol.asyncDispose> => ({
  records: { ...readRecords(db), ...records },
  history: openHistory(db),
  keys: { ...readKeys(db), ...keys },
  state: { ...readState(db), ...state },
  audit: openAudit(db),
  log: openLog(db, commit),
  index: openSearchIndex(db, commit),
});

/** Throws STORE_LOCKED, STORE_NEWER, STORE_UNAVAILABLE; CONFIG_INVALID for a file of another program; as it is also NOT_FOUND, and FAILED_PRECONDITION for an older schema. */
export async function openSqliteStore(options: SqliteOptions): Promise<Store> {
  const { path, recordBytesMax = recordBytesDefault, ...given } = options;
  const settings = { ...defaults, ...given };
  const withCache = (share: number) => ({ ...settings, cacheBytes: share * settings.cacheBytes });
  return storeCall(new AbortController().signal, async () => {
    await using undo = new AsyncDisposableStack();
    if (path !== inMemory && !settings.asIs) makeFile(path);
    // Its one true path is what the lock is named after.
    const file = path === inMemory ? path : realpathSync(path);
    if (file !== inMemory) {
      assertOurs(file, settings);
      undo.use(lockStore(file));
    }
    const db = undo.adopt(openDatabase(file, withCache(file === inMemory ? 1 : readShare)), (open) =>
      open.close(),
    );
    const commit = openGroupCommit(db);
    const writes =
      file === inMemory
        ? openWrites(db, commit, recordBytesMax)
        : undo.use(writesInThread({ path: file, recordBytesMax, settings: withCache(1 - readShare) }));
    const version = db.prepare("SELECT sqlite_version() AS version").get();
    const description = `SQLite ${version === undefined ? "" : text(version, "version")}, ${path}`;
    const faces = facesOver(db, commit, writes);
    const resources = undo.move();
    return { ...faces, description, [Symbol.asyncDispose]: () => resources.disposeAsync() };
  });
}

export type LogFaces = Pick<Store, "log" | "audit" | "history" | "index" | "keys" | "state"> &
  AsyncDisposable & {
    readonly records: RecordReads;
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
  ...settings
}: Pick<SqliteOptions, "path" | "cacheBytes" | "asIs">): Promise<LogFaces> {
  return storeCall(new AbortController().signal, () => {
    const db = openDatabase(path, settings);
    const commit = openGroupCommit(db);
    return {
      log: openLog(db, commit),
      records: readRecords(db),
      audit: openAudit(db),
      history: openHistory(db),
      index: openSearchIndex(db, commit),
      keys: { ...readKeys(db), ...writeKeys(db, commit) },
      state: { ...readState(db), ...writeState(db) },
      rest: () => foldWal(db),
      [Symbol.asyncDispose]: async () => db.close(),
    };
  });
}
