/** The record store contract on SQLite, in memory and on a file. */
import { openSqliteStore } from "../../src/adapters/sqlite/open.ts";
import { openSqliteFile } from "../support/sqlite.ts";
import { recordStoreContract } from "./record-store.contract.ts";

recordStoreContract("SQLite in memory", () => openSqliteStore({ path: ":memory:" }));
recordStoreContract("SQLite on a file", openSqliteFile);
