/** Inserting in chunks on MongoDB's protocol. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { MongoClient } from "mongodb";
import { insertRecords } from "../../../src/adapters/mongo/append.ts";
import { collectionsOf } from "../../../src/adapters/mongo/collections.ts";
import { makeScene } from "../../support/records.ts";
import { dropDatabase, freshMongoUrl } from "./fresh.ts";

let client: MongoClient;
let url: string;
beforeAll(async () => {
  url = freshMongoUrl();
  client = await new MongoClient(url).connect();
});
afterAll(async () => {
  await dropDatabase(url);
  await client.close();
});

test("an append that is given up sends no further chunk", async () => {
  const scene = makeScene();
  const stop = new AbortController();
  const { records } = collectionsOf(client.db());
  const giving = Object.assign(Object.create(records), {
    insertMany: async (...args: Parameters<typeof records.insertMany>) => {
      const inserted = await records.insertMany(...args);
      if ((await records.countDocuments()) === 4) stop.abort();
      return inserted;
    },
  });
  const rows = [0, 1, 2, 3, 4, 5, 6].map((offset) => scene.record({ offset }));
  await expect(insertRecords(giving, rows, 2, stop.signal)).rejects.toMatchObject({ name: "AbortError" });
  expect(await records.countDocuments()).toBe(4);
});
