/** Trouble of the store is STORE_UNAVAILABLE and leaves nothing half done; only what one row holds makes it refused. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "@jest/globals";
import { openSqliteStore } from "../../../src/adapters/sqlite/open.ts";
import { makeScene } from "../../support/records.ts";
import { temporaryFolder } from "../../support/sqlite.ts";

const signal = new AbortController().signal;

/** A store and another program's connection to the same file. */
async function openBeside() {
  const folder = temporaryFolder();
  const path = join(folder.path, "lastro.db");
  const store = await openSqliteStore({ path, busyTimeoutMs: 20 });
  await store.records.probe(signal);
  const other = new DatabaseSync(path, { timeout: 0 });
  return {
    store,
    other,
    [Symbol.asyncDispose]: async () => {
      other.close();
      await store[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

test("while another program holds the write lock the store is unavailable, and takes the same batch afterwards", async () => {
  await using beside = await openBeside();
  const scene = makeScene();
  const batch = scene.batch({ records: [scene.record({ offset: 0 })], account: scene.step(0, 1) });
  beside.other.exec("BEGIN IMMEDIATE");
  await expect(beside.store.records.append(batch, signal)).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
    message: expect.stringContaining("locked"),
  });
  expect(await beside.store.history.byRid(scene.rid(0), signal)).toBeUndefined();
  beside.other.exec("ROLLBACK");
  expect(await beside.store.records.append(batch, signal)).toEqual({ kind: "done" });
});

test("a fault after the records were inserted undoes the records as well", async () => {
  await using beside = await openBeside();
  const scene = makeScene();
  beside.other.exec(
    "CREATE TRIGGER fault BEFORE INSERT ON accounts BEGIN SELECT * FROM a_table_that_is_gone; END",
  );
  const records = [scene.record({ offset: 0 }), scene.record({ offset: 1 })];
  const batch = scene.batch({ records, ownerships: [scene.facts("ana")], account: scene.step(0, 2) });
  await expect(beside.store.records.append(batch, signal)).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
  });
  expect(await beside.store.records.find([scene.rid(0), scene.rid(1)], [], signal)).toEqual([]);
  expect(await beside.store.history.ownership(scene.ownership("ana"), signal)).toBeUndefined();
  beside.other.exec("DROP TRIGGER fault");
  expect(await beside.store.records.append(batch, signal)).toEqual({ kind: "done" });
});

test("a row that a rule of the store refuses is named; the rows before it stay", async () => {
  await using beside = await openBeside();
  const scene = makeScene();
  beside.other.exec(
    "CREATE TRIGGER rule BEFORE INSERT ON records WHEN new.version = 2 BEGIN SELECT raise(ABORT, 'no'); END",
  );
  const records = [0, 1, 2].map((offset) => scene.record({ offset }));
  expect(await beside.store.records.append(scene.batch({ records }), signal)).toMatchObject({
    kind: "refused",
    at: 1,
  });
  const known = await beside.store.records.find(records.map((r) => r.rid), [], signal); // biome-ignore format: short
  expect(known.map((k) => k.version)).toEqual([1]);
});

test("a call whose signal was aborted before it began writes nothing", async () => {
  await using store = await openSqliteStore({ path: ":memory:" });
  const scene = makeScene();
  const batch = scene.batch({ records: [scene.record({ offset: 0 })] });
  await expect(store.records.append(batch, AbortSignal.abort())).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
  });
  expect(await store.state.isEmpty(signal)).toBe(true);
});
