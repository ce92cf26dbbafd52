/** One transaction at a time: node:sqlite is synchronous, so nothing comes between BEGIN and COMMIT. */
import type { DatabaseSync } from "node:sqlite";

/** Runs what only reads: all of it sees the same state, and the file is looked at once instead of for each statement. */
export function openSnapshot(db: DatabaseSync): <T>(read: () => T) => T {
  const [begin, commit] = [db.prepare("BEGIN"), db.prepare("COMMIT")];
  return (read) => {
    if (db.isTransaction) return read();
    begin.run();
    try {
      return read();
    } finally {
      commit.run();
    }
  };
}

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
