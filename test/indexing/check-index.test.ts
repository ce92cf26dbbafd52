/** The search index held against the log: untouched it agrees, and whatever is changed in it is named. */
import { expect, test } from "@jest/globals";
import type { Finding } from "../../src/core/findings.ts";
import type { Rid } from "../../src/core/ids.ts";
import { indexRules } from "../../src/core/index-rules.ts";
import { blockEntries, blockWidth } from "../../src/core/summary-cells.ts";
import { type CheckIndexDeps, checkIndex } from "../../src/indexing/check-index.ts";
import type { SearchIndex } from "../../src/ports/search-index.ts";
import { type IndexedWorld, openIndexedWorld } from "../support/indexed-world.ts";

const signal = new AbortController().signal;
const person = (at: number) => ({
  payload: { public_id: `e-${at}`, name: `Ana ${at}` },
  metadata: { user_id: `u${at % 3}` },
});
const people = (count: number) => Array.from({ length: count }, (_, at) => person(at));

async function check({ passDeps }: IndexedWorld, changed: Partial<CheckIndexDeps> = {}) {
  const [findings, progress]: [Finding[], number[]] = [[], []];
  const report = (finding: Finding): unknown => findings.push(finding);
  const size = await checkIndex({ ...passDeps, ...changed }, report, (done) => progress.push(done), signal);
  return { size, progress, found: findings.map(({ code, object }) => ({ code, object })) };
}
const changedLeaves = (from: number, to: number) => ({
  code: "INDEX_CHANGED",
  object: { kind: "leaves", from, to },
});
/** What the index says of its blocks, changed. */
const blocksAs = (
  { index }: IndexedWorld["passDeps"],
  change: (blocks: Awaited<ReturnType<SearchIndex["blocks"]>>) => Awaited<ReturnType<SearchIndex["blocks"]>>,
): Partial<CheckIndexDeps> => ({
  index: { ...index, blocks: async (...args) => change(await index.blocks(...args)) },
});

test("an untouched index agrees, as far as it reaches; one of other rules is none", async () => {
  await using world = await openIndexedWorld();
  expect(await check(world)).toEqual({ size: 0, progress: [], found: [] });
  await world.publishLogged(...people(5));
  await world.index();
  await world.publishLogged(person(9));
  expect(await check(world)).toEqual({ size: 5, progress: [5], found: [] });
  while (!(await world.store.index.reset("of another catalogue", signal)));
  expect(await check(world)).toMatchObject({ size: 0, found: [] });
});

test("a record whose words are not in the index is named, and entries that the log has not", async () => {
  await using world = await openIndexedWorld();
  const rows = await world.publishLogged(...people(3));
  const { index } = world.store;
  const rules = indexRules(world.passDeps.catalogue);
  while (!(await index.reset(rules, signal)));
  const texts = rows.slice(1).map(({ rid, recordedAtMs }) => ({ rid, recordedAtMs, terms: ["ana"] }));
  await index.addTexts(texts, signal);
  await index.advance({ rules, size: 0 }, 7, [], signal);
  expect((await check(world)).found).toEqual([
    changedLeaves(3, 7),
    { code: "INDEX_CHANGED", object: { kind: "record", rid: rows[0]?.rid as Rid } },
  ]);
});

test("counts that differ from a recount, are none or are absent are named by their entries, of each level", async () => {
  await using world = await openIndexedWorld();
  await world.publishLogged(...people(40));
  await world.logOthers(blockEntries * blockWidth - 40);
  await world.publishLogged(person(99));
  await world.index();
  const size = blockEntries * blockWidth + 1;
  const good = await check(world);
  expect(good).toMatchObject({ size, found: [] });
  expect([good.progress.length, good.progress.at(-1)]).toEqual([blockWidth + 1, size]);

  const other = await world.store.index.blocks(0, 1, 2, "cells", signal);
  const otherCells = other[0]?.cells ?? new Uint8Array();
  const first = { level: 0, n: 0 };
  const isFirst = (block: typeof first): boolean => block.level === 0 && block.n === 0;
  const ways: Parameters<typeof blocksAs>[1][] = [
    (blocks) => blocks.map((one) => (isFirst(one) ? { ...one, cells: otherCells } : one)),
    (blocks) => blocks.map((one) => (isFirst(one) ? { ...one, actors: otherCells } : one)),
    (blocks) => blocks.map((one) => (isFirst(one) ? { ...one, cells: Uint8Array.of(1, 2) } : one)),
    (blocks) => blocks.filter((one) => !isFirst(one)),
  ];
  for (const way of ways) {
    const { found } = await check(world, blocksAs(world.passDeps, way));
    expect(new Set(found.map((one) => JSON.stringify(one)))).toEqual(
      new Set([JSON.stringify(changedLeaves(0, blockEntries))]),
    );
  }
  const { found } = await check(
    world,
    blocksAs(world.passDeps, (blocks) => blocks.filter(({ level }) => level !== 1)),
  );
  expect(found).toEqual([
    changedLeaves(0, blockEntries * blockWidth),
    changedLeaves(0, blockEntries * blockWidth),
  ]);
}, 60_000);
