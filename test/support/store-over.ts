/** The store over a SQLite database that the test holds itself, to look into it and to change it behind the store's back. */
import type { DatabaseSync } from "node:sqlite";
import { openAudit } from "../../src/adapters/sqlite/audit.ts";
import { openGroupCommit } from "../../src/adapters/sqlite/group-commit.ts";
import { openHistory } from "../../src/adapters/sqlite/history.ts";
import { openKeys } from "../../src/adapters/sqlite/keys.ts";
import { openLog } from "../../src/adapters/sqlite/log.ts";
import { openRecords } from "../../src/adapters/sqlite/records.ts";
import { openState } from "../../src/adapters/sqlite/state.ts";
import type { Store } from "../../src/ports/store.ts";

export function storeOver(db: DatabaseSync, recordBytesMax: number): Store {
  const commit = openGroupCommit(db);
  return {
    records: openRecords(db, commit, recordBytesMax),
    history: openHistory(db),
    keys: openKeys(db, commit),
    state: openState(db),
    log: openLog(db, commit),
    audit: openAudit(db),
    description: "SQLite in memory",
    [Symbol.asyncDispose]: async () => db.close(),
  };
}
