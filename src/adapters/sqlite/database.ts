/** The bare file with its settings and schema. A file has one owner, who holds its lock; its threads have a connection each. */
import { DatabaseSync } from "node:sqlite";
import { migrate } from "./schema.ts";

export type DatabaseSettings = {
  /** SQLite's page cache; most of the store's memory. */
  readonly cacheBytes: number;
  /** Pages in the write-ahead log before it is folded into the file: more of them, fewer random writes (and a larger log). */
  readonly checkpointPages: number;
  /** How long a write waits for another program that reads or copies the file. */
  readonly busyTimeoutMs: number;
};

/** Three records of usual size lie on a page of 8 KiB, but only one on SQLite's default of 4 KiB: the file is a third smaller and commits cost less. Fixed when the file is made. */
const pageBytes = 8_192;
export const defaults: DatabaseSettings = {
  cacheBytes: 128 * 1024 * 1024,
  checkpointPages: 20_000,
  busyTimeoutMs: 5_000,
};

function tune(db: DatabaseSync, { cacheBytes, checkpointPages }: DatabaseSettings): void {
  const cacheKib = Math.floor(cacheBytes / 1024);
  db.exec(`
    PRAGMA page_size = ${pageBytes};
    PRAGMA cache_size = -${cacheKib};
    PRAGMA temp_store = MEMORY;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = ${checkpointPages};`);
}

export function openDatabase(path: string, given: Partial<DatabaseSettings> = {}): DatabaseSync {
  const settings = { ...defaults, ...given };
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
