/** What processes stored and did not account for before they died, where nobody reads its offsets any more. */
import { expect, test } from "@jest/globals";
import { parseCatalogue } from "../../src/core/catalogue.ts";
import { LastroError } from "../../src/core/errors.ts";
import { srcOf, type TopicId } from "../../src/core/ids.ts";
import type { RecordStore } from "../../src/ports/record-store.ts";
import { conditionOf, consuming, signal, src, until } from "../support/consuming.ts";
import { auditEvent, batchOf, type Intake, openIntake } from "../support/intake.ts";

/** A process that dies once the event at `at` is stored, and before anything follows. */
async function storeUnaccounted(
  intake: Intake,
  at: number,
  value = auditEvent({ eventId: "unaccounted" }),
): Promise<void> {
  const append: RecordStore["append"] = async ({ records }, until) => {
    await intake.deps.records.append({ ...nothing, records }, until);
    throw new LastroError("STORE_UNAVAILABLE", "the connection was cut");
  };
  const { assign, source } = await consuming(intake, { append });
  await assign();
  const before = Array.from({ length: at }, () => undefined);
  const mark = (await intake.store.records.mark(src, signal)) ?? 0;
  await source.handler.batch(batchOf(mark, [...before.slice(mark), value]), intake.control);
}

const nothing = { deactivate: [], ownerships: [], aliases: [], account: undefined } as const;

const gapsIn = (intake: Intake) =>
  intake.store.records.outcomes({ src, from: 0, to: 100, kinds: ["gap"], limit: 10 }, signal);

test("what was stored before retention took it keeps its record: accounting begins there, and the gap is what lies behind", async () => {
  await using intake = await openIntake();
  await storeUnaccounted(intake, 1);
  const { assign, source } = await consuming(intake);
  await assign({ logStart: 4 });
  expect(source.resumed.at(-1)).toEqual([src, 4]);
  expect(await intake.store.records.sources(signal)).toEqual([{ src, begin: 1, mark: 4 }]);
  expect(await gapsIn(intake)).toEqual([{ kind: "gap", from: 2, to: 4, cause: "retention" }]);
});

test("what was stored before an operator skipped it keeps its record: the gap lies around it", async () => {
  await using intake = await openIntake();
  await storeUnaccounted(intake, 1);
  const { assign, source, operations } = await consuming(intake);
  await assign();
  source.handler.stopped(src, new LastroError("CORRUPT_BATCH", "cannot be decoded"));
  expect(await operations.skip(src, 0, 3, "broken", signal)).toBe(3);
  expect(await gapsIn(intake)).toEqual([
    { kind: "gap", from: 0, to: 1, cause: "skipped" },
    { kind: "gap", from: 2, to: 3, cause: "skipped" },
  ]);
  const { counts } = await intake.store.records.counts(src, 0, 3, signal);
  expect(counts).toMatchObject({ stored: 1, gap: 2 });
});

const newTopicId = "BBBBBBBBBBBBBBBBBBBBBQ" as TopicId;
const newSrc = srcOf(newTopicId, 0);
const newExtent = { src: newSrc, topicId: newTopicId, partition: 0, logStart: 0, logEnd: 3 };

/** As a process that starts once the operator has accepted the topic that was made again. */
async function consumingNew(intake: Intake, over: Partial<RecordStore> = {}) {
  const process = await consuming(intake, over);
  process.accepted.push(newTopicId);
  process.source.extents = [newExtent];
  return { ...process, assignNew: () => process.assign(newExtent) };
}

test("what was stored of a topic before it was made again keeps its record, and has its outcome once the new topic is opened", async () => {
  await using intake = await openIntake();
  await storeUnaccounted(intake, 1);
  const { assignNew, source } = await consumingNew(intake);
  for (let opened = 1; opened <= 2; opened++) {
    await assignNew();
    expect(source.resumed.at(-1)).toEqual([newSrc, 0]);
    expect(await intake.store.records.sources(signal)).toEqual([{ src, begin: 0, mark: 2 }]);
    expect(await gapsIn(intake)).toEqual([{ kind: "gap", from: 0, to: 1, cause: "skipped" }]);
  }
});

test("what arrives of an earlier topic once the new one is open has its outcome when that is opened again", async () => {
  await using intake = await openIntake();
  await storeUnaccounted(intake, 0);
  const { assignNew } = await consumingNew(intake);
  await assignNew();
  await storeUnaccounted(intake, 2, auditEvent({ eventId: "late" }));
  await assignNew();
  expect(await intake.store.records.sources(signal)).toEqual([{ src, begin: 0, mark: 3 }]);
  expect(await gapsIn(intake)).toEqual([{ kind: "gap", from: 1, to: 2, cause: "skipped" }]);
});

test("what was accounted for of an earlier topic stays as it is, and nothing that it held unread is", async () => {
  await using intake = await openIntake();
  const { assign, deliver } = await consuming(intake);
  await assign();
  await deliver(0, [auditEvent({ eventId: "1" }), undefined]);
  const { assignNew } = await consumingNew(intake);
  await assignNew();
  expect(await intake.store.records.sources(signal)).toEqual([{ src, begin: 0, mark: 2 }]);
  expect(await gapsIn(intake)).toEqual([{ kind: "gap", from: 1, to: 2, cause: "undelivered" }]);
});

test("a record that nobody reads again deactivates its predecessor, also when the new topic goes on with its stream", async () => {
  await using intake = await openIntake();
  const { assign, deliver } = await consuming(intake);
  await assign();
  await deliver(0, [auditEvent({ eventId: "1" })]);
  await storeUnaccounted(intake, 1, auditEvent({ eventId: "2", type: "account.removed" }));
  expect(await activeVersions(intake)).toEqual([1]);
  const next = await consumingNew(intake);
  await next.assignNew();
  expect(await activeVersions(intake)).toEqual([]);
  const created = batchOf(0, [auditEvent({ eventId: "3", type: "account.created" })]);
  await next.source.handler.batch({ ...created, src: newSrc, topicId: newTopicId }, intake.control);
  expect(await activeVersions(intake)).toEqual([3]);
});

async function activeVersions(intake: Intake): Promise<readonly number[]> {
  const records = await Promise.all(
    [src, newSrc].map((of) => intake.store.audit.records(of, 0, 100, 100, signal)),
  );
  return records.flat().flatMap(({ row }) => (row?.isActive ? [row.version] : []));
}

test("the new topic waits while a store that is away keeps the earlier one from being accounted for", async () => {
  await using intake = await openIntake();
  await storeUnaccounted(intake, 1);
  const { account } = intake.store.records;
  let failures = 2;
  const { assignNew, consumer, source } = await consumingNew(intake, {
    async account(step, until) {
      if (failures-- > 0) throw new LastroError("STORE_UNAVAILABLE", "away");
      return account(step, until);
    },
  });
  await assignNew();
  expect(conditionOf(consumer, newSrc)).toMatchObject({ kind: "waiting", code: "STORE_UNAVAILABLE" });
  expect(source.resumed).toEqual([]);
  await until(() => conditionOf(consumer, newSrc)?.kind === "running");
  expect(await intake.store.records.mark(src, signal)).toBe(2);
});

test("of two processes that open the new topic at once, one accounts for the earlier one", async () => {
  await using intake = await openIntake();
  await storeUnaccounted(intake, 1);
  const { account } = intake.store.records;
  const ends: string[] = [];
  const over: Partial<RecordStore> = {
    async account(step, until) {
      const end = await account(step, until);
      ends.push(end);
      return end;
    },
  };
  const both = await Promise.all([consumingNew(intake, over), consumingNew(intake, over)]);
  await Promise.all(both.map(({ assignNew }) => assignNew()));
  for (const { consumer } of both) await until(() => conditionOf(consumer, newSrc)?.kind === "running");
  expect(ends).toEqual(["done", "mark_lost"]);
  expect(await gapsIn(intake)).toEqual([{ kind: "gap", from: 0, to: 1, cause: "skipped" }]);
});

const catalogue = `{"version":1,"events":{"account.*":{"processing":{"legal_basis":"contract","purpose":"billing","retention_days":30}}}}`;

async function openDeclaredIntake(): Promise<Intake> {
  const parsed = parseCatalogue(catalogue);
  if (!parsed.ok) throw new Error(parsed.errors.join());
  const intake = await openIntake();
  const stations = { ...intake.deps.stations, catalogue: parsed.catalogue };
  return Object.assign(intake, { deps: { ...intake.deps, stations } });
}

/** What is kept beside the records: of their owner, and of the other ids of their entities. */
async function besides({ store }: Intake) {
  const [first] = await store.audit.records(src, 0, 1, 1, signal);
  const stream = first?.row?.stream ?? ("" as never);
  return {
    ownerships: await store.history.ownerships({ tenant: undefined, after: undefined, limit: 10 }, signal),
    related: await store.history.relatedStreams(stream, 10, signal),
  };
}

test("a record that nobody reads again tells of its owner and of its entity's other ids, as if it had been read", async () => {
  const [one, other] = [auditEvent({ eventId: "1" }), auditEvent({ id: "a-2", at: "2026-11-21T11:30:00Z" })];
  await using undisturbed = await openDeclaredIntake();
  const { assign, deliver } = await consuming(undisturbed);
  await assign();
  await deliver(0, [one, other]);

  await using intake = await openDeclaredIntake();
  const before = await consuming(intake);
  await before.assign();
  await before.deliver(0, [one]);
  await storeUnaccounted(intake, 1, other);
  expect(await besides(intake)).not.toEqual(await besides(undisturbed));
  await (await consumingNew(intake)).assignNew();
  expect(await besides(intake)).toEqual(await besides(undisturbed));
  expect((await besides(intake)).related).toHaveLength(1);
});
