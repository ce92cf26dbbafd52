/** What only a file can promise: it survives closing and killing, belongs to one process, and is not opened by a program that is too old. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { expect, test } from "@jest/globals";
import { openSqliteLog, openSqliteStore } from "../../../src/adapters/sqlite/open.ts";
import type { Src } from "../../../src/core/ids.ts";
import { allOf } from "../../support/filters.ts";
import { makeScene, startMs } from "../../support/records.ts";
import { temporaryFolder } from "../../support/sqlite.ts";

const signal = new AbortController().signal;
const opener = join(import.meta.dirname, "old-file.ts");
const appender = join(import.meta.dirname, "appender.ts");

/** The file as another program sees it. */
function inspect<T>(path: string, work: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(path);
  try {
    return work(db);
  } finally {
    db.close();
  }
}

test("what was stored is there after closing and opening again", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "deep", "lastro.db");
  const scene = makeScene();
  {
    await using store = await openSqliteStore({ path });
    const records = [scene.record({ offset: 0 }), scene.record({ offset: 1 })];
    await store.records.append(scene.batch({ records, account: scene.step(0, 2) }), signal);
  }
  await using store = await openSqliteStore({ path });
  expect(await store.records.mark(scene.src, signal)).toBe(2);
  expect((await store.history.byRid(scene.rid(1), signal))?.entry).toBe(scene.record({ offset: 1 }).entry);
  expect(store.description).toMatch(/^SQLite 3\.\d+\.\d+, .*lastro\.db$/);
});

test("the file is readable by its owner alone, and has pages of 8 KiB", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "lastro.db");
  await using _ = await openSqliteStore({ path });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(inspect(path, (db) => db.prepare("PRAGMA page_size").get())).toEqual({ page_size: 8_192 });
});

test("a second opener is told that the file is taken, and gets it once the first is closed", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "lastro.db");
  const first = await openSqliteStore({ path });
  await expect(openSqliteStore({ path })).rejects.toMatchObject({
    code: "STORE_LOCKED",
    message: expect.stringContaining(path),
  });
  await first[Symbol.asyncDispose]();
  await first[Symbol.asyncDispose]();
  await using again = await openSqliteStore({ path });
  await again.records.probe(signal);
});

test("a file of a newer release and a file of another program are refused, unchanged to the byte, and nothing is laid beside them", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "lastro.db");
  await (await openSqliteStore({ path }))[Symbol.asyncDispose]();
  inspect(path, (db) => db.exec("PRAGMA user_version = 999; PRAGMA journal_mode = DELETE"));
  const foreign = join(folder.path, "theirs", "foreign.db");
  mkdirSync(dirname(foreign));
  inspect(foreign, (db) => db.exec("CREATE TABLE theirs (x)"));
  const before = [path, foreign].map((one) => readFileSync(one));
  await expect(openSqliteStore({ path })).rejects.toMatchObject({ code: "STORE_NEWER" });
  await expect(openSqliteStore({ path: foreign })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  expect([path, foreign].map((one) => readFileSync(one))).toEqual(before);
  expect(readdirSync(dirname(foreign))).toEqual(["foreign.db"]);
});

test("a file from before the log keeps its records when it gets the log's tables, and they wait for the log as any other", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "lastro.db");
  const scene = makeScene();
  const records = [scene.record({ offset: 4 }), scene.record({ offset: 5 })];
  {
    await using store = await openSqliteStore({ path });
    await store.records.append(scene.batch({ records, account: scene.step(4, 6) }), signal);
  }
  // Schema 1 is what is left when the later ones take away what they added.
  const added = inspect(path, (db) => {
    const tables = db
      .prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND (name LIKE 'log\\_%' ESCAPE '\\' OR name IN ('search_index', 'terms', 'texts', 'summary_blocks'))",
      )
      .all();
    for (const { name } of tables) db.exec(`DROP TABLE ${name}`);
    db.exec("PRAGMA user_version = 1");
    return tables.length;
  });
  expect(added).toBe(10);
  await using store = await openSqliteStore({ path });
  expect((await store.history.byRid(scene.rid(5), signal))?.entry).toBe(records[1]?.entry);
  expect(await store.records.sources(signal)).toEqual([{ src: scene.src, begin: 4, mark: 6 }]);
  const waiting = await store.log.loggable(scene.src, 0, 9, 9, signal);
  expect(waiting.map(({ rid }) => rid)).toEqual(records.map(({ rid }) => rid));
  const rows = waiting.map(({ rid: key, leafHash }, index) => ({ index, key, leafHash, entry: undefined }));
  expect(await store.log.append(rows, signal)).toBe("done");
  expect((await store.log.leaves(0, 2, signal)).map((leaf) => leaf.stored)).toEqual(
    records.map(({ entry }) => entry),
  );
});

test("R-10 a file whose index leaves out records without ownership gives them in the order of ownerships once it is opened", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "lastro.db");
  const scene = makeScene();
  const records = [undefined, "o-1", undefined].map((ownershipId, offset) =>
    scene.record({ offset, entity: `e-${offset}`, projection: { ownershipId } }),
  );
  {
    await using store = await openSqliteStore({ path });
    await store.records.append(scene.batch({ records }), signal);
  }
  inspect(path, (db) =>
    db.exec(`DROP INDEX records_by_ownership; PRAGMA user_version = 3;
      CREATE INDEX records_by_ownership ON records (ownership_id, recorded_at) WHERE ownership_id IS NOT NULL`),
  );
  await using store = await openSqliteStore({ path });
  const order = { field: "ownership_id", direction: "desc" } as const;
  const search = { filter: allOf(), order, after: undefined, limit: 9, scanMax: 9 };
  const { rows } = await store.history.search(search, signal);
  expect(rows.map(({ rid }) => rid)).toEqual([1, 2, 0].map((offset) => scene.rid(offset)));
});

/** Sorted in memory they take 48 MiB, on disk 5. */
const sortedRows = 1_000_000;

test("a file of an older schema gets its index by a sort on disk, whatever its size: not in memory, and no file is left", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "it's", "lastro.db");
  await (await openSqliteStore({ path }))[Symbol.asyncDispose]();
  inspect(path, (db) => {
    const indexes = db
      .prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'records' AND sql IS NOT NULL",
      )
      .all();
    for (const { name } of indexes) db.exec(`DROP INDEX ${name}`);
    db.exec(`PRAGMA synchronous = OFF;
      WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ${sortedRows})
      INSERT INTO records (position, uid, stream, kind, version, alias, action, recorded_at, is_active, action_at, aside, kids, leaf_hash, entry, body)
      SELECT CAST(printf('%016d', n) AS BLOB), n, x'00', 0, n, x'00', 'new', n * 7919 % ${sortedRows}, 0, 0, '', x'', x'', '', x'' FROM c;
      CREATE INDEX records_by_ownership ON records (ownership_id, recorded_at) WHERE ownership_id IS NOT NULL;
      PRAGMA user_version = 3`);
  });
  const cacheBytes = 1024 * 1024;
  const { stdout } = await promisify(execFile)(process.execPath, [opener, path, String(cacheBytes)]);
  const { grownKib, temp_store } = JSON.parse(stdout);
  expect(grownKib).toBeLessThan(20 * 1024);
  expect(temp_store).toBe(2);
  expect(readdirSync(dirname(path)).sort()).toEqual(["lastro.db", "lastro.db.lock"]);
}, 60_000);

test("a closed store is unavailable, not broken", async () => {
  const store = await openSqliteStore({ path: ":memory:" });
  await store[Symbol.asyncDispose]();
  await expect(store.records.probe(signal)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
});

test("R-05 a process killed in the middle of appending leaves whole batches, each with its account, and no lock", async () => {
  for (const batchesBeforeKill of [1, 2, 5, 9]) {
    using folder = temporaryFolder();
    const path = join(folder.path, "lastro.db");
    const child = spawn(process.execPath, [appender, path], { stdio: ["ignore", "pipe", "inherit"] });
    const exited = once(child, "exit");
    let told = 0;
    let batches = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      told = Number(line);
      batches += 1;
      if (batches === 1)
        await expect(openSqliteStore({ path })).rejects.toMatchObject({ code: "STORE_LOCKED" });
      if (batches >= batchesBeforeKill) child.kill("SIGKILL");
    }
    await exited;
    await using store = await openSqliteStore({ path });
    const [source] = await store.records.sources(signal);
    const mark = source?.mark ?? 0;
    expect(mark).toBeGreaterThanOrEqual(told);
    expect(mark % 200).toBe(0);
    const stored = inspect(path, (db) => db.prepare("SELECT count(*) AS n FROM records").get());
    expect(stored?.["n"]).toBe(mark);
    const { counts } = await store.records.counts(source?.src ?? ("" as Src), 0, mark, signal);
    expect(counts.stored).toBe(mark);
  }
});

test("a lost mark leaves no trace of the batch: neither records nor follow-ups", async () => {
  await using store = await openSqliteStore({ path: ":memory:" });
  const scene = makeScene();
  await store.records.account(scene.step(0, 5), signal);
  const batch = scene.batch({
    records: [scene.record({ offset: 3 })],
    ownerships: [scene.facts("ana")],
    account: scene.step(3, 6, [scene.gap(4, 6)]),
  });
  expect(await store.records.append(batch, signal)).toEqual({ kind: "mark_lost" });
  expect(await store.history.byRid(scene.rid(3), signal)).toBeUndefined();
  expect(await store.history.ownership(scene.ownership("ana"), signal)).toBeUndefined();
});

test("account entries are extended while younger than 60 s and shorter than 10,000 offsets, then closed: a chain without holes", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "lastro.db");
  const scene = makeScene();
  {
    await using store = await openSqliteStore({ path });
    const steps = [[0, 4, 0], [4, 8, 59_999], [8, 9, 60_000], [9, 10_007, 60_001], [10_007, 10_008, 60_002], [10_008, 10_009, 60_003]] as const; // biome-ignore format: a table
    for (const [from, to, age] of steps) {
      expect(await store.records.account(scene.step(from, to, [], startMs + age), signal)).toBe("done");
    }
  }
  const entries = inspect(path, (db) => db.prepare("SELECT * FROM accounts ORDER BY begin_offset").all());
  expect(entries.map((e) => [e["begin_offset"], e["end_offset"], e["begun_at"]])).toEqual([
    [0, 8, startMs],
    [8, 10_008, startMs + 60_000],
    [10_008, 10_009, startMs + 60_003],
  ]);
});

test("when the log rests, what intake wrote is folded into the file beside it", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "lastro.db");
  await using store = await openSqliteStore({ path });
  await using log = await openSqliteLog({ path, cacheBytes: 1024 * 1024 });
  const scene = makeScene();
  const records = Array.from({ length: 200 }, (_, offset) => scene.record({ offset, version: offset + 1 }));
  await store.records.append(scene.batch({ records, account: scene.step(0, 200) }), signal);
  const before = statSync(path).size;
  log.rest?.();
  expect(statSync(path).size).toBeGreaterThan(before);
  expect(await log.records.mark(scene.src, signal)).toBe(200);
});
