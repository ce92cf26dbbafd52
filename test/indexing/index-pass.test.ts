/** The search index follows the log: nothing twice, nothing left out, whatever dies in between; and it can be made anew. */
import { expect, test } from "@jest/globals";
import { emptyCatalogue, parseCatalogue } from "../../src/core/catalogue.ts";
import { blockEntries, blockWidth } from "../../src/core/summary-cells.ts";
import { indexPass } from "../../src/indexing/index-pass.ts";
import type { SearchIndex } from "../../src/ports/search-index.ts";
import { searchRecords } from "../../src/query/search-records.ts";
import { summarizeRecords } from "../../src/query/summarize.ts";
import { damageKey } from "../support/damage-key.ts";
import { drawFrom } from "../support/draw.ts";
import { seed } from "../support/fuzz.ts";
import { anna, eventText } from "../support/history-world.ts";
import { type IndexedWorld, openIndexedWorld } from "../support/indexed-world.ts";

const signal = new AbortController().signal;

const found = async (world: IndexedWorld, filter: string, deps = world.deps): Promise<readonly string[]> => {
  const request = { filter, orderBy: "recorded_at", pageSize: 1_000, pageToken: "" };
  const page = await searchRecords(deps, request, anna, signal, await world.treeSize());
  return page.records.map(({ content }) => ("entityId" in content ? (content.entityId ?? "") : "?"));
};
const people = [
  { payload: { public_id: "a", name: "João da Silva" } },
  { payload: { public_id: "b", name: "Joana Souza", note: "Joao" } },
  { payload: { public_id: "c", description: "chamou JOAO ontem" } },
] as const;

test("R-65 words of name, title and description are found, whatever their accents and capitals, and beginnings of words", async () => {
  await using world = await openIndexedWorld();
  await world.publishLogged(...people);
  expect(await found(world, "text:joao")).toEqual([]);
  await world.index();
  expect(await found(world, "text:joao")).toEqual(["a", "c"]);
  expect(await found(world, 'text:"silva, JOÃO"')).toEqual(["a"]);
  expect(await found(world, 'text:"jo*"')).toEqual(["a", "b", "c"]);
  expect(await found(world, 'text:"account updated joa*" -text:silva')).toEqual(["b", "c"]);
  expect(await found(world, "text:souza OR text:ontem")).toEqual(["b", "c"]);
  expect(await found(world, "NOT text:joao")).toEqual(["b"]);
  expect(await found(world, "text:jo")).toEqual([]);
});

test("R-85 full text reaches as far as the index does, and the answer says so; as of a larger tree it is refused", async () => {
  await using world = await openIndexedWorld();
  await world.publishLogged(people[0]);
  await world.index();
  await world.publishLogged(people[2]);
  const ask = async (asOfTreeSize?: number) =>
    searchRecords(
      world.deps,
      { filter: "text:joao", orderBy: "", pageSize: 0, pageToken: "", asOfTreeSize },
      anna,
      signal,
      await world.treeSize(),
    );
  expect([(await ask()).records.length, (await ask()).startTreeSize]).toEqual([1, 1]);
  await expect(ask(2)).rejects.toMatchObject({ code: "FAILED_PRECONDITION" });
  await world.index();
  expect([(await ask()).records.length, (await ask()).startTreeSize]).toEqual([2, 2]);
  expect((await ask(1)).records).toHaveLength(1);
});

test("R-65 what the catalogue declares is searched, what it forbids is not; when it changes, the index is made anew", async () => {
  const catalogueOf = (rule: object) => {
    const parsed = parseCatalogue(JSON.stringify({ version: 1, events: { "account.*": rule } }));
    if (!parsed.ok) throw new Error(parsed.errors.join());
    return parsed.catalogue;
  };
  const before = catalogueOf({ search: ["/payload/note", "/payload/name"], never_index: ["/payload/name"] });
  await using world = await openIndexedWorld(before);
  await world.publishLogged(...people);
  await world.index();
  expect(await found(world, "text:joao")).toEqual(["b"]);
  expect(await found(world, "text:silva")).toEqual([]);
  const deps = { ...world.deps, catalogue: emptyCatalogue };
  await world.index({ ...world.passDeps, catalogue: emptyCatalogue });
  expect(await found(world, "text:joao", deps)).toEqual(["a", "c"]);
  expect((await world.store.index.state(signal))?.size).toBe(3);
});

test("R-23 a record is given for what is sealed in it, not for terms that somebody added", async () => {
  await using world = await openIndexedWorld();
  const [, , third] = await world.publishLogged(...people);
  await world.index();
  if (third === undefined) throw new Error("no record");
  const state = { rules: "doctored", size: 0 };
  while (!(await world.store.index.reset("doctored", signal)));
  await world.store.index.addTexts(
    [{ rid: third.rid, recordedAtMs: third.recordedAtMs, terms: ["silva", "joao"] }],
    signal,
  );
  await world.store.index.advance(state, 3, [], signal);
  expect(await found(world, "text:silva")).toEqual([]);
  expect(await found(world, "text:joao")).toEqual(["c"]);
});

test("what was erased has the words of its event type and no others, and a purge takes those away that were there", async () => {
  await using world = await openIndexedWorld();
  const rows = await world.publishLogged(...people);
  await world.index();
  const erased = world.withoutKeys("s");
  await world.store.index.purgeTexts(
    rows.map(({ rid }) => rid),
    signal,
  );
  expect(await found(world, "text:joao", erased)).toEqual([]);
  while (!(await world.store.index.reset("", signal)));
  await world.index({ ...world.passDeps, keys: erased.keys });
  expect(await found(world, "text:joao", erased)).toEqual([]);
  expect(await found(world, 'text:"account updated"', erased)).toEqual(["?", "?", "?"]);
});

test("a data key that does not open holds the index up for nobody: the records of others are found", async () => {
  await using world = await openIndexedWorld();
  const owned = (n: number) => ({ ...people[n], metadata: { ownership_id: `${n}` } });
  const [first] = await world.publishLogged(owned(0), owned(2));
  const kid = first?.kids[0];
  if (kid === undefined) throw new Error("no key");
  await damageKey(world.store.keys, { class: "s", kid });
  await world.index();
  expect((await world.store.index.state(signal))?.size).toBe(2);
  expect(await found(world, "text:joao")).toEqual(["c"]);
});

/** All that is in an index, as questions tell it. */
async function contents(world: IndexedWorld): Promise<unknown> {
  const size = await world.treeSize();
  const groupBy = ["owner_id", "event_type", "severity"];
  const request = {
    filter: "",
    groupBy,
    bucket: "hour",
    timeZone: "",
    valuesMax: 1_000,
    asOfTreeSize: size,
  } as const;
  const summary = await summarizeRecords(world.deps, request, anna, signal, size);
  const blocks = async (level: number) =>
    (await world.store.index.blocks(level, 0, 1_000, "actors", signal)).map(({ n, actors }) => [
      n,
      Buffer.from(actors).toString("hex"),
    ]);
  return [summary, await found(world, 'text:"n1*"'), await blocks(0), await blocks(1)];
}

test(`whatever call of the index fails, before or after its effect, the next passes make the same index; and so does one from nothing (seed ${seed})`, async () => {
  const draw = drawFrom(seed);
  await using world = await openIndexedWorld();
  for (let batch = 0; batch < 9; batch++) {
    await world.publishLogged(
      ...Array.from({ length: 150 }, (_, n) => ({
        type: n % 3 === 0 ? "account.created" : "account.viewed",
        payload: { public_id: `e-${batch}-${n}`, name: `n${batch}x${n}` },
        metadata: { user_id: `u${n % 7}` },
      })),
    );
    await world.logOthers(40);
  }
  expect(await world.treeSize()).toBeGreaterThan(blockEntries);
  let failures = 0;
  const failing = <Call extends (...args: never[]) => Promise<unknown>>(call: Call): Call =>
    (async (...args: never[]) => {
      const fate = draw(100) / 100;
      if (fate < 0.2) throw new Error(`cut ${++failures}`);
      const answer = await call(...args);
      if (fate < 0.4) throw new Error(`cut ${++failures}`);
      return answer;
    }) as Call;
  const { index } = world.store;
  const cut: SearchIndex = {
    ...index,
    reset: failing(index.reset),
    addTexts: failing(index.addTexts),
    advance: failing(index.advance),
    blocks: failing(index.blocks),
  };
  for (let lag = 1, passes = 0; lag > 0; passes++) {
    expect(passes).toBeLessThan(500);
    // Passes of two processes at once disturb each other no more.
    const both = [
      indexPass({ ...world.passDeps, index: cut }, signal),
      indexPass({ ...world.passDeps, index: cut }, signal),
    ];
    const [first] = await Promise.allSettled(both);
    if (first?.status === "fulfilled") lag = first.value.lag;
  }
  expect(failures).toBeGreaterThan(0);
  const survived = await contents(world);
  while (!(await index.reset("", signal)));
  await world.index();
  expect(await contents(world)).toEqual(survived);
}, 60_000);

test("blocks of a level are the sums of those below, and made when the last of these is", async () => {
  await using world = await openIndexedWorld();
  await world.publishLogged({ payload: { public_id: "a" }, metadata: { user_id: "eve" } });
  await world.logOthers(blockEntries * blockWidth - 1);
  await world.publishLogged({ payload: { public_id: "b" }, metadata: { user_id: "eve" } });
  await world.index();
  const { index } = world.store;
  expect(await index.blocks(0, 0, 1_000, "cells", signal)).toHaveLength(blockWidth);
  expect(await index.blocks(1, 0, 1_000, "cells", signal)).toHaveLength(1);
  const size = await world.treeSize();
  const request = { filter: "", groupBy: ["owner_id"], bucket: undefined, timeZone: "", valuesMax: 0 };
  const answers = await Promise.all(
    [size, size - 1, 1, 0].map((asOfTreeSize) => summarizeRecords(world.deps, { ...request, asOfTreeSize }, anna, signal, size)),
  );
  expect(answers.map(({ total, looked }) => [total, looked])).toEqual([[2, 0], [1, 0], [1, 0], [0, 0]]);
}, 60_000); // biome-ignore format: short

test("R-65 a number is found by all of its digits, also where a double does not hold them", async () => {
  const parsed = parseCatalogue(
    JSON.stringify({ version: 1, events: { "account.*": { search: ["/payload/key"] } } }),
  );
  if (!parsed.ok) throw new Error(parsed.errors.join());
  await using world = await openIndexedWorld(parsed.catalogue);
  const key = "35240612345678000190550010000001231000001234";
  await world.publishLogged({
    text: eventText({ payload: { public_id: "a", key: 0 } }).replace('"key":0', `"key":${key}`),
  });
  await world.index();
  expect(await found(world, `text:${key}`)).toEqual(["a"]);
  expect(await found(world, "text:43")).toEqual([]);
});
