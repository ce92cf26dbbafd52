/** `search` over REST: full text as gRPC's `text` asks for it, beside the beginnings of ids, and by the same rules. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { indexPass } from "../../../src/indexing/index-pass.ts";
import { searchRecords } from "../../../src/query/search-records.ts";
import { authenticateAs, grant, person } from "../../support/callers.ts";
import { quietCollect } from "../../support/grpc-client.ts";
import type { EventSpec } from "../../support/history-world.ts";
import { type LoggedWorld, openLoggedWorld } from "../../support/logged-world.ts";
import { ask, json, refusal, serveRest, type TestRest } from "../../support/rest-client.ts";

const signal = new AbortController().signal;
const whole = person("whole", grant("auditor"));
const masked = person("masked", grant("auditor", { personal: false }));
/** Sees the persons of one tenant, and only the records of the other. */
const partly = person("partly", grant("auditor", { tenants: ["b"] }), grant("auditor", { personal: false }));
const elsewhere = person("elsewhere", grant("auditor", { tenants: ["c"] }));
const as = ({ id }: { readonly id: string }) => ({ headers: { authorization: id } });

const event = (n: number, name: string | undefined, user: string, more: EventSpec = {}): EventSpec => ({
  type: "account.created",
  payload: { public_id: `p-${n}`, name },
  metadata: { user_id: user, tenant_id: n % 2 === 0 ? "a" : "b" },
  ...more,
});

let world: LoggedWorld;
let rest: TestRest;
const index = async (): Promise<void> => {
  const { log, history, index } = world.store;
  const { keys, catalogue } = world.deps;
  for (let lag = 1; lag > 0; ) ({ lag } = await indexPass({ log, history, index, keys, catalogue }, signal));
};
beforeAll(async () => {
  world = await openLoggedWorld();
  await world.log(
    event(0, "João da Silva", "eve"),
    event(1, "Joana Souza", "mary"),
    event(2, "Maria João", "joseph"),
    event(3, undefined, "mary", { type: "invoice.paid" }),
  );
  await index();
  const authenticate = authenticateAs(whole, masked, partly, elsewhere);
  rest = await serveRest({ query: world.deps, collect: quietCollect(world.deps) }, { authenticate });
});
afterAll(async () => {
  await rest?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

const idsOf = (data: readonly { readonly resource_id: string }[]): string =>
  data
    .map(({ resource_id: id }) => id.slice(2))
    .sort()
    .join("");
const found = async (search: string, more = "", caller = whole): Promise<string> =>
  idsOf((await json(`${rest.url}/audit-logs?search=${encodeURIComponent(search)}${more}`, as(caller))).data);

test.each([
  ["joao", "02"], ["JOÃO", "02"], ["jo", "012"], ["silva joao", "0"], ["joão sil", "0"], ["sil joao", ""], ["joao souza", ""],
  ["invoice", "3"], ["created", "012"], ["account.created", "012"], ["p-2", "2"], ["p-", "0123"], ["2", "2"], ["mary", "13"], ["MARY", ""],
  ["joseph", "2"], ["nobody", ""], ["--", ""],
])("R-65 search=%j finds %j: all words whatever their accents and capitals, the last as a beginning, or an id's beginning", async (search, ids) => {
  for (const more of ["", "&sort_by=recorded_at", "&sort_by=user_id&sort_order=ASC"])
    expect(await found(search, more)).toBe(ids);
}); // biome-ignore format: a table

test("R-65 what else is asked for must hold, too, wherever a list, a summary or an export is asked for", async () => {
  expect(await found("jo", "&user_id=mary")).toBe("1");
  expect(await found("jo", "&tenant=a&filter=text%3Amaria")).toBe("2");
  const { total } = await json(`${rest.url}/audit-logs/summary?search=joao`, as(whole));
  expect(total).toBe(2);
  expect(idsOf(await json(`${rest.url}/audit-logs/export?search=joao`, as(whole)))).toBe("02");
  expect(await found("joao", "&limit=1")).not.toBe("02");
});

test("R-65 search finds what gRPC's text finds, to whom it finds it, and nobody by what he is not shown", async () => {
  const over = async (caller: typeof whole) => {
    const request = { filter: 'text:"jo*"', orderBy: "", pageSize: 0, pageToken: "" };
    return (await searchRecords(world.deps, request, caller, signal, undefined)).records.length;
  };
  expect([await found("jo", "", partly), await found("jo", "", elsewhere)]).toEqual(["1", ""]);
  expect([await over(partly), await over(elsewhere)]).toEqual([1, 0]);
  expect(await refusal(`${rest.url}/audit-logs?search=jo`, as(masked))).toBe("403 PERMISSION_DENIED filter");
  await expect(over(masked)).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
});

test("R-65 an operator switches search off with full text", async () => {
  const guard = {
    ...world.deps.guard,
    switches: { isOn: async (name: string) => name !== "full_text_search" },
  };
  const query = { ...world.deps, guard };
  await using other = await serveRest(
    { query, collect: quietCollect(query) },
    { authenticate: authenticateAs(whole) },
  );
  expect(await refusal(`${other.url}/audit-logs?search=jo`, as(whole))).toBe("503 SWITCHED_OFF");
  expect((await ask(`${other.url}/audit-logs`, as(whole))).status).toBe(200);
});

test("R-65 R-85 an answer says how far the index is, and what it does not hold yet is found by its id alone", async () => {
  const asked = async (search: string) => {
    const { data, pagination, tree_size } = await json(`${rest.url}/audit-logs?search=${search}`, as(whole));
    return { ids: idsOf(data), indexed: pagination.start_tree_size, tree: tree_size };
  };
  const before = await asked("joao");
  expect(before.indexed).toBe(before.tree);
  await world.log(event(4, "João Late", "late-user"));
  const behind = await asked("joao");
  expect(behind).toEqual({ ids: before.ids, indexed: before.indexed, tree: world.built.size() });
  expect((await asked("late-user")).ids).toBe("4");
  await index();
  expect(await asked("joao")).toEqual({ ids: "024", indexed: behind.tree, tree: behind.tree });
});
