/** The store state contract on SQLite, in memory and on a file. */
import { openSqliteStore } from "../../src/adapters/sqlite/open.ts";
import { openSqliteFile } from "../support/sqlite.ts";
import { storeStateContract } from "./store-state.contract.ts";

storeStateContract("SQLite in memory", () => openSqliteStore({ path: ":memory:" }));
storeStateContract("SQLite on a file", openSqliteFile);
