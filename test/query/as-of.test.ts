/** the same question as of the same tree has the same answer, told by a digest of the list. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { parseCatalogue } from "../../src/core/catalogue.ts";
import { filterOfWords } from "../../src/query/audit-words.ts";
import { getIpHistory } from "../../src/query/ip-history.ts";
import { type SearchRequest, searchRecords } from "../../src/query/search-records.ts";
import { summarizeAuditLogs } from "../../src/query/summarize-audit-logs.ts";
import { seed } from "../support/fuzz.ts";
import { anna } from "../support/history-world.ts";
import { type IndexedWorld, openIndexedWorld } from "../support/indexed-world.ts";

const signal = new AbortController().signal;
const sha256 = (...parts: readonly (string | Uint8Array)[]): Buffer => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};
/** As docs/search.md defines it. */
const digestOf = (entries: readonly string[]): string =>
  Buffer.from(
    entries.reduce<Uint8Array>((before, entry) => sha256(before, sha256("\0", entry)), new Uint8Array(32)),
  ).toString("hex");

async function walk(world: IndexedWorld, question: Partial<SearchRequest>, sizes: readonly number[]) {
  const entries: string[] = [];
  let [pageToken, digest] = ["", ""];
  for (let page = 0; page === 0 || pageToken !== ""; page++) {
    const request = {
      filter: "",
      orderBy: "",
      ...question,
      pageSize: sizes[page % sizes.length] ?? 1,
      pageToken,
    };
    const answer = await searchRecords(world.deps, request, anna, signal, await world.treeSize());
    entries.push(...answer.records.map(({ entry }) => entry));
    digest = Buffer.from(answer.listDigest).toString("hex");
    expect(digest).toBe(digestOf(entries));
    ({ nextPageToken: pageToken } = answer);
  }
  return { entries, digest };
}

test("the digest in docs/search.md is that of its two entries", () =>
  expect(readFileSync("docs/search.md", "utf8")).toContain(`\n\`${digestOf(["a", "b"])}\` (hexadecimal)`));

test(`R-85 the same filter as of the same tree gives the same list and digest, whatever the pages and whatever is appended (seed ${seed})`, async () => {
  await using world = await openIndexedWorld();
  const publish = async (batch: number): Promise<void> => {
    await world.publishLogged(
      ...Array.from({ length: 12 }, (_, n) => ({
        type: n % 3 === 0 ? "account.created" : "account.viewed",
        payload: { public_id: `e-${n % 5}`, name: n % 2 === 0 ? "Ana" : "Bia", batch, n },
        timestamp: new Date(
          Date.parse("2024-06-22T12:00:00Z") - 1_000 * ((7 * n + batch) % 11),
        ).toISOString(),
      })),
    );
    await world.index();
  };
  for (let batch = 0; batch < 4; batch++) await publish(batch);
  const size = await world.treeSize();
  const questions = fc.record({
    filter: fc.constantFrom(
      "",
      "kind = change",
      "text:ana",
      'text:"an*" OR version = 2',
      "event_type = account.viewed",
    ),
    orderBy: fc.constantFrom(
      "",
      "recorded_at",
      "action_at",
      "action_at desc",
      "entity_id",
      "event_type desc",
    ),
    asOfTreeSize: fc.integer({ min: 0, max: size }),
  });
  const pages = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 });
  let batch = 4;
  const property = fc.asyncProperty(questions, pages, pages, async (question, first, second) => {
    const before = await walk(world, question, first);
    await publish(batch++);
    expect(await walk(world, question, second)).toEqual(before);
    const whole = await walk(world, { ...question, asOfTreeSize: undefined }, [1_000]);
    expect(before.entries.every((entry) => whole.entries.includes(entry))).toBe(true);
  });
  await fc.assert(property, { seed, numRuns: 25 });
}, 60_000);

test("R-85 bodies that were erased change no digest", async () => {
  await using world = await openIndexedWorld();
  await world.publishLogged({ payload: { public_id: "a" } }, { payload: { public_id: "b" } });
  const question = { filter: "kind = change", asOfTreeSize: 2 };
  const before = await walk(world, question, [10]);
  const erased = { ...world, deps: world.withoutKeys("s") };
  expect(await walk(erased, question, [10])).toEqual(before);
});

test("R-85 as of a tree nothing is asked that no tree tells: a larger tree, or whether a record is active", async () => {
  await using world = await openIndexedWorld();
  await world.publishLogged({ payload: { public_id: "a" } });
  const ask = (filter: string, asOfTreeSize: number) =>
    searchRecords(
      world.deps,
      { filter, orderBy: "", pageSize: 0, pageToken: "", asOfTreeSize },
      anna,
      signal,
      1,
    );
  await expect(ask("", 2)).rejects.toMatchObject({ code: "INVALID_ARGUMENT", field: "as_of_tree_size" });
  await expect(ask("active = true", 1)).rejects.toMatchObject({ code: "INVALID_ARGUMENT", field: "filter" });
  expect((await ask("", 0)).records).toEqual([]);
});

/** Words of notes are found under the other catalogue alone. */
async function openUnderOtherCatalogue() {
  const world = await openIndexedWorld();
  const payload = { public_id: "a", name: "Ana", notes: "a broken lift" };
  await world.publishLogged({ payload }, { payload: { ...payload, public_id: "b" } });
  await world.index();
  const parsed = parseCatalogue('{"version":1,"events":{"account.updated":{"search":["/payload/notes"]}}}');
  if (!parsed.ok) throw new Error(parsed.errors.join());
  const { catalogue } = parsed;
  const passDeps = { ...world.passDeps, catalogue };
  const deps = { ...world.deps, catalogue };
  const asked = { filter: "text:lift", orderBy: "", pageSize: 0, pageToken: "" };
  const ask = (over: Partial<SearchRequest> = {}) =>
    searchRecords(deps, { ...asked, ...over }, anna, signal, 2);
  return { deps, ask, indexAnew: () => world.index(passDeps), store: world.store };
}

test("R-85 full text that was indexed under another catalogue counts as not indexed, until the index is made anew", async () => {
  const { deps, ask, indexAnew, store } = await openUnderOtherCatalogue();
  await using _ = store;
  expect(await ask()).toMatchObject({ records: [], startTreeSize: 0 });
  const tooEarly = { code: "FAILED_PRECONDITION", message: expect.stringMatching(/another catalogue/) };
  await expect(ask({ asOfTreeSize: 2 })).rejects.toMatchObject(tooEarly);
  const walk = () => getIpHistory(deps, { filter: "text:lift", orderBy: "" }, anna, signal);
  await expect(walk()).rejects.toMatchObject(tooEarly);
  await indexAnew();
  expect(await ask()).toMatchObject({ records: [{}, {}], startTreeSize: 2 });
  expect(await ask({ asOfTreeSize: 2 })).toMatchObject({ records: [{}, {}], startTreeSize: 2 });
  await walk();
});

test("R-85 an answer that names no tree is refused while the index is far behind, and made while it is only a little", async () => {
  const { deps, indexAnew, store } = await openUnderOtherCatalogue();
  await using _ = store;
  await indexAnew();
  const ofSize = (size: number): typeof deps => {
    const tree = { note: "", size, root: new Uint8Array(32), signatures: 1, origin: "test" };
    const checkpoint: typeof deps.log.checkpoint = async () => tree;
    return { ...deps, log: { ...deps.log, checkpoint } };
  };
  const walk = (size: number) =>
    getIpHistory(ofSize(size), { filter: "text:lift", orderBy: "" }, anna, signal);
  const indexed = (await store.index.state(signal))?.size ?? 0;
  await walk(indexed + 10_000);
  await expect(walk(indexed + 10_001)).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
    message: expect.stringContaining(`holds ${indexed} of ${indexed + 10_001} entries`),
  });
});

test("R-85 counts of what a search finds are those of its list, and refused while the index of words is not there", async () => {
  await using world = await openIndexedWorld();
  await world.publishLogged({ payload: { public_id: "a" } }, { payload: { public_id: "a", name: "Ana" } });
  const size = await world.treeSize();
  const tree = { note: "", size, root: new Uint8Array(32), signatures: 1, origin: "test" };
  const deps = { ...world.deps, log: { ...world.deps.log, checkpoint: async () => tree } };
  const also = filterOfWords({ search: "a" });
  const list = () =>
    searchRecords(deps, { filter: "", also, orderBy: "", pageSize: 0, pageToken: "" }, anna, signal, size);
  const count = () => summarizeAuditLogs(deps, { filter: "", also, withUsers: false }, anna, signal, size);
  expect((await list()).records).toHaveLength(2);
  await expect(count()).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
    message: expect.stringContaining("holds 0 of 2 entries"),
  });
  await world.index();
  expect(await count()).toMatchObject({ total: (await list()).records.length, countedTreeSize: size });
});

test("R-85 a list of full text that has begun waits while the index is taken away, and misses nothing once it is there", async () => {
  const { ask, indexAnew, store } = await openUnderOtherCatalogue();
  await using _ = store;
  await indexAnew();
  const { records, nextPageToken } = await ask({ pageSize: 1 });
  while (!(await store.index.reset("", signal)));
  const rest = () => ask({ pageSize: 1, pageToken: nextPageToken });
  await expect(rest()).rejects.toMatchObject({ code: "FAILED_PRECONDITION" });
  await indexAnew();
  const second = await rest();
  expect(new Set([...records, ...second.records].map(({ entry }) => entry)).size).toBe(2);
  expect(second).toMatchObject({ nextPageToken: "", startTreeSize: 2 });
});
