/** The log store contract on SQLite, in memory and on a file. */
import { openSqliteStore } from "../../src/adapters/sqlite/open.ts";
import { openSqliteFile } from "../support/sqlite.ts";
import { logStoreContract } from "./log-store.contract.ts";

logStoreContract("SQLite in memory", () => openSqliteStore({ path: ":memory:" }));
logStoreContract("SQLite on a file", openSqliteFile);
