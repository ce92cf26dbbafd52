/** The record store's reads on MongoDB's protocol: the server is told when to stop. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { MongoClient } from "mongodb";
import { countOutcomes, readMark, readOutcomes, readSources } from "../../../src/adapters/mongo/accounted.ts";
import { account } from "../../../src/adapters/mongo/accounting.ts";
import {
  type Collections,
  collectionsOf,
  type ReadOptions,
} from "../../../src/adapters/mongo/collections.ts";
import { eachHead, findKnown, walkedHeads } from "../../../src/adapters/mongo/look-ups.ts";
import { mongoRecordStore } from "../../../src/adapters/mongo/record-store.ts";
import { atomicUpdates } from "../../../src/adapters/mongo/turns.ts";
import { makeScene } from "../../support/records.ts";
import { dropDatabase, freshMongoUrl } from "./fresh.ts";

const signal = new AbortController().signal;
const scene = makeScene();
const other = makeScene(0x61);
const keys = [{ stream: scene.stream("e1"), kind: "change" }] as const;
const query = { src: scene.src, from: 0, to: 99, kinds: ["gap"], limit: 9 } as const;
let client: MongoClient;
let url: string;
let collections: Collections;
beforeAll(async () => {
  url = freshMongoUrl();
  client = await new MongoClient(url, { monitorCommands: true }).connect();
  collections = collectionsOf(client.db());
  await account(collections, scene.step(0, 10, [scene.gap(2, 4)]));
  await account(collections, other.step(0, 7));
  await account(collections, scene.step(10, 20, [scene.gap(12, 14)]));
});
afterAll(async () => {
  await dropDatabase(url);
  await client.close();
});

describe("reads of the record store", () => {
  test("every one tells the server how long it may take", async () => {
    const sent: [string, unknown][] = [];
    client.on("commandStarted", ({ commandName, command }) => sent.push([commandName, command["maxTimeMS"]]));
    for (const readHeads of [eachHead, walkedHeads]) {
      const manners = { inTurn: atomicUpdates, readHeads, insertMax: 9, updateMax: 9 };
      const store = mongoRecordStore(collections, manners);
      await store.find([scene.rid(0)], [scene.uid("0")], signal);
      await store.heads(keys, signal);
      await store.mark(scene.src, signal);
      expect(await store.sources(signal)).toEqual([
        { src: scene.src, begin: 0, mark: 20 },
        { src: other.src, begin: 0, mark: 7 },
      ]);
      expect((await store.counts(scene.src, 0, 99, signal)).counts.gap).toBe(4);
      expect(await store.outcomes(query, signal)).toHaveLength(2);
    }
    expect(new Set(sent.map(([name]) => name))).toEqual(new Set(["find", "aggregate"]));
    expect(sent.filter(([, maxTimeMs]) => maxTimeMs !== 20_000)).toEqual([]);
  });

  test("every one hands the caller's signal to the driver", async () => {
    const given: ReadOptions = { maxTimeMS: 10_000, signal: AbortSignal.abort() };
    const reads = [
      findKnown(collections, [scene.rid(0)], [], given),
      eachHead(collections, keys, given),
      walkedHeads(collections, keys, given),
      readMark(collections, scene.src, given),
      readSources(collections, given),
      countOutcomes(collections, scene.src, 0, 99, given),
      readOutcomes(collections, query, given),
    ];
    for (const read of await Promise.allSettled(reads))
      expect(read).toMatchObject({ status: "rejected", reason: { name: "AbortError" } });
  });
});
