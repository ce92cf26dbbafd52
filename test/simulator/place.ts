/** Where a world's store lies: a SQLite database in memory that can be put back to what it was. */
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { openDatabase } from "../../src/adapters/sqlite/database.ts";
import type { Store } from "../../src/ports/store.ts";
import { storeOver } from "../support/store-over.ts";

export type Backup = readonly (() => void)[];

export type Place = {
  readonly store: Store;
  backUp(): Backup;
  restore(backup: Backup): void;
};

const recordBytesMax = 16 * 1024 * 1024;

export function openPlace(): Place {
  const db = openDatabase(":memory:");
  const tables = db
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
    .all()
    .map(({ name }) => String(name));
  return {
    store: storeOver(db, recordBytesMax),
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
