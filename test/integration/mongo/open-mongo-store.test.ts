/** Opening a MongoDB store: what is created, what is refused, and how it takes turns and reads heads. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { MongoClient } from "mongodb";
import { collectionsOf, indexPlans } from "../../../src/adapters/mongo/collections.ts";
import { eachHead, walkedHeads } from "../../../src/adapters/mongo/look-ups.ts";
import { openMongoStore } from "../../../src/adapters/mongo/open-mongo-store.ts";
import { insertedTurns } from "../../../src/adapters/mongo/turns.ts";
import { primaryPort } from "../../support/forged-answers.ts";
import { openLink, through } from "../../support/link.ts";
import { makeScene } from "../../support/records.ts";
import { dropDatabase, freshMongoUrl } from "./fresh.ts";

const signal = new AbortController().signal;
let client: MongoClient;
let url: string;
beforeAll(async () => {
  url = freshMongoUrl();
  client = await new MongoClient(url).connect();
});
afterEach(() => dropDatabase(url));
afterAll(() => client.close());

const refusal = (code: string, part: string) =>
  expect.objectContaining({ code, message: expect.stringContaining(part) });

describe("opening a MongoDB store", () => {
  test("every index is created, and an unlike one under its name or keys is refused with what to do", async () => {
    const db = client.db();
    await (await openMongoStore({ url }))[Symbol.asyncDispose]();
    for (const { collection, name, key, unique } of indexPlans) {
      const stored = await collectionsOf(db)[collection].listIndexes().toArray();
      expect(stored.find((index) => index["name"] === name)).toMatchObject({
        key,
        ...(unique && { unique }),
      });
    }
    await db.collection("records").dropIndex("uid");
    await db.collection("records").createIndex({ uid: 1 }, { name: "mine" });
    await expect(openMongoStore({ url })).rejects.toEqual(
      refusal("STORE_UNSAFE", 'db.records.dropIndex("mine")'),
    );
    await db.collection("records").dropIndex("mine");
    await db.collection("records").createIndex({ other: 1 }, { name: "uid", unique: true });
    await expect(openMongoStore({ url })).rejects.toEqual(
      refusal("STORE_UNSAFE", 'db.records.dropIndex("uid")'),
    );
    await db.collection("records").dropIndex("uid");
    await db.collection("records").createIndex({ uid: 1 }, { name: "mine", unique: true });
    for (const _ of ["first", "second"]) await (await openMongoStore({ url }))[Symbol.asyncDispose]();
    expect(await db.collection("records").indexExists(["uid", "mine"])).toBe(false);
    expect(await db.collection("records").indexExists("mine")).toBe(true);
  });

  test("a connection that is cut while indexes are made costs no start; one that always is, is told", async () => {
    await using link = await openLink(await primaryPort());
    const linked = through(url, link);
    const cut = link.cutAnswer(Buffer.from("createIndexes"));
    await (await openMongoStore({ url: linked }))[Symbol.asyncDispose]();
    await cut;
    expect(await client.db().collection("records").indexExists("uid")).toBe(true);
    const cutAlways = async (): Promise<never> => {
      for (;;) await link.cutAnswer(Buffer.from("listIndexes"));
    };
    void cutAlways();
    await expect(openMongoStore({ url: linked })).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });

  test("a build that outlasts the connection is told, and its indexes are asked for again", async () => {
    await using link = await openLink(await primaryPort());
    const held = link.holdAnswer(Buffer.from("createIndexes"), 1);
    const told: string[] = [];
    const info = (code: string): void => {
      told.push(code);
      void link.become({});
    };
    const opening = openMongoStore({ url: through(url, link), socketTimeoutMs: 3_000, lines: { info } });
    await held;
    await (await opening)[Symbol.asyncDispose]();
    expect(new Set(told)).toEqual(new Set(["indexes_building"]));
    expect(await client.db().collection("records").indexExists("uid")).toBe(true);
  });

  test("an opening that waits for indexes ends with its signal, however long they take", async () => {
    await using link = await openLink(await primaryPort());
    const stop = new AbortController();
    const held = link.holdAnswer(Buffer.from("createIndexes"), 1);
    const opening = openMongoStore({ url: through(url, link), signal: stop.signal });
    await held;
    stop.abort();
    await expect(opening).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });

  test("a database of a newer release is refused", async () => {
    await client.db().collection<{ _id: string; n: number }>("meta").insertOne({ _id: "format", n: 99 });
    await expect(openMongoStore({ url })).rejects.toEqual(refusal("STORE_NEWER", "format 99"));
  });

  test("a URL with a weak write concern is refused before anything connects", async () => {
    await expect(openMongoStore({ url: "mongodb://127.0.0.1:1/x?w=1" })).rejects.toMatchObject({
      code: "STORE_UNSAFE",
    });
  });

  test("a server that does not answer is STORE_UNAVAILABLE within the time allowed", async () => {
    const opening = openMongoStore({ url: "mongodb://127.0.0.1:1/x", serverSelectionTimeoutMs: 200 });
    await expect(opening).rejects.toEqual(refusal("STORE_UNAVAILABLE", "ECONNREFUSED"));
  });

  test("heads asked for one by one and found in one walk are the same", async () => {
    await using store = await openMongoStore({ url });
    const scene = makeScene();
    const records = [1, 2, 3, 4].flatMap((version) => [
      scene.record({ offset: version, version }),
      scene.record({ offset: 10 + version, version, entity: "e2", kind: "activity" }),
    ]);
    await store.records.append(scene.batch({ records }), signal);
    const keys = [
      { stream: scene.stream("e1"), kind: "change" },
      { stream: scene.stream("e2"), kind: "activity" },
      { stream: scene.stream("e2"), kind: "change" },
    ] as const;
    const collections = collectionsOf(client.db());
    const each = await eachHead(collections, keys);
    expect([...each.values()].map((head) => head.version)).toEqual([4, 4]);
    expect(await walkedHeads(collections, keys)).toEqual(each);
  });

  test("work in turns never overlaps, and the turn of a process that died is taken away", async () => {
    const collections = collectionsOf(client.db());
    const inTurn = insertedTurns(collections);
    let inside = 0;
    const overlaps = await Promise.all(
      Array.from({ length: 5 }, () =>
        inTurn(async () => {
          const others = inside++;
          await collections.turns.findOne({});
          inside--;
          return others;
        }),
      ),
    );
    expect(overlaps).toEqual([0, 0, 0, 0, 0]);
    await collections.turns.insertOne({ _id: "updates", ticket: "died" });
    const impatient = insertedTurns(collections, 3);
    await expect(impatient(async () => "mine")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(await impatient(async () => "mine")).toBe("mine");
  });
});
