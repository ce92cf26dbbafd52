/** Records found by the beginning of a word: in short steps, past the times that are not asked for, and the same as of a list. */
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue, type SQLOutputValue } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import fc from "fast-check";
import { openSqliteStore } from "../../../src/adapters/sqlite/open.ts";
import { migrate } from "../../../src/adapters/sqlite/schema.ts";
import {
  beforeTerms,
  lastOfTerms,
  recordsOfTerms,
  type Step,
} from "../../../src/adapters/sqlite/search-plan.ts";
import { compare } from "../../../src/core/filter.ts";
import type { Rid } from "../../../src/core/ids.ts";
import type { RecordSearch } from "../../../src/core/search-walk.ts";
import type { Store } from "../../../src/ports/store.ts";
import { allOf } from "../../support/filters.ts";
import { seed } from "../../support/fuzz.ts";
import { makeScene, startMs } from "../../support/records.ts";
import { temporaryFolder } from "../../support/sqlite.ts";

type Row = Record<string, SQLOutputValue>;
type Word = { readonly rid: Rid; readonly atMs: number; readonly terms: readonly string[] };

const signal = new AbortController().signal;
const [count, spanMs] = [6_000, 1_000];
const words: Word[] = [];
let store: Store;
beforeAll(async () => {
  store = await openSqliteStore({ path: ":memory:" });
  const scene = makeScene();
  const records = Array.from({ length: count }, (_, offset) =>
    scene.record({ offset, recordedAtMs: startMs + Math.floor((offset * spanMs) / count) }),
  );
  await store.records.append(scene.batch({ records }), signal);
  // Words that nearly all have, that few have, and that one has alone; `acb` lies behind all that begin with `acc`.
  for (const [n, { rid, recordedAtMs: atMs }] of records.entries()) {
    const some = n % 7 === 0 ? ["accord", "acb"] : n % 3 === 0 ? ["acd"] : [];
    words.push({ rid, atMs, terms: ["acc", "account", "accusative", `acc${n}`, ...some] });
  }
  await store.index.addTexts(
    words.map(({ rid, atMs, terms }) => ({ rid, recordedAtMs: atMs, terms })),
    signal,
  );
}, 60_000);
afterAll(async () => store?.[Symbol.asyncDispose]());

const searchOf = (prefix: string, fromMs: number, toMs: number, scanMax: number): RecordSearch => ({
  filter: allOf(
    compare("text", "prefix", prefix),
    compare("recorded_at", ">=", fromMs),
    compare("recorded_at", "<=", toMs),
  ),
  order: { field: "recorded_at", direction: "asc" },
  after: undefined,
  limit: count,
  scanMax,
});
const find = (prefix: string, fromMs: number, toMs: number, scanMax: number, ended = signal) =>
  store.history.search(searchOf(prefix, fromMs, toMs, scanMax), ended);

test(`R-23 a beginning of a word within any time finds what a list of all finds, and looks at no more (seed ${seed})`, async () => {
  const time = fc.integer({ min: startMs - 5, max: startMs + spanMs + 5 });
  const prefix = fc.constantFrom("a", "ac", "acc", "acc1", "acco", "account", "acb", "acd", "b");
  const property = fc.asyncProperty(prefix, time, time, async (begins, a, b) => {
    const [fromMs, toMs] = [Math.min(a, b), Math.max(a, b)];
    const of = words.filter(
      ({ atMs, terms }) => atMs >= fromMs && atMs <= toMs && terms.some((term) => term.startsWith(begins)),
    );
    const { rows, scanned, next } = await find(begins, fromMs, toMs, count);
    expect(rows.map(({ rid }) => rid)).toEqual(of.map(({ rid }) => rid));
    expect([scanned, next === undefined]).toEqual([of.length, of.length < count]);
  });
  await fc.assert(property, { seed, numRuns: 60 });
}, 120_000);

/** Calls it behind each look for the last term of a step, which comes before the look at its records. */
const betweenLooks = (act: () => void) => {
  const { prepare } = DatabaseSync.prototype;
  return jest.spyOn(DatabaseSync.prototype, "prepare").mockImplementation(function (this: DatabaseSync, sql) {
    const statement = prepare.call(this, sql);
    if (!sql.endsWith("LIMIT 1 OFFSET ?")) return statement;
    const all = statement.all.bind(statement) as (...values: readonly SQLInputValue[]) => Row[];
    const thenAct = (...values: readonly SQLInputValue[]): Row[] => {
      const rows = all(...values);
      act();
      return rows;
    };
    return Object.assign(statement, { all: thenAct });
  });
};

test("R-23 a beginning of a word misses nothing though a word is indexed between the two looks of a step", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "lastro.db");
  await using file = await openSqliteStore({ path });
  const scene = makeScene();
  const records = Array.from({ length: 2_500 }, (_, offset) =>
    scene.record({ offset, recordedAtMs: startMs }),
  );
  await file.records.append(scene.batch({ records }), signal);
  const indexed = records.slice(0, -1);
  const texts = indexed.map(({ rid }, n) => ({ rid, recordedAtMs: startMs, terms: [`acc${10_000 + n}`] }));
  await file.index.addTexts(texts, signal);
  using log = new DatabaseSync(path);
  let added = 0;
  using _ = betweenLooks(() => {
    added += 1;
    log.exec(`INSERT INTO terms VALUES ('acc${10_000 + added}0', ${startMs}, ${records.length})`);
  });
  const { rows } = await file.history.search(searchOf("acc", startMs, startMs, 3_000), signal);
  const found = new Set(rows.map(({ rid }) => rid));
  expect(added).toBeGreaterThan(1);
  expect(indexed.filter(({ rid }) => !found.has(rid))).toEqual([]);
});

test("the deadline ends a beginning of a word between steps, though nothing of its time is there", async () => {
  const deadline = new AbortController();
  const running = find("acc", startMs + 2 * spanMs, startMs + 3 * spanMs, count, deadline.signal);
  await setImmediate();
  deadline.abort();
  await expect(running).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
});

test.each([
  ["before", startMs - 2 * spanMs, startMs - spanMs],
  ["behind", startMs + 2 * spanMs, startMs + 3 * spanMs],
])(
  "of a word that many records have, those %s the time asked for are passed over at once",
  async (_, fromMs, toMs) => {
    let [steps, isDone] = [0, false];
    const found = find("accu", fromMs, toMs, count).finally(() => {
      isDone = true;
    });
    for (; !isDone; steps++) await setImmediate();
    expect((await found).rows).toEqual([]);
    // All of them would be six.
    expect(steps).toBeLessThan(4);
  },
);

test("a step seeks its place in the order of the terms, and sorts nothing", () => {
  const db = new DatabaseSync(":memory:");
  migrate(db, 0);
  const place = beforeTerms("acc");
  const explain = ({ sql, values }: Step) =>
    db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values).map(({ detail }) => detail); // biome-ignore format: one chain
  const seek = "SEARCH terms USING PRIMARY KEY ((term,recorded_at,record)>(?,?,?) AND term<?)";
  expect(explain(lastOfTerms("acc", place, 500))).toEqual([seek]);
  const [of, ...more] = explain(recordsOfTerms("acc", place, { min: 0, max: 1 }, 500));
  expect(of).toMatch(/^CO-ROUTINE/);
  expect(more.filter((detail) => String(detail).includes("terms"))).toEqual([seek]);
  expect(more.join()).not.toContain("ORDER BY");
  db.close();
});
