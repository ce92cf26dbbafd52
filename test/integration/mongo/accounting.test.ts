/** Accounting on MongoDB's protocol that is cut short or overtaken between two of its steps. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { BSON, MongoClient } from "mongodb";
import { countOutcomes, readMark, readOutcomes } from "../../../src/adapters/mongo/accounted.ts";
import { account, partsOf } from "../../../src/adapters/mongo/accounting.ts";
import { type Collections, collectionsOf } from "../../../src/adapters/mongo/collections.ts";
import { openMongoStore } from "../../../src/adapters/mongo/open-mongo-store.ts";
import { makeScene, type Scene } from "../../support/records.ts";
import { dropDatabase, freshMongoUrl } from "./fresh.ts";

const options = { maxTimeMS: 10_000, signal: new AbortController().signal };
let client: MongoClient;
let url: string;
let collections: Collections;
beforeAll(async () => {
  url = freshMongoUrl();
  await (await openMongoStore({ url }))[Symbol.asyncDispose]();
  client = await new MongoClient(url).connect();
  collections = collectionsOf(client.db());
});
afterAll(async () => {
  await dropDatabase(url);
  await client.close();
});

/** Runs `meanwhile` right before the compare-and-set on the mark. */
function beforeMark(meanwhile: () => Promise<unknown>): Collections {
  const { accounts } = collections;
  const late =
    (write: (...args: never[]) => unknown) =>
    async (...args: never[]) => {
      await meanwhile();
      return write.apply(accounts, args);
    };
  const overtaken = Object.assign(Object.create(accounts), {
    updateOne: late(accounts.updateOne),
    insertOne: late(accounts.insertOne),
  });
  return { ...collections, accounts: overtaken };
}
const crash = () => beforeMark(() => Promise.reject(new Error("crash")));

const all = (scene: Scene) => ({
  src: scene.src, from: 0, to: 1_000, kinds: ["duplicate", "conflict", "rejected", "gap"], limit: 100,
}) as const; // biome-ignore format: a query
const rowsOf = (scene: Scene) => readOutcomes(collections, all(scene), options);
const countsOf = async (scene: Scene) =>
  (await countOutcomes(collections, scene.src, 0, 1_000, options)).counts;

describe("accounting that is cut short or overtaken", () => {
  for (const begun of [true, false]) {
    const chain = begun ? "a grown chain" : "an empty chain";
    test(`R-05 the rows of a step that crashed before its mark are never seen, whatever is accounted instead, on ${chain}`, async () => {
      const scene = makeScene();
      if (begun) await account(collections, scene.step(0, 10));
      const from = begun ? 10 : 0;
      await expect(account(crash(), scene.step(from, 20, [scene.gap(10, 15), scene.rejected(17)]))).rejects.toThrow("crash");
      expect(await account(collections, scene.step(from, 30, [scene.gap(10, 30)]))).toBe("done");
      for (const mark of [31, 32]) {
        expect(await rowsOf(scene)).toEqual([scene.gap(10, 30)]);
        expect(await countsOf(scene)).toMatchObject({ stored: mark - 21, gap: 20, rejected: 0 });
        await account(collections, scene.step(mark - 1, mark));
      }
    }); // biome-ignore format: calls

    test(`R-05 the rows of a step that lost its mark are never seen, on ${chain}`, async () => {
      const scene = makeScene();
      if (begun) await account(collections, scene.step(0, 10, [scene.duplicate(4)]));
      const from = begun ? 10 : 0;
      const zombie = beforeMark(() => account(collections, scene.step(from, 20)));
      expect(await account(zombie, scene.step(from, 60, [scene.gap(10, 60)]))).toBe("mark_lost");
      expect(await readMark(collections, scene.src, options)).toBe(20);
      await account(collections, scene.step(20, 60));
      await account(collections, scene.step(60, 61));
      expect(await rowsOf(scene)).toEqual(begun ? [scene.duplicate(4)] : []);
      expect((await countsOf(scene)).gap).toBe(0);
    });
  }

  test("the rows of the step before are not lost by a crash between their copy and the next mark", async () => {
    const scene = makeScene();
    await account(collections, scene.step(0, 10, [scene.gap(2, 5), scene.rejected(7)]));
    await expect(account(crash(), scene.step(10, 20))).rejects.toThrow("crash");
    for (const mark of [11, 12]) {
      expect(await rowsOf(scene)).toEqual([scene.gap(2, 5), scene.rejected(7)]);
      expect(await countsOf(scene)).toMatchObject({ stored: mark - 5, gap: 3, rejected: 1 });
      await account(collections, scene.step(mark - 1, mark));
    }
  });

  test("a step whose rows are too many for one document moves the mark in parts, each with its own rows", async () => {
    const scene = makeScene();
    const rows = [scene.rejected(1), scene.rejected(2), scene.gap(3, 5), scene.rejected(8), scene.duplicate(9)];
    const bytesMax = BSON.calculateObjectSize(scene.rejected(1));
    const parts = [...partsOf(scene.step(0, 12, rows), bytesMax)];
    expect(parts.map(({ from, to }) => [from, to])).toEqual([[0, 2], [2, 3], [3, 8], [8, 9], [9, 12]]);
    expect(parts.flatMap(({ outcomes }) => outcomes)).toEqual(rows);
    expect(await account(collections, scene.step(0, 12, rows), bytesMax)).toBe("done");
    expect(await readMark(collections, scene.src, options)).toBe(12);
    expect(await rowsOf(scene)).toEqual(rows);
    expect(await countsOf(scene)).toEqual({ stored: 6, duplicate: 1, conflict: 0, rejected: 3, gap: 2 });
  }); // biome-ignore format: tables
});
