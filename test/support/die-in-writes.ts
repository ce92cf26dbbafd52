/** Loaded into each thread of the service before all else: what the writing thread asks SQLite to do tells the steps of an append. The whole append is one transaction, so all but `replied` come before anything is durable. */
import { DatabaseSync, type StatementResultingChanges, StatementSync } from "node:sqlite";
import { diesAt, type StorePoint } from "./die-at.ts";

const reached = diesAt(new URL(import.meta.url).searchParams.get("at") ?? "");

const pointAfter = (sql: string): StorePoint | undefined => {
  if (sql.startsWith("INSERT INTO records")) return "inserted";
  if (sql.startsWith("UPDATE records SET is_active")) return "deactivated";
  if (/^(INSERT INTO|UPDATE) ownerships/.test(sql)) return "owned";
  return undefined;
};

const run: (this: StatementSync, ...values: never[]) => StatementResultingChanges =
  StatementSync.prototype.run;
const { exec } = DatabaseSync.prototype;
let rows = 0;
StatementSync.prototype.run = function (this: StatementSync, ...values: never[]) {
  const point = pointAfter(this.sourceSQL);
  if (point === "inserted" && rows++ === 0) reached("appending");
  const result = run.apply(this, values);
  if (point !== undefined) reached(point);
  return result;
};
DatabaseSync.prototype.exec = function (sql) {
  exec.call(this, sql);
  if (sql !== "COMMIT") return;
  if (rows > 0) reached("replied");
  rows = 0;
};
