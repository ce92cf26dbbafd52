/** One transaction at a time: node:sqlite is synchronous, so nothing comes between BEGIN and COMMIT. */
import type { DatabaseSync } from "node:sqlite";
import { isBusy } from "./faults.ts";

/** SQLite itself looks again after up to 100 ms: another thread's turn of a few is long over then, and its next may have begun. */
const lookMs = 1;
const asleep = new Int32Array(new SharedArrayBuffer(4));

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
  begin(db);
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

/** Waits for its turn as long as the connection waits for anything. */
function begin(db: DatabaseSync): void {
  const waitMs = Number(db.prepare("PRAGMA busy_timeout").get()?.["timeout"]);
  const endMs = performance.now() + waitMs;
  db.exec("PRAGMA busy_timeout = 0");
  try {
    while (!hasBegun(db, performance.now() < endMs)) Atomics.wait(asleep, 0, 0, lookMs);
  } finally {
    db.exec(`PRAGMA busy_timeout = ${waitMs}`);
  }
}

function hasBegun(db: DatabaseSync, mayWait: boolean): boolean {
  try {
    db.exec("BEGIN IMMEDIATE");
    return true;
  } catch (error) {
    if (mayWait && isBusy(error)) return false;
    throw error;
  }
}
