/** Taking a large search index away on MongoDB's protocol, in calls that end long before a connection is given up. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type CommandStartedEvent, MongoClient } from "mongodb";
import { collectionsOf } from "../../../src/adapters/mongo/collections.ts";
import { mongoSearchIndex } from "../../../src/adapters/mongo/search-index.ts";
import { atomicUpdates } from "../../../src/adapters/mongo/turns.ts";
import { makeScene, startMs } from "../../support/records.ts";
import { dropDatabase, freshMongoUrl } from "./fresh.ts";

const signal = new AbortController().signal;
const socketTimeoutMs = 30_000;
let client: MongoClient;
let url: string;
beforeAll(async () => {
  url = freshMongoUrl();
  client = await new MongoClient(url, { monitorCommands: true }).connect();
});
afterAll(async () => {
  await dropDatabase(url);
  await client.close();
});

type Delete = {
  readonly deletes: readonly { readonly q: { readonly _id: { readonly $in: readonly unknown[] } } }[];
  readonly maxTimeMS: number;
};

test("a reset says that the index is gone, then takes away at most 1,000 documents in a call, by deletes that the server ends in time", async () => {
  const deletes: Delete[] = [];
  client.on("commandStarted", ({ commandName, command }: CommandStartedEvent) => {
    if (commandName === "delete") deletes.push(command as unknown as Delete);
  });
  const collections = collectionsOf(client.db());
  const index = mongoSearchIndex(collections, { inTurn: atomicUpdates, insertMax: 100, updateMax: 50 });
  const scene = makeScene();
  const texts = Array.from({ length: 2_300 }, (_, n) => ({
    rid: scene.rid(n),
    recordedAtMs: startMs + n,
    terms: ["ana", `word${n}`],
  }));
  expect(await index.reset("first", signal)).toBe(true);
  await index.addTexts(texts, signal);
  const block = { level: 0, n: 0, cells: Uint8Array.of(1), actors: Uint8Array.of(2) };
  await index.advance({ rules: "first", size: 0 }, 2_300, [block], signal);

  const left: number[] = [];
  for (let isDone = false; !isDone; ) {
    isDone = await index.reset("next", signal);
    left.push((await collections.texts.countDocuments()) + (await collections.blocks.countDocuments()));
    expect(await index.state(signal)).toEqual({ rules: isDone ? "next" : "", size: 0 });
  }
  expect(left).toEqual([2_301, 1_301, 301, 0]);
  expect(deletes.map(({ deletes: [one] }) => one?.q._id.$in.length)).toEqual([1_000, 1_000, 300, 1]);
  for (const { maxTimeMS } of deletes) {
    expect(maxTimeMS).toBeGreaterThan(0);
    expect(maxTimeMS).toBeLessThan(socketTimeoutMs);
  }
}, 120_000);
