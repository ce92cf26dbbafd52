/** Points at which a test ends the service, beside those the service tells of itself: what SQLite and Kafka's client are asked to do tells them. */
import { DatabaseSync, type StatementResultingChanges, StatementSync } from "node:sqlite";
import { Producer } from "@platformatic/kafka";
import type { IntakePoint, LogPoint } from "../../src/ports/observer.ts";

/** Steps of one append: before the first row, with rows written and no reply, with the reply on its way back, and behind each follow-up. */
export const storePoints = ["appending", "inserted", "replied", "deactivated", "owned"] as const;
export type StorePoint = (typeof storePoints)[number];
/** `lettering`: dead letters were handed to Kafka, which has not acknowledged them. */
export type DyingPoint = IntakePoint | LogPoint | StorePoint | "lettering";

type Reached = (point: DyingPoint) => void;

const pointAfter = (sql: string): StorePoint | undefined => {
  if (sql.startsWith("INSERT INTO records")) return "inserted";
  if (sql.startsWith("UPDATE records SET is_active")) return "deactivated";
  if (/^(INSERT INTO|UPDATE) ownerships/.test(sql)) return "owned";
  return undefined;
};

/** In SQLite the whole append is one transaction, so all but `replied` come before anything is durable. */
export function watchSqlite(reached: Reached): void {
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
}

export function watchLetters(reached: Reached): void {
  const { send } = Producer.prototype;
  Producer.prototype.send = function (...options: Parameters<typeof send>) {
    const sent = send.apply(this, options);
    setImmediate(() => reached("lettering"));
    return sent;
  };
}
