/** The store over a SQLite database that the test holds itself, to look into it and to change it behind the store's back. */
import type { DatabaseSync } from "node:sqlite";
import { openGroupCommit } from "../../src/adapters/sqlite/group-commit.ts";
import { facesOver } from "../../src/adapters/sqlite/open.ts";
import { openWrites } from "../../src/adapters/sqlite/writes.ts";
import type { Store } from "../../src/ports/store.ts";

export function storeOver(db: DatabaseSync, recordBytesMax: number): Store {
  const commit = openGroupCommit(db);
  return {
    ...facesOver(db, commit, openWrites(db, commit, recordBytesMax)),
    description: "SQLite in memory",
    [Symbol.asyncDispose]: async () => db.close(),
  };
}
