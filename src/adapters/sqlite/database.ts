/** The bare file with its settings and schema. A file has one owner, who holds its lock; its threads have a connection each. */
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { isCurrent, migrate, requireCurrent, schemaOf } from "./schema.ts";

export type DatabaseSettings = {
  /** SQLite's page cache; most of the store's memory. */
  readonly cacheBytes: number;
  /** Pages in the write-ahead log before it is folded into the file: more of them, fewer random writes (and a larger log). */
  readonly checkpointPages: number;
  /** How long a write waits for another program that reads or copies the file. */
  readonly busyTimeoutMs: number;
  /** Neither its schema nor its journal is changed. */
  readonly asIs: boolean;
};

/** Three records of usual size lie on a page of 8 KiB, but only one on SQLite's default of 4 KiB: the file is a third smaller and commits cost less. Fixed when the file is made. */
const pageBytes = 8_192;
export const inMemory = ":memory:";
export const defaults: DatabaseSettings = {
  cacheBytes: 128 * 1024 * 1024,
  checkpointPages: 20_000,
  busyTimeoutMs: 5_000,
  asIs: false,
};

function tune(db: DatabaseSync, { cacheBytes, checkpointPages, asIs }: DatabaseSettings): void {
  const cacheKib = Math.floor(cacheBytes / 1024);
  if (!asIs) db.exec(`PRAGMA page_size = ${pageBytes}; PRAGMA journal_mode = WAL;`);
  db.exec(`
    PRAGMA cache_size = -${cacheKib};
    PRAGMA temp_store = MEMORY;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = ${checkpointPages};`);
}

/**
 * An index over a table that is full is sorted first: in files beside the store, where there is room for the index itself, not in memory, and not in
 * the system's folder for such files, which may be small or not writable. SQLite has one such folder for the process: no other thread has a store open yet.
 */
function migrateOnDisk(db: DatabaseSync, path: string, schema: number): void {
  const folder = dirname(path).replaceAll("'", "''");
  db.exec(`PRAGMA temp_store_directory = '${folder}'; PRAGMA temp_store = FILE`);
  migrate(db, schema);
  db.exec("PRAGMA temp_store = MEMORY; PRAGMA temp_store_directory = ''");
}

/** A file that is not for us is refused before anything of it is changed. */
function openOurs(path: string, { busyTimeoutMs, asIs }: DatabaseSettings) {
  const db = new DatabaseSync(path, { timeout: busyTimeoutMs });
  try {
    const schema = schemaOf(db, path);
    if (asIs) requireCurrent(schema, path);
    return { db, schema };
  } catch (error) {
    db.close();
    throw error;
  }
}

/** For who has not locked the file yet. Throws as openDatabase does. */
export const assertOurs = (path: string, settings: DatabaseSettings): void =>
  openOurs(path, settings).db.close();

export function openDatabase(path: string, given: Partial<DatabaseSettings> = {}): DatabaseSync {
  const settings = { ...defaults, ...given };
  const { db, schema } = openOurs(path, settings);
  try {
    tune(db, settings);
    if (path === inMemory) migrate(db, schema);
    else if (!isCurrent(schema)) migrateOnDisk(db, path, schema);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}
