/** REST over HTTP: its words, its pages, its errors and its limits. */
import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { LastroError } from "../../../src/core/errors.ts";
import type { Credentials } from "../../../src/ports/authenticate.ts";
import { countedRowsMax } from "../../../src/query/count-records.ts";
import { scanRowsMax } from "../../../src/query/search-page.ts";
import { order } from "../../../src/servers/rest/words.ts";
import { collectInto } from "../../support/collecting.ts";
import { eventText, type HistoryWorld, openHistoryWorld, worldSrc } from "../../support/history-world.ts";
import { ask, json, refusal, restLimits, serveRest, type TestRest } from "../../support/rest-client.ts";

let world: HistoryWorld;
let rest: TestRest;
beforeAll(async () => {
  world = await openHistoryWorld();
  const eve = { user_id: "eve", user_ip: "203.0.113.9" };
  await world.publish(
    { type: "account.created", payload: { public_id: "a-1", total: 1 }, timestamp: "2024-06-20T10:00:00Z" },
    { type: "account.updated", text: eventText({ payload: { public_id: "a-1" } }).replace('"public_id"', '"total":9007199254740993,"public_id"') },
    { type: "report.exported", payload: { id: 7 }, producer: "billing", timestamp: "2024-06-21T10:00:00Z", metadata: { status: "PENDING" } },
    ...Array.from({ length: 5 }, (_, i) => ({
      type: "auth.login_failed", payload: { id: i }, timestamp: `2024-06-22T10:00:0${i}Z`, metadata: eve,
    })),
    { type: "auth.login", payload: { id: 9 }, timestamp: "2024-06-22T10:01:00Z", metadata: { ...eve, user_ip: "203.0.113.10" } },
    { type: "auth.login", payload: { id: 8 }, timestamp: "2024-06-22T10:02:00Z", metadata: { user_id: "bob", status: "FAILURE" } },
  ); // biome-ignore format: an event a line
  rest = await serveRest({ query: world.deps, collect: collectInto(world) });
}, 60_000);
afterAll(async () => {
  await rest?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

const found = async (path: string): Promise<string[]> =>
  (await json(`${rest.url}${path}`)).data.map(
    (log: { readonly event_type: string; readonly resource_id: string }) =>
      `${log.event_type} ${log.resource_id}`,
  );
const failed = [4, 3, 2, 1, 0].map((id) => `auth.login_failed ${id}`);

test.each([
  ["/audit-logs?action=CREATE", ["account.created a-1"]],
  ["/audit-logs?resource=Account&resource_id=a-1", ["account.updated a-1", "account.created a-1"]],
  ["/audit-logs?user_id=bob", ["auth.login 8"]],
  ["/audit-logs?status=PENDING", ["report.exported 7"]],
  ["/audit-logs?status=FAILURE&action=LOGIN", ["auth.login 8"]],
  ["/audit-logs?severity=HIGH", ["report.exported 7"]],
  ["/audit-logs?ip_address=203.0.113.10", ["auth.login 9"]],
  ["/audit-logs?ip_address=::ffff:203.0.113.10", ["auth.login 9"]],
  ["/audit-logs?service_name=billing", ["report.exported 7"]],
  ["/audit-logs?search=rep", ["report.exported 7"]],
  ["/audit-logs?to_date=2024-06-21T10:00:00Z", ["report.exported 7", "account.created a-1"]],
  ["/audit-logs?from_date=2024-06-20T10:00:00Z&to_date=2024-06-21T09:59:59.999Z", ["account.created a-1"]],
  [
    "/audit-logs?from_date=2024-06-22T07:01:00-03:00&to_date=2024-06-22T07:02:00-03:00",
    ["auth.login 8", "auth.login 9"],
  ],
  [
    "/audit-logs?filter=event_type%20%3D%20%22account.*%22&sort_order=ASC",
    ["account.created a-1", "account.updated a-1"],
  ],
  [
    "/audit-logs?filter=kind%20%3D%20change%20OR%20severity%20%3D%20HIGH&resource=report",
    ["report.exported 7"],
  ],
  ["/audit-logs?tenant=nobody", []],
  ["/audit-logs/resource/Account/a-1?action=UPDATE", ["account.updated a-1"]],
  ["/audit-logs/user/eve?action=LOGIN", ["auth.login 9"]],
  ["/audit-logs/critical", failed],
  ["/audit-logs/failed-auth", ["auth.login 8", ...failed]],
  ["/audit-logs/failed-auth?user_id=bob", ["auth.login 8"]],
])("R-65 %s finds %j", async (path, expected) => {
  expect(await found(path)).toEqual(expected);
});

test("R-62 a record tells who, when and what, and its payload to the digit", async () => {
  const { text, headers } = await ask(`${rest.url}/audit-logs?action=UPDATE`);
  expect(text).toContain('"payload":{"total":9007199254740993,"public_id":"a-1"}');
  expect(headers.get("cache-control")).toBe("no-store");
  const [log] = JSON.parse(text).data;
  expect(log).toMatchObject({
    id: `${worldSrc}.1`, timestamp: "2024-06-22T12:00:00.000Z", action: "UPDATE", action_type: "update", version: 2, is_active: true,
    resource: "account", resource_id: "a-1", user_id: "789", user_role: "admin", user_type: "user", ip_address: "192.168.1.100",
    status: "SUCCESS", severity: "MEDIUM", service_name: "team_service", tenant: "default", body_state: "complete",
    check: { leaf_hash_matches: true, body_matches: true, altered_fields: [] }, log: { state: "pending", index: null, tree_size: null },
    metadata: { user_id: "789" },
  }); // biome-ignore format: a table
  const { event } = await json(`${rest.url}/audit-logs/${worldSrc}.1`);
  expect(Buffer.from(event, "base64").toString()).toContain("9007199254740993");
  expect(await refusal(`${rest.url}/audit-logs/${worldSrc}.99`)).toBe("404 NOT_FOUND id");
  expect(await refusal(`${rest.url}/audit-logs/x`)).toBe("400 INVALID_ARGUMENT id");
});

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

test.each([
  ["user_id[$ne]=1", "400 INVALID_ARGUMENT user_id[$ne]"], ["limit[]=1", "400 INVALID_ARGUMENT limit[]"], ["limit=1&limit=1", "400 INVALID_ARGUMENT limit"],
  ["user_id=a&user_id=b", "400 INVALID_ARGUMENT user_id"], ["$where=1", "400 INVALID_ARGUMENT $where"], ["__proto__=1", "400 INVALID_ARGUMENT __proto__"],
  ["user_id=", "400 INVALID_ARGUMENT user_id"], [`user_id=${"x".repeat(257)}`, "400 INVALID_ARGUMENT user_id"], ["status=success", "400 INVALID_ARGUMENT status"],
  ["severity=SEVERE", "400 INVALID_ARGUMENT severity"], ["ip_address=10.1", "400 INVALID_ARGUMENT ip_address"], ["filter=payload.$where%20%3D%20%22x%22", "400 INVALID_ARGUMENT filter"],
  ["from_date=2024-06-22", "400 INVALID_ARGUMENT from_date"], ["from_date=2024-06-22T12:00:00", "400 INVALID_ARGUMENT from_date"],
])("R-65 row 75 %s is refused: %s", async (query, expected) => {
  expect(await refusal(`${rest.url}/audit-logs?${query}`)).toBe(expected);
}); // biome-ignore format: a table

test("R-65 row 79 a period that ends before it begins is refused; a hundred years are answered", async () => {
  for (const route of [
    "",
    "/critical",
    "/summary",
    "/export",
    "/suspicious-activity",
    "/user/eve/ip-history",
  ])
    expect(
      await refusal(
        `${rest.url}/audit-logs${route}?from_date=2024-06-22T12:00:00Z&to_date=2024-06-22T11:59:59Z`,
      ),
    ).toBe("400 INVALID_ARGUMENT to_date");
  expect(await found("/audit-logs?from_date=2000-01-01T00:00:00Z&to_date=2099-12-31T00:00:00Z")).toHaveLength(
    10,
  );
});

test("R-63 the addresses of a user come with how often, first, last and which services", async () => {
  const { data, is_partial } = await json(`${rest.url}/audit-logs/user/eve/ip-history`);
  expect([is_partial, data]).toEqual([
    false,
    [
      { ip_address: "203.0.113.10", count: 1, first_seen: "2024-06-22T10:01:00.000Z", last_seen: "2024-06-22T10:01:00.000Z", services: ["team_service"] },
      { ip_address: "203.0.113.9", count: 5, first_seen: "2024-06-22T10:00:00.000Z", last_seen: "2024-06-22T10:00:04.000Z", services: ["team_service"] },
    ],
  ]);
}); // biome-ignore format: rows

test("R-64 R-69 failed logins from one address, and the login behind them, are suspicious", async () => {
  const { data } = await json(`${rest.url}/audit-logs/suspicious-activity`);
  expect(data).toMatchObject([
    {
      rule: "brute_force",
      user_id: "eve",
      ip_address: null,
      count: 6,
      last_seen: "2024-06-22T10:01:00.000Z",
    },
    { rule: "many_failed_logins", user_id: null, ip_address: "203.0.113.9", count: 5 },
  ]);
  expect(
    (await json(`${rest.url}/audit-logs/suspicious-activity?to_date=2024-06-22T10:00:03Z`)).data,
  ).toEqual([]);
});

test("R-64 a summary counts what matches", async () => {
  const { total, by } = await json(`${rest.url}/audit-logs/summary?resource=auth`);
  expect(total).toBe(7);
  expect(by.action).toEqual([
    { value: "LOGIN_FAILED", count: 5 },
    { value: "LOGIN", count: 2 },
  ]);
  expect(by.status).toEqual([
    { value: "FAILURE", count: 6 },
    { value: "SUCCESS", count: 1 },
  ]);
  expect(by.day).toEqual([{ value: "2024-06-22", count: 7 }]);
});

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

test("R-62 an event is published, answered with its place, and found; its repetition under the same key has another place", async () => {
  const headers = { "content-type": "application/json", "idempotency-key": "key-1" };
  const text = eventText({ type: "payment.requested", payload: { public_id: "p-1" } });
  const { status, text: answer } = await ask(`${rest.url}/audit-logs`, {
    method: "POST",
    headers,
    body: text,
  });
  const { id, ...told } = JSON.parse(answer);
  expect([status, told]).toEqual([
    202,
    { event_id: { form: "header", parts: ["key-1"] }, outcome: null, original_id: null },
  ]);
  expect((await json(`${rest.url}/audit-logs/${id}`)).data).toMatchObject({
    event_type: "payment.requested",
    status: "PENDING",
  });
  const waited = await ask(`${rest.url}/audit-logs?wait=stored`, {
    method: "POST",
    headers: { "content-type": "application/cloudevents+json" },
    body: JSON.stringify({
      specversion: "1.0",
      id: "ce-1",
      source: "team_service",
      type: "account.viewed",
      data: JSON.parse(text),
    }),
  });
  expect([waited.status, JSON.parse(waited.text)]).toMatchObject([
    201,
    { event_id: { form: "ce" }, outcome: "stored" },
  ]);
});

test.each(["/audit-logs", "/nowhere"])(
  "a method that nothing here has is the caller's fault, not the service's: %s",
  async (path) => {
    const before = rest.logged.length;
    expect(await refusal(`${rest.url}${path}`, { method: "QUERY" })).toBe("415 INVALID_ARGUMENT");
    for (const method of ["PUT", "DELETE", "PATCH"])
      expect(await refusal(`${rest.url}${path}`, { method })).toBe("404 NOT_FOUND");
    expect(rest.logged).toHaveLength(before);
  },
);

test("R-62 an event that intake would reject is refused with its reason and the field", async () => {
  const post = (body: string, type = "application/json") =>
    refusal(`${rest.url}/audit-logs`, { method: "POST", headers: { "content-type": type }, body });
  expect(await post('{"a":1,}')).toBe("400 EVENT_REJECTED event");
  expect(await post(eventText({ timestamp: "yesterday" }))).toBe("400 EVENT_REJECTED event.timestamp");
  expect(await post("{}", "text/plain")).toBe("415 INVALID_ARGUMENT");
  expect(await post("")).toBe("400 EVENT_REJECTED event");
  expect(await post("x".repeat(restLimits.bodyBytesMax + 1))).toBe("413 INVALID_ARGUMENT");
  expect(
    await refusal(`${rest.url}/audit-logs?wait=soon`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    }),
  ).toBe("400 INVALID_ARGUMENT wait");
});

describe("limits", () => {
  const never = (): typeof world.deps => ({
    ...world.deps,
    history: { ...world.deps.history, search: () => new Promise<never>(() => undefined) },
  });

  test("a request is answered at its deadline, though nobody hears of it inside", async () => {
    const limits = { ...restLimits, deadlineMsMax: 100 };
    await using slow = await serveRest({ query: never(), collect: collectInto(world) }, { limits });
    expect(await refusal(`${slow.url}/audit-logs`)).toBe("504 DEADLINE_EXCEEDED");
  });

  test("more requests at once than are allowed are sent away, and room is made by those that end or go", async () => {
    const limits = { ...restLimits, requestsMax: 1 };
    await using busy = await serveRest({ query: never(), collect: collectInto(world) }, { limits });
    const gone = new AbortController();
    const first = ask(`${busy.url}/audit-logs`, { signal: gone.signal }).catch(() => "gone");
    const other = `${busy.url}/ownerships`;
    for (let answer = ""; answer !== "429 LIMIT_REACHED"; ) {
      const { status } = await ask(other);
      if (status === 429) answer = await refusal(other);
    }
    gone.abort();
    expect(await first).toBe("gone");
    for (let status = 429; status !== 200; ) status = (await ask(other)).status;
  });

  test("who asks is found out before anything else, by what the request carries", async () => {
    const seen: Credentials[] = [];
    const authenticate = async (credentials: Credentials): Promise<never> => {
      seen.push(credentials);
      throw new LastroError("KEY_UNAVAILABLE", "the issuer is away");
    };
    await using closed = await serveRest({ query: never(), collect: collectInto(world) }, { authenticate });
    const headers = { authorization: "Bearer x", "x-m2m-service": "billing" };
    expect(await refusal(`${closed.url}/audit-logs?x=1`, { headers })).toBe("503 KEY_UNAVAILABLE");
    expect(seen).toEqual([{ authorization: "Bearer x", m2mService: "billing", certificateNames: undefined }]);
  });

  test("what fails unexpectedly says nothing of the inside, and is logged", async () => {
    const query = {
      ...world.deps,
      history: { ...world.deps.history, byRid: () => Promise.reject(new Error("secret")) },
    };
    await using failing = await serveRest({ query, collect: collectInto(world) });
    const { status, text } = await ask(`${failing.url}/audit-logs/${worldSrc}.1`);
    expect([status, text.includes("secret"), failing.logged]).toEqual([500, false, ["rest_failed"]]);
  });

  test("garbage, a URL that is too long and a path that does not decode are refused, and the server lives", async () => {
    const [host = "", port = ""] = rest.address.split(":");
    const socket = connectTcp(Number(port), host).resume();
    socket.write("\x16\x03\x01 garbage\r\n\r\n");
    await once(socket, "close");
    expect((await ask(`${rest.url}/audit-logs?user_id=${"x".repeat(20_000)}`)).status).toBe(431);
    expect(await refusal(`${rest.url}/audit-logs/%zz`)).toBe("400 INVALID_ARGUMENT");
    expect(await refusal(`${rest.url}/nowhere`)).toBe("404 NOT_FOUND");
    expect(await refusal(`${rest.url}/audit-logs`, { method: "DELETE" })).toBe("404 NOT_FOUND");
    expect(await found("/audit-logs?user_id=bob")).toEqual(["auth.login 8"]);
  });
});
