import { type Client, status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { HistoryService } from "../../../src/gen/lastro/v1/history_pb.ts";
import { OperationsService } from "../../../src/gen/lastro/v1/operations_pb.ts";
import { OwnershipService } from "../../../src/gen/lastro/v1/ownership_pb.ts";
import { LogState } from "../../../src/gen/lastro/v1/record_pb.ts";
import { logWaitersMax } from "../../../src/query/log-waiters.ts";
import { type LogReads, publishedLog } from "../../../src/query/published-log.ts";
import { type BuiltLog, buildLog } from "../../support/built-log.ts";
import { call, connect, failureOf, noOperations, serve, type TestServer } from "../../support/grpc-client.ts";
import { type HistoryWorld, openHistoryWorld, ownership, worldSrc } from "../../support/history-world.ts";

const entity = { namespace: "team_service", entityType: "account", entityId: "a-1" };
let clockMs: number;
let published = 0;
let asked: string[];
let world: HistoryWorld;
let built: BuiltLog;
let server: TestServer;
let client: Client & Disposable;

/** Names the calls made. */
const listening = (log: LogReads): LogReads => ({
  ...log,
  indexes: (...args) => {
    asked.push("indexes");
    return log.indexes(...args);
  },
  checkpoint: (...args) => {
    asked.push(args[0]);
    return log.checkpoint(...args);
  },
});

beforeEach(async () => {
  clockMs = 0;
  asked = [];
  world = await openHistoryWorld();
  built = buildLog(world.store.log);
  const log = publishedLog({ log: listening(world.store.log), now: () => clockMs });
  const operations = { ...noOperations, outcomes: async () => [] };
  server = await serve({ ...world.deps, log }, operations, { limits: { deadlineMsMax: 20_000 } });
  client = connect(server.address);
});
afterEach(async () => {
  client[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

/** Versions of one account. */
const publish = (events: number) =>
  world.publish(...Array.from({ length: events }, () => ({ payload: { public_id: "a-1", n: published++ } })));

/** Behind the age at which a checkpoint is read again. */
const later = (): void => {
  clockMs += 1_000;
};
const getRecord = (rid: string, waitFor: LogState = LogState.UNSPECIFIED, options = {}) =>
  call(client, HistoryService, "getRecord", { by: { case: "rid", value: rid }, waitFor }, options);

describe("a record says how far it is in the log", () => {
  test("pending, then with its index, then logged, then witnessed, and in which tree", async () => {
    const rows = await publish(2);
    const rid = rows[1]?.rid ?? "";
    const told = async () => {
      later();
      const { record, treeSize } = await getRecord(rid);
      return [record?.log?.state, record?.log?.index, record?.log?.treeSize, treeSize];
    };
    expect(await told()).toEqual([LogState.PENDING, undefined, undefined, undefined]);
    await built.heartbeats(3);
    await built.publish();
    expect(await told()).toEqual([LogState.PENDING, undefined, undefined, 3n]);
    await built.records(worldSrc, 0, rows);
    expect(await told()).toEqual([LogState.PENDING, 4n, undefined, 3n]);
    await built.publish();
    expect(await told()).toEqual([LogState.LOGGED, 4n, 6n, 6n]);
    await built.publish("witnessed");
    await built.heartbeats(1);
    await built.publish();
    expect(await told()).toEqual([LogState.WITNESSED, 4n, 6n, 7n]);
  });

  test("each record of a page, with one look-up for all of them", async () => {
    const rows = await publish(3);
    await built.records(worldSrc, 0, rows.slice(0, 2));
    await built.publish();
    const { records } = await call(client, HistoryService, "getHistory", { entity, includeInactive: true });
    expect(records.map(({ log }) => [log?.state, log?.index])).toEqual([
      [LogState.PENDING, undefined],
      [LogState.LOGGED, 1n],
      [LogState.LOGGED, 0n],
    ]);
    expect(asked.filter((name) => name === "indexes")).toHaveLength(1);
  });
});

describe("every answer names the size of the tree it saw", () => {
  const calls = (): readonly (readonly [string, () => Promise<{ readonly treeSize?: bigint | undefined }>])[] => [
    ["GetHistory", () => call(client, HistoryService, "getHistory", { entity })],
    ["GetState", () => call(client, HistoryService, "getState", { entity })],
    ["GetState of nothing", () => call(client, HistoryService, "getState", { entity: { ...entity, entityId: "x" } })],
    ["CompareVersions", () => call(client, HistoryService, "compareVersions", { entity, fromVersion: 1n, toVersion: 2n })],
    ["ListChanges", () => call(client, HistoryService, "listChanges", { entity })],
    ["SearchRecords", () => call(client, HistoryService, "searchRecords", { filter: "kind = change" })],
    ["SummarizeRecords", () => call(client, HistoryService, "summarizeRecords", { groupBy: ["kind"] })],
    ["GetOwnership", () => call(client, OwnershipService, "getOwnership", { ownershipId: ownership })],
    ["ListOwnerships", () => call(client, OwnershipService, "listOwnerships", {})],
    ["ListOwnedRecords", () => call(client, OwnershipService, "listOwnedRecords", { ownershipId: ownership })],
    ["ListOutcomes", () => call(client, OperationsService, "listOutcomes", { src: worldSrc })],
  ]; // biome-ignore format: a table

  test("it is absent until there is a tree", async () => {
    await publish(2);
    for (const [name, ask] of calls()) expect([name, (await ask()).treeSize]).toEqual([name, undefined]);
  });

  test("it is that of the latest published checkpoint, read at most once within its age", async () => {
    const rows = await publish(2);
    await built.records(worldSrc, 0, rows);
    await built.publish();
    await built.heartbeats(4);
    for (const [name, ask] of calls()) expect([name, (await ask()).treeSize]).toEqual([name, 3n]);
    expect(asked.filter((name) => name === "latest")).toHaveLength(1);
    await built.publish();
    later();
    for (const [name, ask] of calls()) expect([name, (await ask()).treeSize]).toEqual([name, 7n]);
  });

  test("the tree is read before the records: what is logged in between is in no answer that claims it", async () => {
    const rows = await publish(1);
    await built.records(worldSrc, 0, rows);
    await built.publish();
    const { history } = world.store;
    const between = {
      ...history,
      search: async (...args: Parameters<typeof history.search>) => {
        const found = await history.search(...args);
        const more = await publish(1);
        await built.records(worldSrc, 1, more);
        await built.publish();
        return found;
      },
    };
    const log = publishedLog({ log: world.store.log, now: () => clockMs++ * 1_000 });
    await using raced = await serve({ ...world.deps, history: between, log });
    using asker = connect(raced.address);
    const answer = await call(asker, HistoryService, "searchRecords", { filter: "kind = change" });
    expect([answer.records.length, answer.treeSize]).toEqual([1, 2n]);
  });
});

describe("R-85 every page of a walk names the tree that was published when it began", () => {
  const sizes = [1, 7, 50, 0, 333, 1000, 3];
  const asks = {
    "newest first": (page: object) => call(client, HistoryService, "searchRecords", { ...page }),
    "oldest first": (page: object) =>
      call(client, HistoryService, "searchRecords", { ...page, filter: "kind = change OR active = true", orderBy: "recorded_at" }),
    "by when it happened": (page: object) =>
      call(client, HistoryService, "searchRecords", { ...page, filter: 'owner_id = "7*"', orderBy: "action_at desc" }),
    "of an ownership": (page: object) =>
      call(client, OwnershipService, "listOwnedRecords", { ...page, ownershipId: ownership }),
  } as const; // biome-ignore format: a table

  test.each(Object.keys(asks) as (keyof typeof asks)[])(
    "%s: each of the 2,000 records of that tree is given exactly once, while others are stored and logged",
    async (name) => {
      const start = new Set<string>();
      let offset = 0;
      const log = async (events: number): Promise<readonly string[]> => {
        const rows = await publish(events);
        await built.records(worldSrc, offset, rows);
        offset += events;
        await built.publish();
        later();
        return rows.map(({ rid }) => rid);
      };
      for (let batch = 0; batch < 4; batch++) for (const rid of await log(500)) start.add(rid);
      const begun = BigInt(built.size());
      const given: string[] = [];
      let pageToken = "";
      for (let page = 0; page === 0 || pageToken !== ""; page++) {
        const answer = await asks[name]({ pageSize: sizes[page % sizes.length], pageToken });
        expect(answer.startTreeSize).toBe(begun);
        expect(answer.treeSize).toBe(BigInt(built.size()));
        given.push(...answer.records.map(({ rid }) => rid));
        pageToken = answer.nextPageToken;
        if (page < 5) await log(3);
      }
      expect(built.size()).toBeGreaterThan(Number(begun));
      expect(new Set(given).size).toBe(given.length);
      expect(given.filter((rid) => start.has(rid))).toHaveLength(2_000);
    },
    60_000,
  );

  test("it is absent where there was none, though there is one by now", async () => {
    const rows = await publish(2);
    const search = (pageToken: string) =>
      call(client, HistoryService, "searchRecords", { pageSize: 1, pageToken });
    const first = await search("");
    await built.records(worldSrc, 0, rows);
    await built.publish();
    later();
    const second = await search(first.nextPageToken);
    expect([first.treeSize, first.startTreeSize]).toEqual([undefined, undefined]);
    expect([second.treeSize, second.startTreeSize]).toEqual([3n, undefined]);
  });
});

describe("a read may wait until its record is in the log", () => {
  test("it answers at once when it is", async () => {
    const rows = await publish(1);
    await built.records(worldSrc, 0, rows);
    await built.publish();
    const { record } = await getRecord(rows[0]?.rid ?? "", LogState.LOGGED);
    expect(record?.log?.state).toBe(LogState.LOGGED);
  });

  test.each([
    ["logged", LogState.LOGGED],
    ["witnessed", LogState.WITNESSED],
  ] as const)("it answers as soon as the record is %s, and says so", async (name, state) => {
    const rows = await publish(2);
    await built.heartbeats(1);
    await built.publish();
    await built.publish("witnessed");
    const looked = Promise.withResolvers<void>();
    const log = listening(world.store.log);
    const waits = publishedLog({
      log: {
        ...log,
        indexes: async (...args) => {
          looked.resolve();
          return log.indexes(...args);
        },
      },
      now: Date.now,
    });
    await using waiting = await serve({ ...world.deps, log: waits });
    using asker = connect(waiting.address);
    const answers = rows.map(({ rid }) =>
      call(asker, HistoryService, "getRecord", { by: { case: "rid", value: rid }, waitFor: state }),
    );
    let answered = 0;
    for (const answer of answers) void answer.then(() => answered++);
    await looked.promise;
    expect(answered).toBe(0);
    await built.records(worldSrc, 0, rows);
    await built.publish();
    if (name === "witnessed") await built.publish("witnessed");
    for (const { record, treeSize } of await Promise.all(answers)) {
      expect(record?.log).toMatchObject({ state, treeSize: 4n });
      expect(treeSize).toBe(4n);
    }
  });

  test("by event id too", async () => {
    const rows = await world.publish({ metadata: { event_id: "e-1" } });
    await built.records(worldSrc, 0, rows);
    await built.publish();
    const eventId = { producerService: "team_service", form: { case: "metadata", value: "e-1" } } as const;
    const by = { case: "eventId", value: eventId } as const;
    const { record } = await call(client, HistoryService, "getRecord", { by, waitFor: LogState.LOGGED });
    expect(record?.rid).toBe(rows[0]?.rid);
  });

  test("when its time is over the caller hears what is missing and what to do", async () => {
    const rows = await publish(2);
    await built.records(worldSrc, 0, rows.slice(0, 1));
    // The server's own limit: what the caller's client makes of its deadline holds no reason.
    const limits = { deadlineMsMax: 1_000 };
    await using hasty = await serve(world.deps, noOperations, { limits });
    using asker = connect(hasty.address);
    const late = (at: number) =>
      failureOf(
        call(asker, HistoryService, "getRecord", {
          by: { case: "rid", value: rows[at]?.rid ?? "" },
          waitFor: LogState.LOGGED,
        }),
      );
    const [placed, unplaced] = await Promise.all([late(0), late(1)]);
    for (const failure of [placed, unplaced])
      expect(failure).toMatchObject({ code: status.DEADLINE_EXCEEDED, reason: "DEADLINE_EXCEEDED" });
    expect(placed.message).toMatch(/has index 0, which no published checkpoint covers yet.*without wait_for/);
    expect(unplaced.message).toMatch(/has no index yet.*without wait_for/);
  });

  test("for a record that is not stored nobody waits", async () => {
    const failure = await failureOf(getRecord(`${worldSrc}.999`, LogState.LOGGED));
    expect(failure).toMatchObject({ code: status.NOT_FOUND, reason: "NOT_FOUND" });
  });

  test.each([LogState.PENDING, 9 as LogState])("state %i is none to wait for", async (state) => {
    const [row] = await publish(1);
    const failure = await failureOf(getRecord(row?.rid ?? "", state));
    expect(failure).toMatchObject({ code: status.INVALID_ARGUMENT, fields: ["wait_for"] });
  });
});

describe("waiting is bounded", () => {
  test("no more than logWaitersMax wait, and who goes makes room", async () => {
    const rows = await publish(1);
    const rid = rows[0]?.rid ?? ("" as never);
    const log = publishedLog({ log: world.store.log, now: Date.now });
    const stop = new AbortController();
    const waits = Array.from({ length: logWaitersMax }, () => log.untilState(rid, "logged", stop.signal));
    const ended = Promise.allSettled(waits);
    await expect(log.untilState(rid, "logged", stop.signal)).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
      field: "wait_for",
    });
    stop.abort();
    const reasons = (await ended).map((end) => (end.status === "rejected" ? end.reason.code : "resolved"));
    expect(new Set(reasons)).toEqual(new Set(["DEADLINE_EXCEEDED"]));
    await built.records(worldSrc, 0, rows);
    await built.publish();
    await log.untilState(rid, "logged", new AbortController().signal);
  });

  test("a store that is away ends the wait: the caller asks again", async () => {
    const [row] = await publish(1);
    const away = async (): Promise<never> => {
      throw new Error("away");
    };
    const log = publishedLog({ log: { ...world.store.log, indexes: away }, now: Date.now });
    const rid = row?.rid ?? ("" as never);
    await expect(log.untilState(rid, "logged", new AbortController().signal)).rejects.toThrow("away");
  });
});
