/** A transaction takes its turn among the threads that write the same file. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Worker } from "node:worker_threads";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { transaction } from "../../../src/adapters/sqlite/transaction.ts";

let folder: string;
let path: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lastro-transaction-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
beforeEach(() => {
  path = join(folder, `${++files}.db`);
  using db = new DatabaseSync(path);
  db.exec("PRAGMA journal_mode = WAL; CREATE TABLE turns (who TEXT)");
});

const write = (db: DatabaseSync, who: string) =>
  transaction(db, () => db.prepare("INSERT INTO turns VALUES (?)").run(who));
const turns = (db: DatabaseSync) =>
  db
    .prepare("SELECT who FROM turns ORDER BY rowid")
    .all()
    .map(({ who }) => who);
const waitOf = (db: DatabaseSync) => db.prepare("PRAGMA busy_timeout").get()?.["timeout"];

/** A thread that has begun to write, and commits after so long. */
async function otherThread(commitMs: number): Promise<Worker> {
  const program = `
    const { parentPort, workerData } = require("node:worker_threads");
    const { DatabaseSync } = require("node:sqlite");
    const db = new DatabaseSync(workerData.path);
    db.exec("BEGIN IMMEDIATE; INSERT INTO turns VALUES ('other')");
    parentPort.postMessage("begun");
    setTimeout(() => db.exec("COMMIT"), workerData.commitMs);`;
  const thread = new Worker(program, { eval: true, workerData: { path, commitMs } });
  await once(thread, "message");
  return thread;
}

test("it waits for another thread's to end, and the connection waits for anything else as before", async () => {
  using db = new DatabaseSync(path, { timeout: 20_000 });
  const thread = await otherThread(50);
  write(db, "own");
  expect(turns(db)).toEqual(["other", "own"]);
  expect(waitOf(db)).toBe(20_000);
  await thread.terminate();
});

test("it gives up once the connection's time for waiting is over, and the next one has its turn", async () => {
  using db = new DatabaseSync(path, { timeout: 30 });
  using other = new DatabaseSync(path);
  other.exec("BEGIN IMMEDIATE");
  expect(() => write(db, "own")).toThrow(/locked/);
  expect([waitOf(db), turns(db)]).toEqual([30, []]);
  other.exec("COMMIT");
  write(db, "own");
  expect(turns(db)).toEqual(["own"]);
});

test("what is no question of turns is thrown at once", () => {
  using db = new DatabaseSync(path, { readOnly: true, timeout: 20_000 });
  expect(() => write(db, "own")).toThrow(/readonly/);
  expect(waitOf(db)).toBe(20_000);
});
