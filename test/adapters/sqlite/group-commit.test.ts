/** Writes of one turn share a commit; each is undone alone, and none is acknowledged before the commit. */

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "@jest/globals";
import { openGroupCommit } from "../../../src/adapters/sqlite/group-commit.ts";
import { temporaryFolder } from "../../support/sqlite.ts";

const signal = new AbortController().signal;
const schema = `
PRAGMA journal_mode = WAL;
CREATE TABLE parents (id INTEGER PRIMARY KEY);
CREATE TABLE rows (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED);`;

/** A file with a table, a way to write to it, and what another connection sees of it. */
function openRows() {
  const folder = temporaryFolder();
  const path = join(folder.path, "rows.db");
  const db = new DatabaseSync(path);
  db.exec(schema);
  const other = new DatabaseSync(path, { readOnly: true });
  const commit = openGroupCommit(db);
  const statements: string[] = [];
  const exec = db.exec.bind(db);
  db.exec = (sql) => {
    if (!sql.startsWith("PRAGMA")) statements.push(sql);
    exec(sql);
  };
  const insert = db.prepare("INSERT INTO rows (id, parent) VALUES (?, ?)");
  return {
    commit,
    /** Transactions begun and ended so far. */
    statements,
    insert: (id: number, parent: number | null = null) => insert.run(id, parent),
    stored: () =>
      other
        .prepare("SELECT id FROM rows ORDER BY id")
        .all()
        .map((row) => row["id"]),
    [Symbol.dispose]: () => {
      other.close();
      db.close();
      folder[Symbol.dispose]();
    },
  };
}

const outcomes = async (writes: readonly Promise<unknown>[]): Promise<readonly string[]> =>
  (await Promise.allSettled(writes)).map(({ status }) => status);

test("writes asked for in one turn of the event loop share one transaction", async () => {
  using rows = openRows();
  const writes = [1, 2, 3].map((id) => rows.commit(signal, 1, () => void rows.insert(id)));
  await Promise.all(writes);
  expect(rows.statements).toEqual(["BEGIN IMMEDIATE", "COMMIT"]);
  expect(rows.stored()).toEqual([1, 2, 3]);
});

test("a write that throws half-way leaves nothing of itself, and the others of its turn are stored", async () => {
  using rows = openRows();
  const failing = () => {
    rows.insert(2);
    throw new Error("half-way");
  };
  const writes = [
    rows.commit(signal, 1, () => void rows.insert(1)),
    rows.commit(signal, 1, failing),
    rows.commit(signal, 1, () => void rows.insert(3)),
  ];
  expect(await outcomes(writes)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(rows.stored()).toEqual([1, 3]);
});

test("nothing is acknowledged before the commit: who hears of success is seen by every other connection", async () => {
  using rows = openRows();
  const seen: unknown[] = [];
  const writes = [1, 2].map(async (id) => {
    await rows.commit(signal, 1, () => {
      rows.insert(id);
      seen.push([...rows.stored()]);
    });
    seen.push([...rows.stored()]);
  });
  await Promise.all(writes);
  expect(seen).toEqual([[], [], [1, 2], [1, 2]]);
});

test("a commit that fails fails all it held, and the next one is not harmed", async () => {
  using rows = openRows();
  const writes = [
    rows.commit(signal, 1, () => void rows.insert(1)),
    rows.commit(signal, 1, () => void rows.insert(2, 77)),
  ];
  expect(await outcomes(writes)).toEqual(["rejected", "rejected"]);
  await rows.commit(signal, 1, () => void rows.insert(3));
  expect(rows.stored()).toEqual([3]);
});

test("a write that was given up while it waited is not done", async () => {
  using rows = openRows();
  const given = new AbortController();
  const writes = [
    rows.commit(given.signal, 1, () => void rows.insert(1)),
    rows.commit(signal, 1, () => void rows.insert(2)),
  ];
  given.abort();
  expect(await outcomes(writes)).toEqual(["rejected", "fulfilled"]);
  expect(rows.stored()).toEqual([2]);
});

test("a transaction holds a bounded number of rows; what is beyond it is written in the next, in order", async () => {
  using rows = openRows();
  const order: number[] = [];
  const writes = [3_000, 900, 900, 5_000].map((count, id) =>
    rows.commit(signal, count, () => {
      rows.insert(id);
      order.push(id);
    }),
  );
  await Promise.all(writes);
  expect(order).toEqual([0, 1, 2, 3]);
  expect(rows.statements.filter((sql) => sql === "COMMIT")).toHaveLength(3);
});
