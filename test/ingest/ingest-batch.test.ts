import { expect, test } from "@jest/globals";
import { LastroError } from "../../src/core/errors.ts";
import { ridOf, srcOf } from "../../src/core/ids.ts";
import { ingestBatch } from "../../src/ingest/ingest-batch.ts";
import type { RecordStore } from "../../src/ports/record-store.ts";
import { allRecords } from "../support/checker.ts";
import { auditEvent, batchOf, type Intake, nowMs, openIntake, topicId } from "../support/intake.ts";

const src = srcOf(topicId, 0);
const signal = AbortSignal.timeout(30_000);
const run = (intake: Intake, batch: ReturnType<typeof batchOf>, records?: RecordStore) =>
  ingestBatch(records === undefined ? intake.deps : { ...intake.deps, records }, batch, intake.control);
const outcomesOf = (intake: Intake) =>
  intake.store.records.outcomes(
    { src, from: 0, to: 100, kinds: ["duplicate", "conflict", "rejected", "gap"], limit: 100 },
    signal,
  );
const shape = async (intake: Intake) =>
  (await allRecords(intake.store)).map(({ rid, version, isActive }) => [
    rid.split(".")[2],
    version,
    isActive,
  ]);

test("R-06 an accepted event is appended as version 1, active, and its offset is accounted as stored", async () => {
  await using intake = await openIntake();
  const end = await run(intake, batchOf(0, [auditEvent({ type: "account.created" })]));
  expect(end.kind === "done" && end.report.counts).toEqual({
    stored: 1,
    duplicate: 0,
    conflict: 0,
    rejected: 0,
    gap: 0,
  });
  const [record] = await allRecords(intake.store);
  expect(record).toMatchObject({ version: 1, action: "new", isActive: true, recordedAtMs: nowMs });
  expect(await intake.store.records.mark(src, signal)).toBe(1);
});

test("R-05 the same event uid and content again is a duplicate of the first, within a batch and across batches", async () => {
  await using intake = await openIntake();
  await run(intake, batchOf(0, [auditEvent({ eventId: "1" }), auditEvent({ eventId: "1" })]));
  await run(intake, batchOf(2, [auditEvent({ eventId: "1" })]));
  expect(await shape(intake)).toEqual([["0", 1, true]]);
  const original = ridOf(src, 0);
  expect(await outcomesOf(intake)).toEqual([
    { kind: "duplicate", from: 1, to: 2, original },
    { kind: "duplicate", from: 2, to: 3, original },
  ]);
});

test.each(["unavailable", "forgetful"] as const)(
  "R-05 a duplicate is recognised while the hints are %s",
  async (mode) => {
    await using intake = await openIntake();
    intake.hintsMode = mode;
    await run(intake, batchOf(0, [auditEvent({ eventId: "1" })]));
    await run(
      intake,
      batchOf(1, [auditEvent({ eventId: "2" }), auditEvent({ eventId: "1" }), auditEvent({ eventId: "3" })]),
    );
    expect(await shape(intake)).toEqual([
      ["0", 1, false],
      ["1", 2, false],
      ["3", 3, true],
    ]);
    expect(await outcomesOf(intake)).toMatchObject([{ kind: "duplicate", from: 2, original: ridOf(src, 0) }]);
  },
);

test("R-05 a hint that is not confirmed by the store loses nothing: the event is stored", async () => {
  await using intake = await openIntake();
  const batch = batchOf(0, [auditEvent({ eventId: "1" })]);
  await using other = await openIntake();
  await run(other, batch);
  for (const uid of other.remembered) intake.remembered.add(uid);
  await run(intake, batch);
  expect(await shape(intake)).toEqual([["0", 1, true]]);
});

test("the same uid with other content is a conflict: a dead letter, never silence", async () => {
  await using intake = await openIntake();
  await run(intake, batchOf(0, [auditEvent({ eventId: "1" }), auditEvent({ eventId: "1", name: "Jane" })]));
  await run(intake, batchOf(2, [auditEvent({ eventId: "1", name: "Jack" })]));
  expect(await shape(intake)).toEqual([["0", 1, true]]);
  expect(intake.letters.map(({ reason, source }) => [reason, source.offset])).toEqual([
    ["CONFLICT", 1],
    ["CONFLICT", 2],
  ]);
  expect(await outcomesOf(intake)).toMatchObject([
    { kind: "conflict", from: 1, original: ridOf(src, 0), deadLetter: { offset: 0 } },
    { kind: "conflict", from: 2, original: ridOf(src, 0), deadLetter: { offset: 1 } },
  ]);
});

test("bad data becomes a dead letter with its reason and does not stop its neighbours", async () => {
  await using intake = await openIntake();
  await run(intake, batchOf(0, [auditEvent({ eventId: "1" }), '{"a":1,}', auditEvent({ eventId: "2" })]));
  expect((await shape(intake)).map(([offset]) => offset)).toEqual(["0", "2"]);
  expect(intake.letters).toMatchObject([
    { reason: "INVALID_JSON", stage: "parse", source: { offset: 1, partition: 0 } },
  ]);
  expect(await intake.store.records.mark(src, signal)).toBe(3);
});

test("an event that cannot be sealed for a fault of ours becomes a dead letter, and a copy of it in its batch is stored instead", async () => {
  await using intake = await openIntake();
  const { stations } = intake.deps;
  let faults = 0;
  const random = (bytes: number): Uint8Array => {
    if (++faults <= 3) throw new Error("a fault of ours");
    return stations.random(bytes);
  };
  const copies = [auditEvent({ eventId: "1" }), auditEvent({ eventId: "1" })];
  const deps = { ...intake.deps, stations: { ...stations, random } };
  await ingestBatch(deps, batchOf(0, copies), intake.control);
  expect(await shape(intake)).toEqual([["1", 1, true]]);
  expect(await outcomesOf(intake)).toMatchObject([
    { kind: "rejected", from: 0, rejection: { reason: "INTERNAL" } },
  ]);
});

test("R-81 offsets that were never delivered are accounted as gaps, at the head, in the middle and at the end", async () => {
  await using intake = await openIntake();
  const end = await run(
    intake,
    batchOf(0, [
      undefined,
      auditEvent({ eventId: "1" }),
      undefined,
      undefined,
      auditEvent({ eventId: "2" }),
      undefined,
    ]),
  );
  expect(end.kind === "done" && end.report.counts).toMatchObject({ stored: 2, gap: 4 });
  expect((await outcomesOf(intake)).map(({ kind, from, to }) => [kind, from, to])).toEqual([
    ["gap", 0, 1],
    ["gap", 2, 4],
    ["gap", 5, 6],
  ]);
});

test("R-07 a later version deactivates exactly its predecessor; a delete leaves no active record", async () => {
  await using intake = await openIntake();
  const events = ["created", "updated", "removed"].map((verb, n) =>
    auditEvent({ type: `account.${verb}`, eventId: String(n) }),
  );
  for (const [offset, event] of events.entries()) await run(intake, batchOf(offset, [event]));
  expect(await shape(intake)).toEqual([
    ["0", 1, false],
    ["1", 2, false],
    ["2", 3, false],
  ]);
});

test("another writer's repair that comes between two records of a batch leaves the head alone active", async () => {
  await using intake = await openIntake();
  const { records } = intake.store;
  const parts: RecordStore = {
    ...records,
    async append(batch, until) {
      const nothing = { records: [], deactivate: [], ownerships: [], aliases: [], account: undefined };
      for (const record of batch.records) {
        await records.append({ ...nothing, records: [record] }, until);
        if (record !== batch.records.at(-1)) await records.repairActive([record], until);
      }
      return records.append({ ...batch, records: [] }, until);
    },
  };
  const events = ["1", "2", "3"].map((eventId) => auditEvent({ eventId }));
  await run(intake, batchOf(0, events), parts);
  expect(await shape(intake)).toEqual([
    ["0", 1, false],
    ["1", 2, false],
    ["2", 3, true],
  ]);
});

test("a duplicate in the middle of a batch that holds three events of one stream leaves no hole", async () => {
  await using intake = await openIntake();
  intake.hintsMode = "forgetful";
  await run(intake, batchOf(0, [auditEvent({ eventId: "2" })], 1));
  await run(
    intake,
    batchOf(
      0,
      ["1", "2", "3"].map((eventId) => auditEvent({ eventId })),
    ),
  );
  const versions = (await shape(intake)).map(([, version, active]) => [version, active]);
  expect(versions.toSorted()).toEqual([
    [1, false],
    [2, false],
    [3, true],
  ]);
});

test("R-09 a redelivery after a crash before accounting is stored once, with its follow-ups, and only then accounted", async () => {
  await using intake = await openIntake();
  const batch = batchOf(
    0,
    ["1", "2", "3"].map((eventId) => auditEvent({ eventId, owner: `owner-${eventId}` })),
  );
  const crashing: RecordStore = {
    ...intake.store.records,
    async append(whole, aborted) {
      await intake.store.records.append(
        {
          records: whole.records.slice(0, 2),
          deactivate: [],
          ownerships: [],
          aliases: [],
          account: undefined,
        },
        aborted,
      );
      throw new LastroError("STORE_UNAVAILABLE", "power lost");
    },
  };
  await expect(run(intake, batch, crashing)).rejects.toThrow("power lost");
  expect(await intake.store.records.mark(src, signal)).toBeUndefined();
  intake.deps.heads.clear();
  const end = await run(intake, batch);
  expect(end.kind === "done" && [end.report.counts.stored, end.report.redelivered]).toEqual([3, 2]);
  expect((await shape(intake)).map(([, version, active]) => [version, active])).toEqual([
    [1, false],
    [2, false],
    [3, true],
  ]);
  const owners = await intake.store.history.ownerships(
    { tenant: "default", after: undefined, limit: 10 },
    signal,
  );
  const atMs = Date.UTC(2026, 10, 21, 11);
  const known = { firstEventAtMs: atMs, lastEventAtMs: atMs, producers: ["team_service"] };
  expect(owners.toSorted((a, b) => String(a.ownershipId).localeCompare(String(b.ownershipId)))).toMatchObject(
    ["1", "2", "3"].map((eventId) => ({ ownershipId: `owner-${eventId}`, ...known })),
  );
  expect(await intake.store.records.mark(src, signal)).toBe(3);
});

test("clashes that no look-up explains are tried a bounded number of times, then the partition waits: VERSION_CONTENTION", async () => {
  await using intake = await openIntake();
  let appends = 0;
  const clashing: RecordStore = {
    ...intake.store.records,
    async append() {
      appends += 1;
      return { kind: "clash", at: 0 };
    },
    find: async () => [],
  };
  const batch = batchOf(0, [auditEvent({ eventId: "1" }), auditEvent({ eventId: "2" })]);
  await expect(run(intake, batch, clashing)).rejects.toMatchObject({ code: "VERSION_CONTENTION" });
  expect(appends).toBe(intake.deps.limits.attemptsMax);
  expect(intake.letters).toEqual([]);
  expect(await intake.store.records.mark(src, signal)).toBeUndefined();
});

test("another event at an offset whose rid is stored stops the partition: SOURCE_CHANGED", async () => {
  await using intake = await openIntake();
  intake.hintsMode = "unavailable";
  await run(intake, batchOf(0, [auditEvent({ eventId: "1" })]));
  await expect(run(intake, batchOf(0, [auditEvent({ eventId: "other" })]))).rejects.toMatchObject({
    code: "SOURCE_CHANGED",
  });
});

test("who loses the mark accounts nothing: a zombie and its successor never give one offset two outcomes", async () => {
  await using intake = await openIntake();
  const batch = batchOf(0, [auditEvent({ eventId: "1" }), "{"]);
  await run(intake, batch);
  expect((await run(intake, batch)).kind).toBe("mark_lost");
  expect(await outcomesOf(intake)).toHaveLength(1);
});

test("a loser of the race for a version takes the next one and the winner's alias", async () => {
  await using intake = await openIntake();
  await run(intake, batchOf(0, [auditEvent({ eventId: "1" })]));
  const stale = (await intake.store.records.heads([], signal)) ?? new Map();
  const [{ stream, kind }] = (await allRecords(intake.store)) as [Awaited<ReturnType<typeof allRecords>>[0]];
  const before = await intake.store.records.heads([{ stream, kind }], signal);
  await run(intake, batchOf(1, [auditEvent({ eventId: "2" })]));
  for (const [key, head] of [...stale, ...before]) intake.deps.heads.set(key, head);
  await run(intake, batchOf(2, [auditEvent({ eventId: "3" })]));
  const records = await allRecords(intake.store);
  expect(records.map(({ version }) => version)).toEqual([1, 2, 3]);
  expect(new Set(records.map(({ alias }) => alias)).size).toBe(1);
});

test("what the store refuses for its content alone becomes a dead letter; its neighbours are stored without a hole", async () => {
  await using intake = await openIntake();
  const refusing: RecordStore = {
    ...intake.store.records,
    async append(whole, aborted) {
      const at = whole.records.findIndex(({ rid }) => rid.endsWith(".1"));
      if (at < 0) return intake.store.records.append(whole, aborted);
      const before = { ...whole, records: whole.records.slice(0, at), account: undefined };
      await intake.store.records.append(before, aborted);
      return { kind: "refused", at, why: "too large" };
    },
  };
  await run(
    intake,
    batchOf(
      0,
      ["1", "2", "3"].map((eventId) => auditEvent({ eventId })),
    ),
    refusing,
  );
  expect((await shape(intake)).map(([offset, version]) => [offset, version])).toEqual([
    ["0", 1],
    ["2", 2],
  ]);
  expect(intake.letters).toMatchObject([{ reason: "STORE_REFUSED", source: { offset: 1 } }]);
});

test("a batch that went stale writes nothing", async () => {
  await using intake = await openIntake();
  intake.control.stale = true;
  expect((await run(intake, batchOf(0, [auditEvent()]))).kind).toBe("stale");
  expect(await allRecords(intake.store)).toEqual([]);
});

test("the way is walked in the order of durability, and the hints are told last", async () => {
  await using intake = await openIntake();
  await run(intake, batchOf(0, [auditEvent({ eventId: "1" }), "{"]));
  expect(intake.reached).toEqual([
    "received",
    "prepared",
    "hinted",
    "appended",
    "lettered",
    "accounted",
    "remembered",
  ]);
  expect(intake.remembered.size).toBe(1);
});

test("R-09 the ownership is known with its first and last event and its producers", async () => {
  await using intake = await openIntake();
  await run(
    intake,
    batchOf(0, [
      auditEvent({ eventId: "1", at: "2026-11-21T11:00:00Z" }),
      auditEvent({ eventId: "2", at: "2026-11-21T10:00:00Z" }),
    ]),
  );
  const [owned] = await intake.store.history.ownerships(
    { tenant: "default", after: undefined, limit: 10 },
    signal,
  );
  expect(owned).toMatchObject({
    ownershipId: "1b08116e-74ff-4e71-8a17-26011cfea33f",
    firstEventAtMs: Date.UTC(2026, 10, 21, 10),
    lastEventAtMs: Date.UTC(2026, 10, 21, 11),
    producers: ["team_service"],
    state: "live",
  });
});
