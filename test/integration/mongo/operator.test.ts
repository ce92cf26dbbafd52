/** Commands of operators on a MongoDB store, as they are run. */
import { afterAll, expect, test } from "@jest/globals";
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
