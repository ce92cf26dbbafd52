/** Commands of operators on a MongoDB store, as they are run. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import { MongoClient } from "mongodb";
import { openMongoStore } from "../../../src/adapters/mongo/open-mongo-store.ts";
import { makeScene, startMs } from "../../support/records.ts";
import { runLastroWith } from "../../support/run-cli.ts";
import { temporaryFolder } from "../../support/sqlite.ts";
import { dropDatabase, freshMongoUrl } from "./fresh.ts";

const signal = new AbortController().signal;
const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());
const lastroOn = (url: string, ...args: readonly string[]) =>
  runLastroWith({ env: { LASTRO_DATA_DIR: folder.path, LASTRO_STORE_URL: url } }, ...args);

test("reindex leaves it to the service to take the index away, however often it is run", async () => {
  const url = freshMongoUrl();
  await using undo = new AsyncDisposableStack();
  undo.defer(() => dropDatabase(url));
  await using store = await openMongoStore({ url });
  const rid = makeScene().rid(0);
  await store.index.reset("of some catalogue", signal);
  await store.index.addTexts([{ rid, recordedAtMs: startMs, terms: ["ana"] }], signal);
  for (const _ of ["first", "second"]) {
    expect(await lastroOn(url, "reindex")).toMatchObject({ code: 0, err: "" });
    expect(await store.index.state(signal)).toEqual({ rules: "", size: 0 });
    expect((await store.index.texts([rid], signal)).get(rid)).toEqual(["ana"]);
  }
}, 60_000);

test("check and reindex of a database without a store end with 3, name it, and make nothing there", async () => {
  const url = freshMongoUrl();
  await using undo = new AsyncDisposableStack();
  undo.defer(() => dropDatabase(url));
  const client = undo.adopt(new MongoClient(url), (open) => open.close());
  for (const command of ["check", "reindex"]) {
    const { code, out, err } = await lastroOn(url, command);
    expect({ code, out }).toEqual({ code: 3, out: "" });
    expect(err).toContain(client.db().databaseName);
    expect(await client.db().listCollections().toArray()).toEqual([]);
  }
}, 60_000);

test("a check that opens bodies makes no identity for a store that has none, and changes nothing of its format", async () => {
  const url = freshMongoUrl();
  await using undo = new AsyncDisposableStack();
  undo.defer(() => dropDatabase(url));
  await using store = await openMongoStore({ url });
  const keks = { "1": Buffer.alloc(32, 7).toString("base64url") };
  mkdirSync(join(folder.path, "keys"));
  const ring = join(folder.path, "keys", "keyring.json");
  writeFileSync(ring, JSON.stringify({ v: 1, current: 1, keks }), { mode: 0o600 });
  const { code, err } = await lastroOn(url, "check", "--open-bodies");
  expect(code).toBe(1);
  expect(err).toContain("does not hold the identity");
  expect(await store.state.read(signal)).toBeUndefined();
  const client = undo.adopt(new MongoClient(url), (open) => open.close());
  const meta = client.db().collection<{ _id: string; n: number }>("meta");
  for (const [n, says] of [
    [0, "use the release that wrote it"],
    [99, "newer Lastro"],
  ] as const) {
    await meta.updateOne({ _id: "format" }, { $set: { n } });
    const refused = await lastroOn(url, "check");
    expect(refused).toMatchObject({ code: 1, out: "" });
    expect(refused.err).toContain(says);
    expect(await meta.findOne({ _id: "format" })).toMatchObject({ n });
  }
}, 60_000);
