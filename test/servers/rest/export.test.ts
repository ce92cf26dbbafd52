/** Exports over REST: whole, or seen to be cut. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { LastroError } from "../../../src/core/errors.ts";
import { scanRowsMax } from "../../../src/query/search-page.ts";
import { collectInto } from "../../support/collecting.ts";
import type { HistoryWorld } from "../../support/history-world.ts";
import { ask, json, refusal, serveRest, type TestRest } from "../../support/rest-client.ts";
import { openRestWorld, type RestWorld } from "../../support/rest-world.ts";

let served: RestWorld;
let world: HistoryWorld;
let rest: TestRest;
beforeAll(async () => {
  served = await openRestWorld();
  ({ world, rest } = served);
}, 60_000);
afterAll(async () => served?.[Symbol.asyncDispose]());

test("R-64 an export holds what a walk through the pages gives, as JSON and as CSV", async () => {
  const { data } = await json(`${rest.url}/audit-logs`);
  expect(await json(`${rest.url}/audit-logs/export`)).toEqual(data);
  const { text, headers } = await ask(`${rest.url}/audit-logs/export?format=csv&user_id=eve&sort_order=ASC`);
  expect(headers.get("content-disposition")).toBe('attachment; filename="audit-logs.csv"');
  const lines = text.split("\r\n");
  expect(lines).toHaveLength(8);
  expect(lines[1]).toContain(
    "LOGIN_FAILED,auth.login_failed,none,activity,1,false,default,team_service,auth,0,eve,admin,user,203.0.113.9,FAILURE,CRITICAL",
  );
  expect(await json(`${rest.url}/audit-logs/export?user_id=nobody`)).toEqual([]);
});

test("an export that cannot go on ends in an error of the connection, and never looks whole", async () => {
  let asked = 0;
  const search: typeof world.deps.history.search = async (question, signal) => {
    asked += 1;
    if (asked % 2 === 0) throw new LastroError("STORE_UNAVAILABLE", "gone");
    const some = await world.deps.history.search({ ...question, limit: 1 }, signal);
    return { ...some, scanned: scanRowsMax };
  };
  const query = { ...world.deps, history: { ...world.deps.history, search } };
  await using broken = await serveRest({ query, collect: collectInto(world) });
  for (const format of ["json", "csv"])
    await expect(ask(`${broken.url}/audit-logs/export?format=${format}`)).rejects.toThrow("terminated");
  asked = 1;
  expect(await refusal(`${broken.url}/audit-logs/export`)).toBe("503 STORE_UNAVAILABLE");
});

test("HEAD of an export reads no further than what its head needs", async () => {
  let asked = 0;
  const search: typeof world.deps.history.search = async (question, signal) => {
    asked += 1;
    const some = await world.deps.history.search({ ...question, limit: 1 }, signal);
    return { ...some, scanned: scanRowsMax };
  };
  const query = { ...world.deps, history: { ...world.deps.history, search } };
  await using slow = await serveRest({ query, collect: collectInto(world) });
  await ask(`${slow.url}/audit-logs/export`, { method: "HEAD" });
  const forHead = asked;
  expect(await json(`${slow.url}/audit-logs/export`)).toHaveLength(10);
  const forBoth = asked;
  await json(`${slow.url}/audit-logs/export`);
  expect(forHead).toBe(1);
  expect(forBoth - forHead).toBe(asked - forBoth);
});
