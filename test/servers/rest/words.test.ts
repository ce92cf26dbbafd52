/** What may be asked over REST by its words, and what is found. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { worldSrc } from "../../support/history-world.ts";
import { ask, json, refusal, type TestRest } from "../../support/rest-client.ts";
import { openRestWorld, type RestWorld } from "../../support/rest-world.ts";

let served: RestWorld;
let rest: TestRest;
let found: RestWorld["found"];
beforeAll(async () => {
  served = await openRestWorld();
  ({ rest, found } = served);
}, 60_000);
afterAll(async () => served?.[Symbol.asyncDispose]());

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
  ["/audit-logs?search=bo", ["auth.login 8"]],
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

test.each([
  ["user_id[$ne]=1", "400 INVALID_ARGUMENT user_id[$ne]"], ["limit[]=1", "400 INVALID_ARGUMENT limit[]"], ["limit=1&limit=1", "400 INVALID_ARGUMENT limit"],
  ["user_id=a&user_id=b", "400 INVALID_ARGUMENT user_id"], ["$where=1", "400 INVALID_ARGUMENT $where"], ["__proto__=1", "400 INVALID_ARGUMENT __proto__"],
  ["user_id=", "400 INVALID_ARGUMENT user_id"], [`user_id=${"x".repeat(257)}`, "400 INVALID_ARGUMENT user_id"], ["status=success", "400 INVALID_ARGUMENT status"],
  ["severity=SEVERE", "400 INVALID_ARGUMENT severity"], ["ip_address=10.1", "400 INVALID_ARGUMENT ip_address"], ["filter=payload.$where%20%3D%20%22x%22", "400 INVALID_ARGUMENT filter"],
  [`search=${"a%20".repeat(17)}`, "400 INVALID_ARGUMENT search"], ["search=", "400 INVALID_ARGUMENT search"],
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

test("R-61 changes are told version by version, oldest first, in pages, to the digit", async () => {
  const at = `${rest.url}/entities/team_service/account/a-1/changes`;
  const { text, headers } = await ask(at);
  expect(text).toContain(
    '"old_values":{"total":1},"new_values":{"total":9007199254740993},"differences":[{"op":"replace","path":"/total","old_value":1,"new_value":9007199254740993}]',
  );
  const { data, ...page } = JSON.parse(text);
  expect([page, headers.get("x-audit-tree-size")]).toEqual([{ next_page_token: "", tree_size: null }, null]);
  expect(data).toMatchObject([
    { record: { version: 1, event_type: "account.created" }, new_values: { public_id: "a-1", total: 1 }, erased: false, masked: false },
    { record: { version: 2, event_type: "account.updated", user_id: "789" }, erased: false, masked: false },
  ]);
  expect("old_values" in data[0]).toBe(false);
  const first = await json(`${at}?limit=1`);
  const second = await json(`${at}?limit=1&page_token=${first.next_page_token}`);
  expect([...first.data, ...second.data]).toEqual(data);
  expect(second.next_page_token).toBe("");
}); // biome-ignore format: a record a line

test("R-61 a range of changes is named by versions, by times of recording, or by both", async () => {
  const versions = async (query: string): Promise<number[]> => {
    const { data } = await json(`${rest.url}/entities/team_service/account/a-1/changes?${query}`);
    return data.map(({ record }: { readonly record: { readonly version: number } }) => record.version);
  };
  // All were recorded in one moment.
  const { data } = await json(`${rest.url}/audit-logs?limit=1`);
  const { recorded_at: at } = data[0];
  const later = new Date(Date.parse(at) + 1).toISOString();
  expect(await versions("from_version=2")).toEqual([2]);
  expect(await versions("to_version=1")).toEqual([1]);
  expect(await versions("from_version=3")).toEqual([]);
  expect(await versions(`recorded_from=${at}&recorded_to=${later}`)).toEqual([1, 2]);
  expect(await versions(`recorded_from=${at}&to_version=1`)).toEqual([1]);
  expect(await versions(`recorded_to=${at}`)).toEqual([]);
  expect(await versions(`recorded_from=${later}`)).toEqual([]);
});

test.each([
  ["from_version=0", "400 INVALID_ARGUMENT from_version"], ["to_version=-1", "400 INVALID_ARGUMENT to_version"],
  ["from_version=2&to_version=1", "400 INVALID_ARGUMENT to_version"], ["recorded_to=2024-06-22", "400 INVALID_ARGUMENT recorded_to"],
  ["recorded_from=2024-06-22T12:00:00Z&recorded_to=2024-06-22T12:00:00Z", "400 INVALID_ARGUMENT recorded_to"],
  ["page_token=x", "400 INVALID_ARGUMENT page_token"], ["kind=all", "400 INVALID_ARGUMENT kind"],
])("R-61 changes for %s are refused: %s", async (query, expected) => {
  expect(await refusal(`${rest.url}/entities/team_service/account/a-1/changes?${query}`)).toBe(expected);
}); // biome-ignore format: a table

test("R-61 a comparison tells numbers by their digits", async () => {
  const { text } = await ask(
    `${rest.url}/entities/team_service/account/a-1/compare?from_version=1&to_version=2`,
  );
  expect(text).toContain(
    '"differences":[{"op":"replace","path":"/total","old_value":1,"new_value":9007199254740993}]',
  );
});
