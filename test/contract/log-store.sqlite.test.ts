/** The log store contract on SQLite, in memory and on a file. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { positionOf } from "../../src/adapters/sqlite/columns.ts";
import { openSqliteStore } from "../../src/adapters/sqlite/open.ts";
import { openSqliteFile, temporaryFolder } from "../support/sqlite.ts";
import { logDurableContract, type StorePlace } from "./log-durable.contract.ts";
import { logStateContract } from "./log-state.contract.ts";
import { logStoreContract } from "./log-store.contract.ts";

for (const [name, open] of [
  ["SQLite in memory", () => openSqliteStore({ path: ":memory:" })],
  ["SQLite on a file", openSqliteFile],
] as const) {
  logStoreContract(name, open);
  logStateContract(name, open);
}

async function makePlace(): Promise<StorePlace> {
  const folder = temporaryFolder();
  const path = join(folder.path, "lastro.db");
  const change = (work: (db: DatabaseSync) => void): void => {
    const db = new DatabaseSync(path);
    try {
      work(db);
    } finally {
      db.close();
    }
  };
  return {
    open: () => openSqliteStore({ path }),
    overwriteEntry: async (rid, entry) =>
      change((db) => {
        const position = positionOf(rid) ?? null;
        if (entry === undefined) db.prepare("DELETE FROM records WHERE position = ?").run(position);
        else db.prepare("UPDATE records SET entry = ? WHERE position = ?").run(entry, position);
      }),
    removeLogRow: async (index) =>
      change((db) => {
        db.prepare("DELETE FROM log_index WHERE idx = ?").run(index);
      }),
    [Symbol.asyncDispose]: async () => folder[Symbol.dispose](),
  };
}

logDurableContract("SQLite on a file", makePlace);
