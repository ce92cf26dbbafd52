import { type Client, Metadata, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { authenticator } from "../../../src/access/authenticate.ts";
import { oidcVerifier } from "../../../src/access/oidc.ts";
import type { Watch } from "../../../src/access/watch.ts";
import { LastroError } from "../../../src/core/errors.ts";
import { ridOf } from "../../../src/core/ids.ts";
import { HistoryService } from "../../../src/gen/lastro/v1/history_pb.ts";
import { CallerKind, CallerRole, IdentityService } from "../../../src/gen/lastro/v1/identity_pb.ts";
import { OperationsService } from "../../../src/gen/lastro/v1/operations_pb.ts";
import { OwnershipService } from "../../../src/gen/lastro/v1/ownership_pb.ts";
import { TransparencyService } from "../../../src/gen/lastro/v1/transparency_pb.ts";
import type { ServerAccess } from "../../../src/sdk/connection.ts";
import { gatherEvidence } from "../../../src/sdk/gather-evidence.ts";
import { grant, person } from "../../support/callers.ts";
import {
  call,
  callRaw,
  connect,
  failureOf,
  serve,
  type TestServer,
  testViewers,
} from "../../support/grpc-client.ts";
import { type HistoryWorld, openHistoryWorld, worldSrc } from "../../support/history-world.ts";
import { silentLog, silentObserver } from "../../support/intake.ts";
import { audience, startIssuer, subject, type TokenIssuer } from "../../support/token-issuer.ts";

const getRecord = "/lastro.v1.HistoryService/GetRecord";
const malformed = Uint8Array.of(0x0a, 2, 0xff, 0xfe);

let world: HistoryWorld;
let issuer: TokenIssuer;
let server: TestServer;
let client: Client & Disposable;
beforeAll(async () => {
  world = await openHistoryWorld();
  issuer = await startIssuer();
  const scope = {
    tenants: ["acme"], producerServices: undefined, entityTypes: ["account"], ownershipIds: undefined,
    fromMs: Date.UTC(2026, 0), toMs: undefined, personal: true,
  }; // biome-ignore format: one thought
  const grants = [{ role: "dpo", scope }] as const;
  const authenticate = authenticator({
    rules: () => ({
      services: new Map(),
      serviceOf: new Map(),
      bindings: [{ who: { subject }, grants }],
    }),
    oidc: {
      issuer: issuer.issuer,
      verify: oidcVerifier({ issuer: issuer.issuer, audience: [audience], jwksUrl: undefined }, Date.now),
    },
    audience: [audience],
    viewers: testViewers,
    now: Date.now,
    observer: silentObserver,
    log: silentLog,
  });
  server = await serve(world.deps, undefined, { authenticate });
  client = connect(server.address);
});
afterAll(async () => {
  client[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

const bearing = (token: string): Metadata => {
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  return metadata;
};

describe("without a valid identity", () => {
  test.each<[string, () => Promise<Metadata>]>([
    ["no token", async () => new Metadata()],
    ["a token of alg none", async () => bearing("eyJhbGciOiJub25lIn0.e30.")],
    ["a token for others", async () => bearing(await issuer.token({ aud: "shop" }))],
    ["a token of 20 kB", async () => bearing(`a.${"b".repeat(20_000)}.c`)],
  ])("row 85: a call with %s is refused before its message is decoded, and told how to come", async (_, make) => {
    const failed = callRaw(client, getRecord, malformed, await make());
    expect(await failureOf(failed)).toMatchObject({
      code: status.UNAUTHENTICATED,
      reason: "UNAUTHENTICATED",
      domain: "lastro",
    });
    await expect(failed).rejects.toMatchObject({ metadata: expect.anything() });
    const error = await failed.catch((cause: { metadata: Metadata }) => cause);
    expect((error as { metadata: Metadata }).metadata.get("www-authenticate")).toEqual(['Bearer realm="lastro"']);
  }); // biome-ignore format: a table

  test("row 85: a token of 1 MB never gets that far", async () => {
    using other = connect(server.address);
    await expect(
      callRaw(other, getRecord, malformed, bearing(`a.${"b".repeat(1024 * 1024)}.c`)),
    ).rejects.toBeDefined();
    expect((await failureOf(callRaw(client, getRecord, malformed))).code).toBe(status.UNAUTHENTICATED);
  });

  test("nothing is served but health, whatever the method", async () => {
    const services = [
      HistoryService,
      OwnershipService,
      TransparencyService,
      OperationsService,
      IdentityService,
    ];
    const methods = services.flatMap((service) =>
      service.methods.map(({ name }) => `/${service.typeName}/${name}`),
    );
    expect(methods.length).toBeGreaterThan(15);
    for (const path of methods)
      expect({ path, code: (await failureOf(callRaw(client, path, new Uint8Array()))).code }).toEqual({
        path,
        code: status.UNAUTHENTICATED,
      });
    const health = await callRaw(client, "/grpc.health.v1.Health/Check", new Uint8Array());
    expect(health[1]).toBe(1);
  });
});

describe("with one", () => {
  const ask = async (token: string) => call(client, IdentityService, "getCaller", {}, {}, bearing(token));

  test("the handler gets the caller, and the caller is told what is granted", async () => {
    const me = await ask(await issuer.token());
    expect(me).toMatchObject({ id: `person:${issuer.issuer}#${subject}`, kind: CallerKind.PERSON });
    expect(me.grants).toMatchObject([
      {
        role: CallerRole.DPO,
        scope: { tenants: { names: ["acme"] }, entityTypes: { names: ["account"] }, personal: true },
      },
    ]);
    expect(me.grants[0]?.scope?.producerServices).toBeUndefined();
    expect(Number(me.grants[0]?.scope?.fromTime?.seconds) * 1_000).toBe(Date.UTC(2026, 0));
    const failure = await failureOf(callRaw(client, getRecord, malformed, bearing(await issuer.token())));
    expect(failure.code).toBe(status.INVALID_ARGUMENT);
  });

  test("the SDK asks by a token, and is told when it has none", async () => {
    const gather = (access: ServerAccess) =>
      gatherEvidence(server.address, { kind: "record", rid: ridOf(worldSrc, 0) }, Date.now, {}, access);
    await expect(gather({})).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    // Known, and there is no log in this world.
    const known = { code: expect.not.stringMatching("UNAUTHENTICATED") };
    await expect(gather({ token: await issuer.token() })).rejects.toMatchObject(known);
  });

  test("a viewer token lends a reader's part of it for the time asked for, and makes no other", async () => {
    const made = await call(
      client,
      IdentityService,
      "createViewerToken",
      { scope: { tenants: { names: ["acme", "other"] } }, lifetime: { seconds: 60n } },
      {},
      bearing(await issuer.token()),
    );
    expect(Number(made.expireTime?.seconds) * 1_000 - Date.now()).toBeLessThanOrEqual(60_000);
    const viewer = await ask(made.token);
    expect(viewer.kind).toBe(CallerKind.VIEWER);
    expect(viewer.grants).toEqual(made.grants);
    expect(viewer.grants).toMatchObject([
      { role: CallerRole.READER, scope: { tenants: { names: ["acme"] }, personal: false } },
    ]);
    const again = call(client, IdentityService, "createViewerToken", {}, {}, bearing(made.token));
    expect((await failureOf(again)).code).toBe(status.PERMISSION_DENIED);
  });

  test("R-87 a viewer's attempt to make a token is told as denied", async () => {
    const denied: unknown[] = [];
    const { guard } = world.deps;
    const watch = { ...guard.watch, denied: (...told: unknown[]) => void denied.push(told) };
    const viewer = { ...person("x", grant("reader")), id: "viewer:1", kind: "viewer", lentBy: "a" } as const;
    await using other = await serve({ ...world.deps, guard: { ...guard, watch } }, undefined, {
      authenticate: async () => viewer,
    });
    using asking = connect(other.address);
    const made = call(asking, IdentityService, "createViewerToken", {});
    expect((await failureOf(made)).code).toBe(status.PERMISSION_DENIED);
    expect(denied).toEqual([[viewer, "CreateViewerToken"]]);
  });

  test("R-87 the making of a viewer token is told before the token is given: its id, its end, its tenants, and of owners the number", async () => {
    const told: unknown[] = [];
    let answer = async (): Promise<void> => undefined;
    const act: Watch["act"] = async ({ id: who }, what) => {
      told.push([who, what]);
      await answer();
    };
    const { guard } = world.deps;
    const watched = { ...world.deps, guard: { ...guard, watch: { ...guard.watch, act } } };
    const maker = person("anna", grant("dpo", { tenants: ["acme"] }));
    await using other = await serve(watched, undefined, { authenticate: async () => maker });
    using asking = connect(other.address);
    const request = { scope: { ownershipIds: { names: ["5512", "5513"] } }, lifetime: { seconds: 60n } };
    const made = await call(asking, IdentityService, "createViewerToken", request);
    const viewer = await testViewers.read(made.token);
    const expires_at = new Date(Number(made.expireTime?.seconds) * 1_000).toISOString();
    const detail = { expires_at, personal: false, tenants: ["acme"], owners: 2 };
    expect(told).toEqual([
      [maker.id, { type: "viewer_token.shared", id: viewer.id.replace("viewer:", ""), detail }],
    ]);
    answer = async () => {
      throw new LastroError("SOURCE_UNAVAILABLE", "Kafka is away");
    };
    const untold = call(asking, IdentityService, "createViewerToken", request);
    expect((await failureOf(untold)).code).toBe(status.UNAVAILABLE);
  });

  test.each([
    [{ lifetime: { seconds: 301n } }, "lifetime"],
    [{ lifetime: { seconds: 0n } }, "lifetime"],
    [{ scope: { tenants: { names: [""] } } }, "scope.tenants"],
    [{ scope: { ownershipIds: { names: ["x".repeat(257)] } } }, "scope.ownership_ids"],
  ])("a viewer token with %j is refused with the field", async (request, field) => {
    const made = call(
      client,
      IdentityService,
      "createViewerToken",
      request,
      {},
      bearing(await issuer.token()),
    );
    expect(await failureOf(made)).toMatchObject({ code: status.INVALID_ARGUMENT, fields: [field] });
  });
});
