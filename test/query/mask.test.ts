/** What a mask hides, asked over gRPC as any caller would ask: the bytes of an answer either hold a person or they do not. */
import { type DescMethod, toBinary } from "@bufbuild/protobuf";
import { type Client, Metadata, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Caller } from "../../src/core/caller.ts";
import { parseCatalogue } from "../../src/core/catalogue.ts";
import type { Rid } from "../../src/core/ids.ts";
import { HistoryService } from "../../src/gen/lastro/v1/history_pb.ts";
import { OwnershipService } from "../../src/gen/lastro/v1/ownership_pb.ts";
import { BodyState, type Record } from "../../src/gen/lastro/v1/record_pb.ts";
import { TransparencyService } from "../../src/gen/lastro/v1/transparency_pb.ts";
import type { QueryDeps } from "../../src/query/deps.ts";
import { publishedLog } from "../../src/query/published-log.ts";
import { gatherEvidence } from "../../src/sdk/gather-evidence.ts";
import { verifyBundle } from "../../src/sdk/verify.ts";
import { authenticateAs, grant, person, sayId } from "../support/callers.ts";
import { makeCheckedLog } from "../support/checked-log.ts";
import {
  callMessage,
  connect,
  failureOf,
  noOperations,
  serve,
  type TestServer,
} from "../support/grpc-client.ts";
import { type HistoryWorld, openHistoryWorld } from "../support/history-world.ts";
import { unguarded } from "../support/unguarded.ts";

/** None is part of anything that is shown. */
const secrets = {
  owner_id: "actor-Zq81",
  owner_ip: "198.51.100.77",
  ownership_id: "owner-Xk42",
  payload: "payload-Wv07",
  metadata: "metadata-Ub93",
};

const masked = person("masked", grant("auditor", { personal: false }), grant("dpo", { personal: false }));
const whole = person("whole", grant("auditor"), grant("dpo"));
/** Sees the persons of one tenant, and only the records of the other. */
const mixed = person("mixed", grant("auditor", { tenants: ["a"] }), grant("auditor", { personal: false }));
const operator = person("operator", grant("operator"), grant("reader", { personal: false }));
const entity = { tenant: "a", namespace: "team_service", entityType: "account", entityId: "a-1" };

let world: HistoryWorld;
let server: TestServer;
let client: Client & Disposable;
let rids: readonly string[];
beforeAll(async () => {
  const parsed = parseCatalogue(
    JSON.stringify({
      version: 1,
      events: { "account.*": { index: ["/payload/note"], payload_is: "merge" } },
    }),
  );
  if (!parsed.ok) throw new Error(parsed.errors.join());
  world = await openHistoryWorld(parsed.catalogue);
  const event = (tenant: string, payload: object) => ({
    payload: { note: secrets.payload, ...payload },
    metadata: {
      tenant_id: tenant,
      user_id: secrets.owner_id,
      user_ip: secrets.owner_ip,
      ownership_id: secrets.ownership_id,
      extra: secrets.metadata,
    },
  });
  const rows = await world.publish(
    { ...event("a", { public_id: "a-1" }), type: "account.created" },
    { ...event("a", { public_id: "a-1", note: `${secrets.payload}-2` }) },
    { ...event("b", { public_id: "a-1" }) },
    // Its entity is the owner, of the next one the actor, and of the last one the actor's address as another would write it.
    { ...event("a", { nothing: 1 }), type: "login.viewed" },
    { ...event("a", { public_id: secrets.owner_id }), type: "user.created" },
    { ...event("a", { id: `::ffff:${secrets.owner_ip}` }), type: "address.blocked" },
  );
  rids = rows.map(({ rid }) => rid);
  server = await serve(world.deps, noOperations, {
    authenticate: authenticateAs(masked, whole, mixed, operator),
  });
  client = connect(server.address);
});
afterAll(async () => {
  client[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

const ask = <M extends DescMethod>(caller: Caller, method: M, request: object) =>
  callMessage(client, method, request, sayId(new Metadata(), caller));
const history = HistoryService.method;
const owners = OwnershipService.method;
const byRid = (at: number) => ({ by: { case: "rid", value: rids[at] } });
const allVersions = { entity, kinds: [1, 2], includeInactive: true };

/** Everything that answers with records or what is made of them. */
const questions: readonly (readonly [string, DescMethod, () => object])[] = [
  ["GetRecord", history.getRecord, () => byRid(0)],
  ["GetHistory", history.getHistory, () => allVersions],
  ["GetState", history.getState, () => ({ entity })],
  ["CompareVersions", history.compareVersions, () => ({ entity, fromVersion: 1n, toVersion: 2n })],
  ["SearchRecords", history.searchRecords, () => ({ filter: "" })],
  ["ListOwnerships", owners.listOwnerships, () => ({})],
];
const shownIn = (method: DescMethod, answer: object): readonly string[] => {
  const bytes = Buffer.from(toBinary(method.output, answer as never)).toString("latin1");
  return Object.entries(secrets).flatMap(([name, secret]) => (bytes.includes(secret) ? [name] : []));
};

describe("R-25 without the right to see persons", () => {
  test.each(questions)(
    "%s answers without any of them, and with it as before",
    async (name, method, request) => {
      expect(shownIn(method, await ask(masked, method, request()))).toEqual([]);
      // That caller may operate besides: a right to see persons counts only where its role reads.
      if (method.parent === HistoryService)
        expect(shownIn(method, await ask(operator, method, request()))).toEqual([]);
      const shown = shownIn(method, await ask(whole, method, request()));
      expect(shown).toEqual(
        name === "ListOwnerships"
          ? ["ownership_id"]
          : name === "GetState" || name === "CompareVersions"
            ? expect.arrayContaining(["payload"])
            : Object.keys(secrets),
      );
    },
  );

  test("a masked record says so, and what is left of it is as it was", async () => {
    const [one, other] = await Promise.all(
      [masked, whole].map(
        async (caller) => (await ask(caller, history.getRecord, byRid(0))).record as Record,
      ),
    );
    expect(one?.bodyState).toBe(BodyState.MASKED);
    expect(other?.bodyState).toBe(BodyState.COMPLETE);
    const nothing = new Uint8Array();
    const hidden = { event: nothing, payload: nothing, metadata: nothing, bodyState: BodyState.MASKED };
    const actor = { ...other?.actor, ownerId: "", ownerIp: "" };
    expect({ ...one }).toEqual({ ...other, ...hidden, actor, ownershipId: undefined });
  });

  test("an entity that is a person is not named, another is", async () => {
    const ids = await Promise.all(
      [0, 3, 4, 5].map(
        async (at) => (await ask(masked, history.getRecord, byRid(at))).record?.entity?.entityId,
      ),
    );
    expect(ids).toEqual(["a-1", "", "", ""]);
  });

  test("states and differences are left out and say so; where values changed is told", async () => {
    const state = await ask(masked, history.getState, { entity });
    expect(state).toMatchObject({ found: true, masked: true, deleted: false, erased: false });
    expect(state.state).toBeUndefined();
    const told = await ask(masked, history.compareVersions, { entity, fromVersion: 1n, toVersion: 2n });
    expect(told.masked).toBe(true);
    expect(
      told.differences.map(({ op, path, oldValue, newValue }) => [op, path, oldValue, newValue]),
    ).toEqual([["replace", "/note", undefined, undefined]]);
    expect(await ask(whole, history.getState, { entity })).toMatchObject({ masked: false });
  });

  test("a state that is folded from a record out of reach is masked, though the newest is shown", async () => {
    const since = person("since", grant("reader", { fromMs: world.nowMs() }));
    await world.publish({ metadata: { tenant_id: "a" }, payload: { public_id: "a-1", later: true } });
    const later = person("later", grant("reader", { fromMs: world.nowMs() }));
    await using other = await serve(world.deps, noOperations, { authenticate: authenticateAs(since, later) });
    using one = connect(other.address);
    const stateFor = (caller: Caller) =>
      callMessage(one, history.getState, { entity }, sayId(new Metadata(), caller));
    expect(await stateFor(later)).toMatchObject({ masked: true, record: { bodyState: BodyState.COMPLETE } });
    expect(await stateFor(since)).toMatchObject({ masked: false });
  });
});

describe("a mask is no riddle", () => {
  const filters = [
    `owner_id = "${secrets.owner_id}"`,
    `ownership_id = "${secrets.ownership_id}"`,
    `NOT owner_id = "nobody"`,
    `event_type = account.created AND (tenant = a OR -ownership_id = "x")`,
    `payload.note = "${secrets.payload}"`,
    "payload.note:*",
    `entity_id = "actor-*"`,
    `NOT entity_id:"act*"`,
  ];

  test.each(filters)("%s is denied, whatever it would find", async (filter) => {
    const failure = await failureOf(ask(masked, history.searchRecords, { filter }));
    expect(failure).toMatchObject({ code: status.PERMISSION_DENIED, reason: "PERMISSION_DENIED" });
    expect(failure.message).not.toContain(secrets.owner_id);
    await ask(whole, history.searchRecords, { filter });
  });

  test("who sees the persons of some records finds by them only those", async () => {
    const found = async (caller: Caller) => {
      const { records } = await ask(caller, history.searchRecords, {
        filter: `owner_id = "${secrets.owner_id}"`,
      });
      return new Set(records.map(({ entity: of }) => of?.tenant));
    };
    expect(await found(whole)).toEqual(new Set(["a", "b"]));
    expect(await found(mixed)).toEqual(new Set(["a"]));
    const { records } = await ask(mixed, history.searchRecords, {
      filter: "event_type = account.updated AND tenant = b",
    });
    expect(records.map(({ bodyState }) => bodyState)).toEqual([BodyState.MASKED]);
  });

  test("questions that name an owner are denied, there or not", async () => {
    for (const ownershipId of [secrets.ownership_id, "nobody"])
      for (const method of [owners.getOwnership, owners.listOwnedRecords])
        expect((await failureOf(ask(masked, method, { tenant: "a", ownershipId }))).code).toBe(
          status.PERMISSION_DENIED,
        );
    await ask(whole, owners.getOwnership, { tenant: "a", ownershipId: secrets.ownership_id });
  });

  test("a page token of who sees more leads nobody else on", async () => {
    const request = { filter: "", pageSize: 1 };
    const { nextPageToken: pageToken } = await ask(whole, history.searchRecords, request);
    expect(await failureOf(ask(masked, history.searchRecords, { ...request, pageToken }))).toMatchObject({
      code: status.INVALID_ARGUMENT,
      fields: ["page_token"],
    });
  });

  test("streams that share an id are named to those alone who see everything", async () => {
    await world.publish(
      { producer: "x_service", metadata: { tenant_id: "a" }, payload: { public_id: "s-1", id: "s-2" } },
      { producer: "y_service", metadata: { tenant_id: "a" }, payload: { public_id: "s-2" } },
    );
    const shared = { entity: { ...entity, namespace: "y_service", entityId: "s-2" } };
    expect((await ask(whole, history.getHistory, shared)).seeAlso).toHaveLength(1);
    for (const caller of [masked, mixed])
      expect((await ask(caller, history.getHistory, shared)).seeAlso).toEqual([]);
  });
});

test("R-80 R-25 a masked record verifies with the verifier of the SDK: entry, hash and place are those of the proof", async () => {
  await using log = await makeCheckedLog(7, 120);
  const { store, intake } = log;
  const now = () => log.world.nowMs;
  const deps: QueryDeps = {
    ...world.deps,
    history: store.history,
    log: publishedLog({ log: store.log, now }),
    keys: intake.deps.dataKeys,
    lookup: intake.lookup,
    guard: unguarded,
    now,
  };
  await using other = await serve(deps, noOperations, { authenticate: async () => masked });
  using one = connect(other.address);
  const { records } = await callMessage(one, history.searchRecords, { filter: "", pageSize: 5 });
  expect(records.length).toBe(5);
  for (const record of records) {
    expect(record.bodyState).toBe(BodyState.MASKED);
    const rid = record.rid as Rid;
    const evidence = await gatherEvidence(other.address, { kind: "record", rid }, Date.now);
    expect(verifyBundle({ kind: "record", rid }, evidence)).toMatchObject({
      verdict: "intact",
      findings: [],
    });
    expect(evidence.entries.map(({ entry }) => entry)).toContain(new TextDecoder().decode(record.entry));
    const proof = await callMessage(one, TransparencyService.method.getInclusionProof, {
      by: { case: "rid", value: rid },
    });
    expect([proof.index, proof.leafHash]).toEqual([record.log?.index, record.leafHash]);
  }
});
