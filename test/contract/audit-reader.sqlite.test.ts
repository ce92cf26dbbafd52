/** The audit reader contract on SQLite, in memory and on a file. */
import { openSqliteStore } from "../../src/adapters/sqlite/open.ts";
import { openSqliteFile } from "../support/sqlite.ts";
import { auditReaderContract } from "./audit-reader.contract.ts";

auditReaderContract("SQLite in memory", () => openSqliteStore({ path: ":memory:" }));
auditReaderContract("SQLite on a file", openSqliteFile);
