/** The search index contract on SQLite, in memory and on a file. */
import { openSqliteStore } from "../../src/adapters/sqlite/open.ts";
import { openSqliteFile } from "../support/sqlite.ts";
import { searchIndexContract } from "./search-index.contract.ts";

searchIndexContract("SQLite in memory", () => openSqliteStore({ path: ":memory:" }));
searchIndexContract("SQLite on a file", openSqliteFile);
