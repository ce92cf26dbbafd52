/** Pages over REST: limits, offsets and tokens. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { countedRowsMax } from "../../../src/query/count-records.ts";
import { order } from "../../../src/servers/rest/words.ts";
import { collectInto } from "../../support/collecting.ts";
import { openHistoryWorld } from "../../support/history-world.ts";
import { ask, json, refusal, serveRest, type TestRest } from "../../support/rest-client.ts";
import { openRestWorld, type RestWorld } from "../../support/rest-world.ts";

let served: RestWorld;
let rest: TestRest;
beforeAll(async () => {
  served = await openRestWorld();
  ({ rest } = served);
}, 60_000);
afterAll(async () => served?.[Symbol.asyncDispose]());

describe("R-66 pages", () => {
  const all = async (query: string): Promise<string[]> => {
    const ids: string[] = [];
    const behind = query.replace(/&offset=.*/, "");
    for (let token = ""; ; ) {
      const page = await json(
        `${rest.url}/audit-logs?${token === "" ? query : `${behind}&page_token=${token}`}`,
      );
      ids.push(...page.data.map(({ id }: { readonly id: string }) => id));
      token = page.pagination.next_page_token;
      if (token === "") return ids;
    }
  };

  test("tokens lead through all of it, and offsets pass over what they say", async () => {
    const whole = await all("");
    expect(whole).toHaveLength(10);
    expect(await all("limit=3")).toEqual(whole);
    for (const offset of [0, 1, 4, 9, 10, 11])
      expect(await all(`limit=2&offset=${offset}`)).toEqual(whole.slice(offset));
    expect(await all("sort_order=ASC")).toEqual(whole.toReversed());
    expect(await all("sort_by=recorded_at")).toEqual(
      whole.toSorted((a, b) => Number(b.split(".")[2]) - Number(a.split(".")[2])),
    );
  });

  test("R-66 every word of sort_by orders", async () => {
    for (const word of order.sort_by.unwrap().options) {
      const { data } = await json(`${rest.url}/audit-logs?limit=100&sort_by=${word}`);
      const values: string[] = data.map((log: Readonly<Record<string, string | null>>) => log[word] ?? "");
      expect(values).toHaveLength(10);
      expect(values).toEqual(
        values.toSorted((a, b) =>
          word.endsWith("_at") || word === "timestamp"
            ? Date.parse(b) - Date.parse(a)
            : a < b
              ? 1
              : a > b
                ? -1
                : 0,
        ),
      );
    }
  });

  test("a page that closes before its offset is reached passes the rest on in its token", async () => {
    await using wide = await openHistoryWorld();
    const logins = (from: number) =>
      Array.from({ length: 2_000 }, (_, i) => ({ type: "auth.login", payload: { id: from + i } }));
    await wide.publish(
      { type: "account.created" },
      { type: "account.updated" },
      { type: "account.disabled" },
    );
    for (let n = 0; n < 11; n++) await wide.publish(...logins(n * 2_000));
    await using served = await serveRest({ query: wide.deps, collect: collectInto(wide) });
    const base = `${served.url}/audit-logs?sort_by=recorded_at&filter=kind%20%3D%20change`;
    const pages: string[][] = [];
    for (let query = "offset=1"; ; ) {
      const page = await json(`${base}&${query}`);
      pages.push(page.data.map(({ event_type }: { readonly event_type: string }) => event_type));
      if (page.pagination.next_page_token === "") break;
      query = `page_token=${page.pagination.next_page_token}`;
    }
    expect(pages).toEqual([[], [], ["account.updated", "account.created"]]);
    const { total, is_partial } = await json(`${served.url}/audit-logs/summary`);
    expect([is_partial, total > countedRowsMax / 2, total <= countedRowsMax]).toEqual([true, true, true]);
  }, 120_000);

  test.each([
    ["limit=-1", "400 INVALID_ARGUMENT limit"], ["limit=abc", "400 INVALID_ARGUMENT limit"], ["limit=1.5", "400 INVALID_ARGUMENT limit"],
    ["limit=", "400 INVALID_ARGUMENT limit"], ["limit=0x10", "400 INVALID_ARGUMENT limit"], ["offset=-1", "400 INVALID_ARGUMENT offset"],
    ["page_token=x", "400 INVALID_ARGUMENT page_token"], ["sort_by=name", "400 INVALID_ARGUMENT sort_by"], ["sort_order=asc", "400 INVALID_ARGUMENT sort_order"],
  ])("R-66 row 76 %s is refused: %s", async (query, expected) => {
    expect(await refusal(`${rest.url}/audit-logs?${query}`)).toBe(expected);
  }); // biome-ignore format: a table

  test("R-66 row 76 a limit of 0 is the default, and a large one is the largest", async () => {
    expect((await json(`${rest.url}/audit-logs?limit=0`)).pagination.limit).toBe(50);
    expect((await json(`${rest.url}/audit-logs?limit=1000000000`)).pagination.limit).toBe(1_000);
  });

  test("R-66 row 77 a large offset is refused with the advice to go by token", async () => {
    const { status, text } = await ask(`${rest.url}/audit-logs?offset=1000000000`);
    expect([status, JSON.parse(text).errors]).toEqual([
      400,
      [{ field: "offset", detail: expect.stringMatching(/above 10000: go on with page_token/) }],
    ]);
    expect((await json(`${rest.url}/audit-logs?offset=10000`)).data).toEqual([]);
  });

  test("R-66 row 78 a token forged, cut, of another question or beside an offset is refused", async () => {
    const token: string = (await json(`${rest.url}/audit-logs?limit=1`)).pagination.next_page_token;
    const at = (query: string) => refusal(`${rest.url}/audit-logs?${query}`);
    expect(await at(`page_token=${token.slice(0, -2)}`)).toBe("400 INVALID_ARGUMENT page_token");
    expect(await at(`page_token=${token.slice(0, -1)}${token.endsWith("A") ? "B" : "A"}`)).toBe(
      "400 INVALID_ARGUMENT page_token",
    );
    expect(await at(`page_token=${token}&user_id=eve`)).toBe("400 INVALID_ARGUMENT page_token");
    expect(await at(`page_token=${token}&sort_order=ASC`)).toBe("400 INVALID_ARGUMENT page_token");
    expect(await at(`page_token=${token}&offset=0`)).toBe("400 INVALID_ARGUMENT offset");
    expect(await refusal(`${rest.url}/audit-logs/user/eve?page_token=${token}`)).toBe(
      "400 INVALID_ARGUMENT page_token",
    );
  });
});
