/** The key store contract on SQLite, in memory and on a file. */
import { openSqliteStore } from "../../src/adapters/sqlite/open.ts";
import { openSqliteFile } from "../support/sqlite.ts";
import { keyStoreContract } from "./key-store.contract.ts";

keyStoreContract("SQLite in memory", () => openSqliteStore({ path: ":memory:" }));
keyStoreContract("SQLite on a file", openSqliteFile);
