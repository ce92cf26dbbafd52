/** Where a world's store lies: a SQLite database in memory that can be put back to what it was. */
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { openAudit } from "../../src/adapters/sqlite/audit.ts";
import { openGroupCommit } from "../../src/adapters/sqlite/group-commit.ts";
import { openHistory } from "../../src/adapters/sqlite/history.ts";
import { openKeys } from "../../src/adapters/sqlite/keys.ts";
import { openLog } from "../../src/adapters/sqlite/log.ts";
import { openDatabase } from "../../src/adapters/sqlite/open.ts";
import { openRecords } from "../../src/adapters/sqlite/records.ts";
import { openState } from "../../src/adapters/sqlite/state.ts";
import type { Store } from "../../src/ports/store.ts";

export type Backup = readonly (() => void)[];

export type Place = {
  readonly store: Store;
  backUp(): Backup;
  restore(backup: Backup): void;
};

const recordBytesMax = 16 * 1024 * 1024;

export function openPlace(): Place {
  const db = openDatabase(":memory:");
  const commit = openGroupCommit(db);
  const tables = db
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
    .all()
    .map(({ name }) => String(name));
  return {
    store: {
      records: openRecords(db, commit, recordBytesMax),
      history: openHistory(db),
      keys: openKeys(db, commit),
      state: openState(db),
      log: openLog(db, commit),
      audit: openAudit(db),
      description: "SQLite in memory",
      [Symbol.asyncDispose]: async () => db.close(),
    },
    backUp: () => tables.map((table) => backUpTable(db, table)),
    restore(backup) {
      for (const put of backup) put();
    },
  };
}

function backUpTable(db: DatabaseSync, table: string): () => void {
  const rows = db.prepare(`SELECT * FROM ${table}`).all();
  return () => {
    db.exec(`DELETE FROM ${table}`);
    for (const row of rows) {
      const values = Object.values(row) as SQLInputValue[];
      db.prepare(`INSERT INTO ${table} VALUES (${values.map(() => "?").join(", ")})`).run(...values);
    }
  };
}
