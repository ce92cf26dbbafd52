import type { Client } from "@grpc/grpc-js";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { LastroError } from "../../../src/core/errors.ts";
import type { Rid } from "../../../src/core/ids.ts";
import { HistoryService } from "../../../src/gen/lastro/v1/history_pb.ts";
import {
  OperationsService,
  OutcomeKind,
  PartitionState,
  ReplayVerdict,
} from "../../../src/gen/lastro/v1/operations_pb.ts";
import { OwnershipService } from "../../../src/gen/lastro/v1/ownership_pb.ts";
import { ActionType, BodyState, StreamKind } from "../../../src/gen/lastro/v1/record_pb.ts";
import type { Operations } from "../../../src/ports/operations.ts";
import { call, connect, failureOf, noOperations, serve, type TestServer } from "../../support/grpc-client.ts";
import { type HistoryWorld, openHistoryWorld, ownership, worldSrc } from "../../support/history-world.ts";

const json = (bytes: Uint8Array | undefined): unknown => JSON.parse(new TextDecoder().decode(bytes));
const entity = { namespace: "team_service", entityType: "account", entityId: "a-1" };
const acts: string[] = [];
const verdicts = ["replayed", "parked", "untried", "unknown"] as const;
const operations: Operations = {
  ...noOperations,
  intake: async ({ srcs, from, to }) => ({
    partitions: [
      {
        src: worldSrc,
        partition: 0,
        state: "stopped",
        why: { code: "OFFSET_OUT_OF_RANGE", message: "skip or resume" },
        mark: 12,
        lag: undefined,
        counted: {
          from,
          to: to ?? 12,
          counts: { stored: 9, duplicate: 1, conflict: 0, rejected: srcs.length, gap: 1 },
        },
      },
    ],
    breaker: { open: true, sinceMs: 1000, rejected: 5, seen: 10 },
  }),
  outcomes: async ({ kinds }) => [
    {
      kind: "rejected",
      from: 3,
      to: 4,
      commitment: "c",
      deadLetter: { topic: "audit.dlq", partition: 1, offset: 2 },
      rejection: { reason: "SCHEMA", pointer: "/payload", sentence: `kinds ${kinds.join()}` },
    },
    { kind: "duplicate", from: 5, to: 6, original: `${worldSrc}.1` as Rid },
  ],
  skip: async (src, from, to, reason) => {
    acts.push(`skip ${src} ${from} ${to} ${reason}`);
    return to;
  },
  resume: async (target, options) => void acts.push(`resume ${JSON.stringify({ ...target, ...options })}`),
  resumeBreaker: async () => void acts.push("breaker"),
  replay: async (positions) => positions.map(({ offset }) => verdicts[offset] ?? "missing"),
};

let world: HistoryWorld;
let server: TestServer;
let client: Client & Disposable;
beforeAll(async () => {
  world = await openHistoryWorld();
  await world.publish({
    type: "account.created",
    payload: { public_id: "a-1", n: 1 },
    metadata: { event_id: "e-1" },
  });
  await world.publish({ payload: { public_id: "a-1", n: 2 } });
  server = await serve(world.deps, operations);
  client = connect(server.address);
});
afterAll(async () => {
  client[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

describe("R-10 history is served over gRPC", () => {
  test("GetRecord, by event id and by rid", async () => {
    const eventId = { producerService: "team_service", form: { case: "metadata", value: "e-1" } } as const;
    const { record, treeSize } = await call(client, HistoryService, "getRecord", {
      by: { case: "eventId", value: eventId },
    });
    expect(treeSize).toBeUndefined();
    expect(record).toMatchObject({
      entity: { tenant: "default", ...entity },
      version: 1n,
      action: ActionType.NEW,
      kind: StreamKind.CHANGE,
      isActive: false,
      actor: { ownerId: "789", ownerIp: "192.168.1.100", ownerRole: "admin", ownerType: "user" },
      ownershipId: ownership,
      bodyState: BodyState.COMPLETE,
      check: { leafHashMatches: true, bodyMatches: true, alteredFields: [] },
      eventId: { tenant: "default", form: { case: "metadata", value: "e-1" } },
      flags: ["aliased"],
    });
    expect(json(record?.payload)).toEqual({ public_id: "a-1", n: 1 });
    const again = await call(client, HistoryService, "getRecord", {
      by: { case: "rid", value: record?.rid ?? "" },
    });
    expect(again.record?.leafHash).toEqual(record?.leafHash);
  });

  test("GetHistory, page by page", async () => {
    const first = await call(client, HistoryService, "getHistory", {
      entity,
      includeInactive: true,
      pageSize: 1,
    });
    expect(first.records.map((r) => [r.version, r.isActive])).toEqual([[2n, true]]);
    const rest = await call(client, HistoryService, "getHistory", {
      entity,
      includeInactive: true,
      pageToken: first.nextPageToken,
    });
    expect(rest.records.map((r) => r.version)).toEqual([1n]);
    expect(rest.nextPageToken).toBe("");
  });

  test("GetState as of a version, CompareVersions with old and new values", async () => {
    const state = await call(client, HistoryService, "getState", {
      entity,
      asOf: { case: "version", value: 1n },
    });
    expect([state.found, state.deleted, json(state.state)]).toEqual([
      true,
      false,
      { public_id: "a-1", n: 1 },
    ]);
    expect(
      (await call(client, HistoryService, "getState", { entity: { ...entity, entityId: "none" } })).found,
    ).toBe(false);
    const compared = await call(client, HistoryService, "compareVersions", {
      entity,
      fromVersion: 1n,
      toVersion: 2n,
    });
    expect(compared.differences.map((d) => [d.op, d.path, json(d.oldValue), json(d.newValue)])).toEqual([
      ["replace", "/n", 1, 2],
    ]);
  });

  test("SearchRecords and the ownership calls", async () => {
    const found = await call(client, HistoryService, "searchRecords", {
      filter: "owner_id = 789 AND active = true",
    });
    expect(found.records.map((r) => r.version)).toEqual([2n]);
    const got = await call(client, OwnershipService, "getOwnership", { ownershipId: ownership });
    expect(got.ownership).toMatchObject({ ownershipId: ownership, producers: ["team_service"] });
    const listed = await call(client, OwnershipService, "listOwnerships", {});
    expect(listed.ownerships.map((o) => o.ownershipId)).toEqual([ownership]);
    const owned = await call(client, OwnershipService, "listOwnedRecords", { ownershipId: ownership });
    expect(owned.records).toHaveLength(2);
  });
});

describe("operators' calls reach intake", () => {
  test("GetIntake tells marks, states and counts", async () => {
    const intake = await call(client, OperationsService, "getIntake", { fromOffset: 2n, srcs: [worldSrc] });
    expect(intake.partitions[0]).toMatchObject({
      src: worldSrc,
      state: PartitionState.STOPPED,
      reason: "OFFSET_OUT_OF_RANGE",
      message: "skip or resume",
      mark: 12n,
      countedFrom: 2n,
      countedTo: 12n,
      counts: { stored: 9n, rejected: 1n },
    });
    expect(intake.partitions[0]?.lag).toBeUndefined();
    expect(intake.breaker).toMatchObject({ open: true, rejected: 5n, seen: 10n });
  });

  test("ListOutcomes tells reason, pointer, sentence, original and dead letter", async () => {
    const request = { src: worldSrc, kinds: [OutcomeKind.REJECTED, OutcomeKind.GAP] };
    const { outcomes } = await call(client, OperationsService, "listOutcomes", request);
    expect(outcomes).toMatchObject([
      {
        kind: OutcomeKind.REJECTED,
        reason: "SCHEMA",
        pointer: "/payload",
        sentence: "kinds rejected,gap",
        deadLetter: { topic: "audit.dlq", offset: 2n },
      },
      { kind: OutcomeKind.DUPLICATE, originalRid: `${worldSrc}.1` },
    ]);
  });

  test("SkipOffsets, ResumePartition and ReplayDeadLetters act", async () => {
    acts.length = 0;
    const skip = { src: worldSrc, fromOffset: 3n, toOffset: 5n, reason: "lost" };
    expect((await call(client, OperationsService, "skipOffsets", skip)).mark).toBe(5n);
    await call(client, OperationsService, "resumePartition", { target: { case: "src", value: worldSrc } });
    await call(client, OperationsService, "resumePartition", {
      target: { case: "partition", value: 0 },
      acceptIncarnation: true,
    });
    await call(client, OperationsService, "resumePartition", { target: { case: "breaker", value: true } });
    expect(acts).toEqual([
      `skip ${worldSrc} 3 5 lost`,
      `resume {"src":"${worldSrc}","acceptIncarnation":false}`,
      `resume {"partition":0,"acceptIncarnation":true}`,
      "breaker",
    ]);
    const positions = [0n, 1n, 2n, 3n, 4n].map((offset) => ({ topic: "audit.dlq", partition: 0, offset }));
    expect((await call(client, OperationsService, "replayDeadLetters", { positions })).verdicts).toEqual([
      ReplayVerdict.REPLAYED,
      ReplayVerdict.PARKED,
      ReplayVerdict.UNTRIED,
      ReplayVerdict.UNKNOWN,
      ReplayVerdict.MISSING,
    ]);
  });

  test.each([
    ["skipOffsets", { src: worldSrc, fromOffset: 3n, toOffset: 3n, reason: "x" }, "to_offset"],
    ["skipOffsets", { src: worldSrc, fromOffset: 3n, toOffset: 5n }, "reason"],
    ["skipOffsets", { src: "x", fromOffset: 3n, toOffset: 5n, reason: "x" }, "src"],
    ["resumePartition", {}, "target"],
    ["replayDeadLetters", {}, "positions"],
    ["replayDeadLetters", { positions: [{ topic: "x".repeat(250) }] }, "positions"],
    ["replayDeadLetters", { positions: [{ topic: "audit.dlq" }, { topic: "a\u0000b" }] }, "positions"],
    ["listOutcomes", { src: worldSrc, fromOffset: -1n }, "from_offset"],
    ["listOutcomes", { src: worldSrc, kinds: [OutcomeKind.STORED] }, "kinds"],
    ["getIntake", { srcs: ["x"] }, "srcs"],
  ] as const)("%s %j is refused naming %s", async (name, request, field) => {
    expect(await failureOf(call(client, OperationsService, name, request as never))).toMatchObject({
      code: status.INVALID_ARGUMENT,
      reason: "INVALID_ARGUMENT",
      fields: [field],
    });
  });
});

describe("every error of ours carries ErrorInfo", () => {
  test.each([
    ["getRecord", {}, status.INVALID_ARGUMENT, "INVALID_ARGUMENT", "by"],
    ["getRecord", { by: { case: "rid", value: "x" } }, status.INVALID_ARGUMENT, "INVALID_ARGUMENT", "rid"],
    ["getRecord", { by: { case: "rid", value: `${worldSrc}.99` } }, status.NOT_FOUND, "NOT_FOUND", undefined],
    ["getHistory", {}, status.INVALID_ARGUMENT, "INVALID_ARGUMENT", "entity"],
    [
      "getHistory",
      { entity: { ...entity, entityId: "" } },
      status.INVALID_ARGUMENT,
      "INVALID_ARGUMENT",
      "entity.entity_id",
    ],
    ["getHistory", { entity, kinds: [9] }, status.INVALID_ARGUMENT, "INVALID_ARGUMENT", "kinds"],
    ["getHistory", { entity, pageSize: -1 }, status.INVALID_ARGUMENT, "INVALID_ARGUMENT", "page_size"],
    [
      "getState",
      { entity, asOf: { case: "version", value: 2n ** 60n } },
      status.INVALID_ARGUMENT,
      "INVALID_ARGUMENT",
      "version",
    ],
    [
      "getState",
      { entity, asOf: { case: "recordedAt", value: { seconds: 2n ** 62n } } },
      status.INVALID_ARGUMENT,
      "INVALID_ARGUMENT",
      "recorded_at",
    ],
    [
      "searchRecords",
      { filter: "payload.$where = 1" },
      status.INVALID_ARGUMENT,
      "INVALID_ARGUMENT",
      "filter",
    ],
    ["searchRecords", { orderBy: "x" }, status.INVALID_ARGUMENT, "INVALID_ARGUMENT", "order_by"],
    ["searchRecords", { pageToken: "forged" }, status.INVALID_ARGUMENT, "INVALID_ARGUMENT", "page_token"],
  ] as const)("%s %o", async (name, request, code, reason, field) => {
    const failure = await failureOf(call(client, HistoryService, name, request as never));
    expect(failure).toEqual({
      code,
      reason,
      domain: "lastro",
      message: expect.any(String),
      fields: field === undefined ? [] : [field],
    });
  });

  test.each([
    [
      new LastroError("STORE_UNAVAILABLE", "mongodb://user:secret@db is away"),
      status.UNAVAILABLE,
      "STORE_UNAVAILABLE",
    ],
    [new LastroError("BODY_UNREADABLE", "compare it with the log"), status.DATA_LOSS, "BODY_UNREADABLE"],
    [
      new LastroError("FAILED_PRECONDITION", "resume it first"),
      status.FAILED_PRECONDITION,
      "FAILED_PRECONDITION",
    ],
    [new LastroError("MARK_LOST", "x"), status.ABORTED, "MARK_LOST"],
    [new LastroError("KEY_WRONG", "secret"), status.INTERNAL, "INTERNAL"],
    [new TypeError("secret of the inside"), status.INTERNAL, "INTERNAL"],
  ])("thrown inside: %s", async (thrown, code, reason) => {
    const failing = {
      ...world.deps,
      history: { ...world.deps.history, byRid: async () => Promise.reject(thrown) },
    };
    await using other = await serve(failing);
    using caller = connect(other.address);
    const failure = await failureOf(
      call(caller, HistoryService, "getRecord", { by: { case: "rid", value: `${worldSrc}.0` } }),
    );
    expect(failure).toMatchObject({ code, reason, domain: "lastro" });
    expect(failure.message).not.toMatch(/secret/);
    expect(other.logged).toEqual(thrown instanceof LastroError ? [] : ["rpc_failed"]);
  });
});
