/** One transaction at a time: node:sqlite is synchronous, so nothing comes between BEGIN and COMMIT. */
import type { DatabaseSync } from "node:sqlite";

/** Commits what `work` did, or undoes all of it when `work` or the commit throws. */
export function transaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    db.exec("COMMIT");
    return result;
  } catch (error) {
    // SQLite has rolled back by itself after some faults (disk full, I/O).
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}
