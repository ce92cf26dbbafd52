/** Who may do what, over REST, against a server on a real store: the same table that gRPC is held against. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type Caller, roles } from "../../../src/core/caller.ts";
import { failuresOfAddressMin } from "../../../src/core/suspicion.ts";
import {
  expected,
  lasting,
  type MatrixMethod,
  overRestAlone,
  type Reached,
  type RestMethod,
  type Tenant,
  tenants,
} from "../../support/access-matrix.ts";
import { type AccessWorld, callerOf, callers, nobody, openAccessWorld } from "../../support/access-world.ts";
import { authenticateAs, grant, person } from "../../support/callers.ts";
import { quietCollect } from "../../support/grpc-client.ts";
import { eventText, ownership, worldSrc } from "../../support/history-world.ts";
import { ask, serveRest, type TestRest } from "../../support/rest-client.ts";

let accessWorld: AccessWorld;
let rids: AccessWorld["rids"];
let server: TestRest;
const masked = person("masked", grant("reader", { personal: false }));

beforeAll(async () => {
  accessWorld = await openAccessWorld();
  ({ rids } = accessWorld);
  const { query, world } = accessWorld;
  // So many failed logins from one address are critical and suspicious.
  for (const tenant of tenants)
    await world.publish(
      ...Array.from({ length: failuresOfAddressMin }, (_, id) => ({
        type: "auth.login_failed",
        payload: { id },
        metadata: { tenant_id: tenant },
      })),
    );
  const authenticate = authenticateAs(nobody, masked, ...callers);
  server = await serveRest({ query, collect: quietCollect(query) }, { authenticate });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await accessWorld.world[Symbol.asyncDispose]();
});

type Asked = { readonly path: string; readonly body?: string };
const entity = "/entities/team_service/account/a-1";
const requests: Readonly<Partial<Record<MatrixMethod, (tenant: Tenant) => Asked>>> = {
  GetRecord: (tenant) => ({ path: `/audit-logs/${rids[tenant]}` }),
  GetHistory: (tenant) => ({ path: `${entity}/history?tenant=${tenant}` }),
  GetState: (tenant) => ({ path: `${entity}/state?tenant=${tenant}` }),
  CompareVersions: (tenant) => ({ path: `${entity}/compare?tenant=${tenant}&from_version=1&to_version=2` }),
  ListChanges: (tenant) => ({ path: `${entity}/changes?tenant=${tenant}` }),
  SearchRecords: (tenant) => ({ path: `/audit-logs?tenant=${tenant}` }),
  SummarizeRecords: (tenant) => ({ path: `/audit-logs/summary?tenant=${tenant}` }),
  GetOwnership: (tenant) => ({ path: `/ownerships/${ownership}?tenant=${tenant}` }),
  ListOwnerships: (tenant) => ({ path: `/ownerships?tenant=${tenant}` }),
  ListOwnedRecords: (tenant) => ({ path: `/ownerships/${ownership}/audit-logs?tenant=${tenant}` }),
  GetCheckpoint: () => ({ path: "/log/checkpoint" }),
  GetInclusionProof: (tenant) => ({ path: `/log/inclusion-proof?id=${rids[tenant]}` }),
  GetConsistencyProof: () => ({ path: "/log/consistency-proof?old_size=1" }),
  GetEntry: (tenant) => ({ path: `/log/entry?id=${rids[tenant]}` }),
  GetCoverage: () => ({ path: `/log/coverage?src=${worldSrc}` }),
  PublishEvents: (tenant) => ({
    path: "/audit-logs",
    body: eventText({ metadata: { tenant_id: tenant } }),
  }),
};

/** Routes that ask what others ask too, and those that nothing else answers. */
const others = [
  ["/audit-logs/critical", "SearchRecords"],
  ["/audit-logs/failed-auth", "SearchRecords"],
  ["/audit-logs/user/789", "SearchRecords"],
  ["/audit-logs/resource/account/a-1", "SearchRecords"],
  ["/audit-logs/user/789/ip-history", "GetIpHistory"],
  ["/audit-logs/suspicious-activity", "GetSuspiciousActivity"],
] as const;
const routes: readonly (readonly [string, RestMethod, (tenant: Tenant) => Asked])[] = [
  ...Object.entries(requests).map(([method, asked]) => [method, method as MatrixMethod, asked] as const),
  ...others.map(
    ([path, method]) => [path, method, (tenant: Tenant) => ({ path: `${path}?tenant=${tenant}` })] as const,
  ),
];

async function reached({ id }: Caller, { path, body }: Asked): Promise<Reached | number> {
  const init =
    body === undefined
      ? { headers: { authorization: id } }
      : { method: "POST", body, headers: { authorization: id, "content-type": "application/json" } };
  const { status, text } = await ask(`${server.url}${path}`, init);
  if (status === 403) return "denied";
  if (status === 404) return "absent";
  if (status >= 300) return status;
  const { data } = JSON.parse(text);
  return Array.isArray(data) && data.length === 0 ? "empty" : "answered";
}

describe("R-25 R-70 role, route, own and foreign tenant", () => {
  test.each(roles.flatMap((role) => routes.map(([name, ...asked]) => [role, name, ...asked] as const)))(
    "%s: %s",
    async (role, _name, method, asked) => {
      for (const isBounded of [true, false])
        for (const tenant of tenants)
          expect([isBounded, tenant, await reached(callerOf(role, isBounded), asked(tenant))]).toEqual([
            isBounded,
            tenant,
            expected(role, isBounded, method, tenant),
          ]);
    },
  );

  test.each([...others.map(([path]) => path), "/audit-logs", "/audit-logs/summary"])(
    "%s without a tenant tells who is bounded of the own one alone",
    async (path) => {
      const told = async (isBounded: boolean, asked: string): Promise<unknown> => {
        const headers = { authorization: callerOf("auditor", isBounded).id };
        const { data, total, by } = JSON.parse((await ask(`${server.url}${asked}`, { headers })).text);
        return data ?? { total, by };
      };
      const own = await told(false, `${path}?tenant=own`);
      expect(await told(true, path)).toEqual(own);
      expect(await told(false, path)).not.toEqual(own);
    },
  );

  test("an export is for those who may, and for nobody else", async () => {
    for (const role of roles)
      for (const isBounded of [true, false]) {
        const answer = await reached(callerOf(role, isBounded), { path: "/audit-logs/export" });
        expect([role, answer]).toEqual([
          role,
          lasting["ExportRecords"]?.includes(role) ? "answered" : "denied",
        ]);
      }
  });

  test("who has no grant is denied on every route", async () => {
    for (const [name, , asked] of routes)
      expect([name, await reached(nobody, asked("own"))]).toEqual([name, "denied"]);
    expect(await reached(nobody, { path: "/audit-logs/export" })).toBe("denied");
  });

  test("an export holds what is in reach alone, and persons are not asked for by who may not see them", async () => {
    const headers = { authorization: callerOf("auditor", true).id };
    const { text } = await ask(`${server.url}/audit-logs/export`, { headers });
    expect(new Set(JSON.parse(text).map(({ tenant }: { tenant: string }) => tenant))).toEqual(
      new Set(["own"]),
    );
    expect(await reached(masked, { path: "/audit-logs/user/789/ip-history" })).toBe("denied");
    expect(await reached(masked, { path: "/audit-logs?user_id=789" })).toBe("denied");
    expect(await reached(masked, { path: "/audit-logs?search=a" })).toBe("denied");
    expect(await reached(masked, { path: "/audit-logs" })).toBe("answered");
  });
});

test("R-25 who has no grant is denied before the request is looked at, whatever is wrong with it, and it is told", async () => {
  const denied: string[] = [];
  const { query } = accessWorld;
  const watch = { ...query.guard.watch, denied: (_: Caller, method: string) => void denied.push(method) };
  const watched = { ...query, guard: { ...query.guard, watch } };
  const parts = { query: watched, collect: quietCollect(watched) };
  await using other = await serveRest(parts, { authenticate: authenticateAs(nobody) });
  const { paths } = JSON.parse((await ask(`${other.url}/openapi.json`)).text);
  for (const [path, operations] of Object.entries<object>(paths))
    for (const operation of Object.keys(operations)) {
      const url = new URL(`${path.replaceAll(/\{\w+\}/g, "x")}?no_such=1`, other.url);
      const headers = { authorization: nobody.id, "content-type": "application/json" };
      const init = { method: operation.toUpperCase(), headers, ...(operation === "post" && { body: "{" }) };
      const { status, text } = await ask(url.href, init);
      expect([path, operation, status]).toEqual([path, operation, 403]);
      expect(JSON.parse(text).detail).toBe(`no grant of yours allows ${denied.at(-1)}`);
    }
  expect(denied).toHaveLength(Object.values<object>(paths).flatMap(Object.keys).length);
  expect(new Set(denied)).toEqual(
    new Set([...Object.keys(requests), ...Object.keys(overRestAlone), "ExportRecords"]),
  );
});

test("without valid credentials nobody gets in", async () => {
  for (const [name, , asked] of routes)
    expect([name, await reached(person("stranger"), asked("own"))]).toEqual([name, 401]);
});
