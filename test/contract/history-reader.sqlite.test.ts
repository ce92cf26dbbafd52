/** The history reader contract on SQLite, in memory and on a file. */
import { openSqliteStore } from "../../src/adapters/sqlite/open.ts";
import { openSqliteFile } from "../support/sqlite.ts";
import { historyReaderContract } from "./history-reader.contract.ts";

historyReaderContract("SQLite in memory", () => openSqliteStore({ path: ":memory:" }), 500);
historyReaderContract("SQLite on a file", openSqliteFile);
