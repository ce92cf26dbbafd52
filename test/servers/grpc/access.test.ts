/** Who may do what, over gRPC, against a server on a real store: every role, method, bound and tenant. */
import type { DescMethod } from "@bufbuild/protobuf";
import { type Client, Metadata, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type Caller, roles } from "../../../src/core/caller.ts";
import { HistoryService, type TailRecordsResponse } from "../../../src/gen/lastro/v1/history_pb.ts";
import { services } from "../../../src/servers/grpc/server.ts";
import {
  expected,
  lasting,
  type MatrixMethod,
  matrix,
  type Reached,
  type Tenant,
  tenants,
} from "../../support/access-matrix.ts";
import { type AccessWorld, callerOf, callers, nobody, openAccessWorld } from "../../support/access-world.ts";
import { authenticateAs, grant, person, sayId } from "../../support/callers.ts";
import {
  callMessage,
  callStream,
  connect,
  failureOf,
  serve,
  type TestServer,
} from "../../support/grpc-client.ts";
import { entityOf, quietOperations, requestOf } from "../../support/grpc-requests.ts";
import { worldSrc } from "../../support/history-world.ts";
import { openGuard } from "../../support/unguarded.ts";

const absentRid = `${worldSrc}.999`;
let accessWorld: AccessWorld;
let rids: AccessWorld["rids"];
let indexes: AccessWorld["indexes"];
let server: TestServer;
let client: Client & Disposable;
const reads: string[] = [];

beforeAll(async () => {
  accessWorld = await openAccessWorld();
  ({ rids, indexes } = accessWorld);
  const history = new Proxy(accessWorld.query.history, {
    get(target, name, receiver) {
      reads.push(String(name));
      return Reflect.get(target, name, receiver);
    },
  });
  const authenticate = authenticateAs(nobody, ...callers);
  server = await serve({ ...accessWorld.query, history }, quietOperations, { authenticate });
  client = connect(server.address);
});
afterAll(async () => {
  client[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
  await accessWorld.world[Symbol.asyncDispose]();
});

const byRid = (rid: string) => ({ by: { case: "rid", value: rid } });

const methodOf = (name: string): DescMethod => {
  const method = services.flatMap((service) => service.methods).find((one) => one.name === name);
  if (method === undefined) throw new Error(`no method ${name}`);
  return method;
};
const ask = (caller: Caller, name: string, request: object) =>
  callMessage(client, methodOf(name), request, sayId(new Metadata(), caller));

async function reached(caller: Caller, name: MatrixMethod, tenant: Tenant): Promise<Reached | number> {
  const asked = ask(caller, name, requestOf(name, tenant, rids[tenant]));
  const answer = await asked.catch(() => undefined);
  if (answer !== undefined) {
    const isEmpty = "records" in answer && Array.isArray(answer.records) && answer.records.length === 0;
    return isEmpty ? "empty" : "answered";
  }
  const { code, reason } = await failureOf(asked);
  if (code === status.PERMISSION_DENIED && reason === "PERMISSION_DENIED") return "denied";
  return code === status.NOT_FOUND ? "absent" : code;
}

const names = Object.keys(matrix) as MatrixMethod[];

describe("R-25 R-70 role, method, own and foreign tenant", () => {
  test.each(roles.flatMap((role) => names.map((method) => [role, method] as const)))(
    "%s: %s",
    async (role, method) => {
      for (const isBounded of [true, false]) {
        const caller = callerOf(role, isBounded);
        for (const tenant of tenants)
          expect([isBounded, tenant, await reached(caller, method, tenant)]).toEqual([
            isBounded,
            tenant,
            expected(role, isBounded, method, tenant),
          ]);
      }
    },
  );
});

describe("R-25 R-70 streams and long-running operations", () => {
  /** How it ends, at the first message or without one. */
  async function endOf(caller: Caller, name: string): Promise<number> {
    const method = methodOf(name);
    const metadata = sayId(new Metadata(), caller);
    const request = requestOf(name, "own", rids.own);
    if (method.methodKind === "unary")
      return callMessage(client, method, request, metadata).then(
        () => status.OK,
        ({ code }) => code,
      );
    const call = callStream(client, method.parent, method.localName, request as never, {}, metadata);
    try {
      for await (const _ of call) return status.OK;
      return status.OK;
    } catch (error) {
      return (error as { code: number }).code;
    }
  }

  test.each(Object.entries(lasting))("%s is for those who may, and for nobody else", async (name, those) => {
    for (const role of roles)
      for (const isBounded of [true, false]) {
        const code = await endOf(callerOf(role, isBounded), name);
        expect([role, code === status.PERMISSION_DENIED]).toEqual([role, !those.includes(role)]);
      }
    expect(await endOf(nobody, name)).toBe(status.PERMISSION_DENIED);
  });

  test.each([
    ["own", true, 2],
    ["everywhere", false, 4],
  ] as const)("a tail of who may read %s tells those records alone", async (_, isBounded, count) => {
    const from = { case: "index", value: 0n } as const;
    const metadata = sayId(new Metadata(), callerOf("reader", isBounded));
    const tail: AsyncIterable<TailRecordsResponse> = callStream(
      client,
      HistoryService,
      "tailRecords",
      { from },
      {},
      metadata,
    );
    const told: string[] = [];
    for await (const part of tail) {
      told.push(...part.records.map(({ entity }) => entity?.tenant ?? ""));
      if (part.nextIndex >= 6n) break;
    }
    expect(told).toHaveLength(count);
    expect(new Set(told)).toEqual(new Set(isBounded ? ["own"] : ["own", "foreign"]));
  });
});

describe("permission comes before existence", () => {
  test("who has no grant for a method is denied before anything is read, even of its request", async () => {
    reads.length = 0;
    for (const name of names.filter((one) => one !== "GetCaller"))
      for (const request of [requestOf(name, "own", rids.own), {}])
        expect(await failureOf(ask(nobody, name, request))).toMatchObject({
          code: status.PERMISSION_DENIED,
          message: `no grant of yours allows ${name}`,
        });
    expect(reads).toEqual([]);
  });

  test.each(["GetRecord", "GetInclusionProof", "GetEntry"])(
    "%s of a foreign record is answered as one that is not there",
    async (name) => {
      const caller = callerOf("reader", true);
      const [foreign, absent] = [rids.foreign, absentRid].map((rid) =>
        failureOf(ask(caller, name, byRid(rid))),
      );
      expect(await foreign).toEqual(await absent);
    },
  );

  test.each(["GetInclusionProof", "GetEntry"])("%s by the index of a foreign record, too", async (name) => {
    const caller = callerOf("reader", true);
    const byIndex = (value: bigint) => ask(caller, name, { by: { case: "index", value } });
    expect(await failureOf(byIndex(indexes.foreign))).toMatchObject({ code: status.NOT_FOUND });
    await byIndex(indexes.own);
    // The first leaf and what covers the records tell of no tenant.
    await byIndex(0n);
    await byIndex(5n);
  });

  test("a foreign event id and one that is not there are denied alike", async () => {
    const eventId = (value: string) => ({
      by: {
        case: "eventId",
        value: { tenant: "foreign", producerService: "team_service", form: { case: "header", value } },
      },
    });
    const [one, other] = ["a", "b"].map((id) =>
      failureOf(ask(callerOf("reader", true), "GetRecord", eventId(id))),
    );
    expect(await one).toEqual(await other);
    expect((await one)?.code).toBe(status.PERMISSION_DENIED);
  });

  test("what a foreign tenant is asked for does not matter: a history that is not there is denied alike", async () => {
    const history = (entityId: string) =>
      failureOf(
        ask(callerOf("reader", true), "GetHistory", { entity: { ...entityOf("foreign"), entityId } }),
      );
    expect(await history("a-1")).toEqual(await history("nothing"));
  });
});

describe("what is listed is narrowed", () => {
  const search = async (caller: Caller, filter: string): Promise<readonly string[]> => {
    const answer = await ask(caller, "SearchRecords", { filter });
    return (answer as unknown as { records: { rid: string }[] }).records.map(({ rid }) => rid);
  };

  test("a search without a tenant, or with the contrary of one, gives the own records alone", async () => {
    const own = await search(callerOf("auditor", false), "tenant = own");
    expect(own).toHaveLength(2);
    for (const filter of ["", "NOT tenant = own OR tenant = own", "event_type:*"])
      expect(await search(callerOf("auditor", true), filter)).toEqual(own);
    expect(await search(callerOf("auditor", true), "NOT tenant = own")).toEqual([]);
    expect(await search(callerOf("auditor", false), "")).toHaveLength(4);
  });

  test("a listing of all ownerships gives those of the own tenant", async () => {
    const list = async (caller: Caller) =>
      (await ask(caller, "ListOwnerships", {})) as unknown as { ownerships: { tenant: string }[] };
    expect((await list(callerOf("dpo", true))).ownerships.map(({ tenant }) => tenant)).toEqual(["own"]);
    expect((await list(callerOf("dpo", false))).ownerships).toHaveLength(2);
  });
});

test("without valid credentials nobody gets in", async () => {
  for (const name of names)
    expect(await failureOf(ask(person("stranger"), name, requestOf(name, "own", rids.own)))).toMatchObject({
      code: status.UNAUTHENTICATED,
      reason: "UNAUTHENTICATED",
    });
});

test("over their limit callers are refused with the time to wait, and others are served", async () => {
  const { callerLimits } = await import("../../../src/access/limits.ts");
  const [anna, bob] = [person("anna", grant("reader")), person("bob", grant("reader"))];
  const limits = callerLimits({ rateMax: 1, burstMax: 2, concurrentMax: 10 }, () => 0);
  const guard = { ...openGuard, limits };
  await using other = await serve({ ...accessWorld.query, guard }, quietOperations, {
    authenticate: authenticateAs(anna, bob),
  });
  using one = connect(other.address);
  const get = (caller: Caller) =>
    callMessage(one, methodOf("GetRecord"), byRid(rids.own), sayId(new Metadata(), caller));
  await get(anna);
  await get(anna);
  expect(await failureOf(get(anna))).toMatchObject({
    code: status.RESOURCE_EXHAUSTED,
    reason: "LIMIT_REACHED",
    retryAfterMs: 1_000,
  });
  await get(bob);
});
