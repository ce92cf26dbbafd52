/** The partitions' states, with a scripted source in place of Kafka and a real SQLite store behind. */
import { expect, test } from "@jest/globals";
import { LastroError } from "../../src/core/errors.ts";
import { type Src, srcOf, type TopicId } from "../../src/core/ids.ts";
import { slices } from "../../src/ingest/consume.ts";
import type { SourcePartition } from "../../src/ports/event-source.ts";
import type { RecordStore } from "../../src/ports/record-store.ts";
import { conditionOf, consuming, flood, settled, signal, src, until } from "../support/consuming.ts";
import { auditEvent, batchOf, nowMs, openIntake, silentLog, topicId } from "../support/intake.ts";

test("without a mark a partition is read from the earliest offset, with one from the mark", async () => {
  await using intake = await openIntake();
  const { source, assign, deliver } = await consuming(intake);
  await assign({ logStart: 0 });
  await deliver(0, [auditEvent({ eventId: "1" }), auditEvent({ eventId: "2" })]);
  await assign();
  expect(source.resumed).toEqual([
    [src, 0],
    [src, 2],
  ]);
  expect(source.committed).toEqual([2]);
});

test("offsets that retention took before they were read are a gap, and reading goes on behind it", async () => {
  await using intake = await openIntake();
  const { source, assign, deliver, operations } = await consuming(intake);
  await assign();
  await deliver(0, [auditEvent({ eventId: "1" })]);
  await assign({ logStart: 40 });
  expect(source.resumed.at(-1)).toEqual([src, 40]);
  const [row] = await operations.outcomes({ src, from: 0, to: 100, kinds: ["gap"], limit: 10 }, signal);
  expect(row).toEqual({ kind: "gap", from: 1, to: 40, cause: "retention" });
});

test("a mark beyond the end that the partition had when it was assigned is another process's, as long as the partition has grown that far", async () => {
  await using intake = await openIntake();
  const { assign, deliver, source, consumer } = await consuming(intake);
  await assign();
  await deliver(0, [auditEvent({ eventId: "1" }), auditEvent({ eventId: "2" })]);
  await assign({ logEnd: 1 });
  expect(conditionOf(consumer)).toMatchObject({ kind: "running" });
  expect(source.resumed.at(-1)).toEqual([src, 2]);
});

test("a mark beyond the end of the partition stops it: OFFSET_OUT_OF_RANGE", async () => {
  await using intake = await openIntake();
  const { source, assign, deliver, consumer } = await consuming(intake);
  await assign();
  await deliver(0, [auditEvent({ eventId: "1" }), auditEvent({ eventId: "2" })]);
  source.extents = [{ ...(source.extents[0] as SourcePartition), logEnd: 1 }];
  await assign({ logEnd: 1 });
  expect(conditionOf(consumer)).toMatchObject({ kind: "stopped", code: "OFFSET_OUT_OF_RANGE" });
});

test("trouble of the store pauses the partition, which goes on by itself; nothing becomes a dead letter", async () => {
  await using intake = await openIntake();
  let failures = 2;
  const { append } = intake.store.records;
  const { assign, deliver, consumer, source } = await consuming(intake, {
    append: async (batch, until) => {
      if (failures-- > 0) throw new LastroError("STORE_UNAVAILABLE", "away");
      return append(batch, until);
    },
  });
  await assign();
  for (let attempt = 1; attempt <= 2; attempt++) {
    expect(await deliver(0, [auditEvent({ eventId: "1" })])).toBe(0);
    expect(conditionOf(consumer)).toMatchObject({ kind: "waiting", code: "STORE_UNAVAILABLE" });
    await until(() => conditionOf(consumer)?.kind === "running");
  }
  expect(await deliver(0, [auditEvent({ eventId: "1" })])).toBe(1);
  expect(source.paused).toEqual([src, src]);
  expect(intake.letters).toEqual([]);
});

test("what nobody expected of the store is told with its cause, and the partition waits and goes on; nothing becomes a dead letter", async () => {
  await using intake = await openIntake();
  const cause = new TypeError("nobody expected this");
  const told: unknown[] = [];
  const log = { ...silentLog, error: (...line: readonly unknown[]) => void told.push(line) };
  let failures = 1;
  const { append } = intake.store.records;
  const { assign, deliver, consumer } = await consuming(
    { ...intake, deps: { ...intake.deps, log } },
    {
      append: async (batch, until) => {
        if (failures-- > 0) throw cause;
        return append(batch, until);
      },
    },
  );
  await assign();
  expect(await deliver(0, [auditEvent({ eventId: "1" })])).toBe(0);
  expect(conditionOf(consumer)).toMatchObject({ kind: "waiting", code: "STORE_UNAVAILABLE" });
  const fields = { partition: 0, code: "STORE_UNAVAILABLE" };
  expect(told).toEqual([["unexpected_error", expect.any(String), fields, cause]]);
  await until(() => conditionOf(consumer)?.kind === "running");
  expect(await deliver(0, [auditEvent({ eventId: "1" })])).toBe(1);
  expect(intake.letters).toEqual([]);
});

test("a partition that waited goes on from a mark beyond the end it was assigned with; unknown trouble waits as well", async () => {
  await using intake = await openIntake();
  const { mark } = intake.store.records;
  let away = false;
  const { assign, deliver, consumer, source } = await consuming(intake, {
    async mark(of, until) {
      if (!away) return mark(of, until);
      throw new LastroError("INTERNAL", "nobody expected this");
    },
  });
  await assign({ logEnd: 0 });
  await deliver(0, [auditEvent({ eventId: "1" }), auditEvent({ eventId: "2" })]);
  away = true;
  await assign({ logEnd: 0 });
  expect(conditionOf(consumer)).toMatchObject({ kind: "waiting", code: "INTERNAL" });
  away = false;
  await until(() => conditionOf(consumer)?.kind === "running");
  expect(source.resumed.at(-1)).toEqual([src, 2]);
});

test("a topic made anew cannot be resumed as if it were the old one", async () => {
  await using intake = await openIntake();
  const { assign, consumer, source, operations } = await consuming(intake);
  await assign();
  source.handler.stopped(src, new LastroError("SOURCE_CHANGED", "made anew"));
  const other = "BBBBBBBBBBBBBBBBBBBBBB" as TopicId;
  source.extents = [{ src: srcOf(other, 0), topicId: other, partition: 0, logStart: 0, logEnd: 5 }];
  const resuming = operations.resume({ src }, { acceptIncarnation: false }, signal);
  await expect(resuming).rejects.toMatchObject({ code: "FAILED_PRECONDITION" });
  expect(conditionOf(consumer)).toMatchObject({ kind: "stopped", code: "SOURCE_CHANGED" });
});

test("what the source stops stays stopped until an operator resumes it, with the extent the partition has then", async () => {
  await using intake = await openIntake();
  const { assign, consumer, source, operations } = await consuming(intake);
  await assign();
  source.handler.stopped(src, new LastroError("OFFSET_OUT_OF_RANGE", "retention was faster"));
  expect(conditionOf(consumer)).toMatchObject({ kind: "stopped", code: "OFFSET_OUT_OF_RANGE" });
  source.extents = [{ src, topicId, partition: 0, logStart: 7, logEnd: 100 }];
  await operations.resume({ src }, { acceptIncarnation: false }, signal);
  expect(conditionOf(consumer)).toEqual({ kind: "running" });
  expect(source.resumed.at(-1)).toEqual([src, 7]);
});

test("a partition that is assigned anew while an operator resumes it goes on: it is not paused by what is out of date", async () => {
  await using intake = await openIntake();
  const { assign, consumer, source, operations } = await consuming(intake);
  await assign();
  source.handler.stopped(src, new LastroError("OFFSET_OUT_OF_RANGE", "retention was faster"));
  const { partitions } = source;
  source.partitions = async (until) => {
    source.partitions = partitions;
    source.handler.revoked(src);
    await assign();
    source.paused.splice(0);
    return partitions(until);
  };
  const resuming = operations.resume({ src }, { acceptIncarnation: false }, signal);
  await expect(resuming).rejects.toMatchObject({ code: "FAILED_PRECONDITION" });
  expect(conditionOf(consumer)).toEqual({ kind: "running" });
  expect(source.paused).toEqual([]);
});

test("a source that stops a partition while it is being opened is not overruled", async () => {
  await using intake = await openIntake();
  const { assign, consumer, source } = await consuming(intake);
  const assigning = assign();
  source.handler.stopped(src, new LastroError("SOURCE_CHANGED", "re-created"));
  await assigning;
  await new Promise((turn) => setTimeout(turn, 20));
  expect(conditionOf(consumer)).toMatchObject({ kind: "stopped", code: "SOURCE_CHANGED" });
  expect(source.resumed).toEqual([]);
});

test("a re-created topic is read from its start once the operator accepts it, and the store remembers", async () => {
  await using intake = await openIntake();
  const { assign, consumer, source, operations, accepted } = await consuming(intake);
  await assign();
  source.handler.stopped(src, new LastroError("SOURCE_CHANGED", "re-created"));
  const other = "BBBBBBBBBBBBBBBBBBBBBQ" as TopicId;
  source.extents = [{ src: srcOf(other, 0), topicId: other, partition: 0, logStart: 0, logEnd: 3 }];
  await operations.resume({ partition: 0 }, { acceptIncarnation: true }, signal);
  await settled(consumer);
  expect(accepted).toEqual([topicId, other]);
  expect([...consumer.held.keys()]).toEqual([srcOf(other, 0)]);
  expect(source.resumed.at(-1)).toEqual([srcOf(other, 0), 0]);
});

test("a flood of rejections opens the breaker; it outlives the process and ends when the operator closes it", async () => {
  await using intake = await openIntake();
  const first = await consuming(intake);
  await first.assign();
  expect(await first.deliver(0, flood)).toBe(4);
  expect(conditionOf(first.consumer)).toMatchObject({ kind: "waiting", code: "BREAKER_OPEN" });
  const second = await consuming(intake);
  await second.assign();
  expect(conditionOf(second.consumer)).toMatchObject({ kind: "waiting", code: "BREAKER_OPEN" });
  expect(
    (await second.operations.intake({ srcs: [], from: 0, to: undefined }, signal)).breaker,
  ).toMatchObject({ open: true, sinceMs: nowMs });
  await second.operations.resumeBreaker(signal);
  expect(conditionOf(second.consumer)).toEqual({ kind: "running" });
  await until(() => conditionOf(first.consumer)?.kind === "running");
});

test("offsets are skipped only from the mark of a partition that does not run, and are a gap with that cause", async () => {
  await using intake = await openIntake();
  const { assign, source, operations, deliver, consumer } = await consuming(intake);
  await assign();
  await deliver(0, [auditEvent({ eventId: "1" })]);
  await expect(operations.skip(src, 1, 3, "broken", signal)).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
  });
  source.handler.stopped(src, new LastroError("CORRUPT_BATCH", "cannot be decoded"));
  await expect(operations.skip(src, 2, 3, "broken", signal)).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
  });
  expect(await operations.skip(src, 1, 3, "broken", signal)).toBe(3);
  expect(conditionOf(consumer)).toEqual({ kind: "running" });
  expect(source.resumed.at(-1)).toEqual([src, 3]);
  const [row] = await operations.outcomes({ src, from: 0, to: 100, kinds: ["gap"], limit: 10 }, signal);
  expect(row).toEqual({ kind: "gap", from: 1, to: 3, cause: "skipped" });
});

test("a partition that stopped for an operator stays stopped, whatever the batch that was running then fails of", async () => {
  await using intake = await openIntake();
  const cut = new LastroError("STORE_UNAVAILABLE", "the connection was cut");
  const changed = new LastroError("SOURCE_CHANGED", "the topic was made again");
  const stopping: { now: () => void } = { now: () => undefined };
  const append: RecordStore["append"] = async () => {
    stopping.now();
    throw cut;
  };
  const { assign, source, deliver, consumer } = await consuming(intake, { append });
  await assign();
  stopping.now = () => source.handler.stopped(src, changed);
  await deliver(0, [auditEvent({ eventId: "1" })]);
  expect(conditionOf(consumer)).toMatchObject({ kind: "stopped", code: "SOURCE_CHANGED" });
});

test("a partition that stopped while it was being opened does not wait for the breaker instead", async () => {
  await using intake = await openIntake();
  const { assign, source, consumer } = await consuming(intake);
  await intake.store.state.setBreaker({ open: true, sinceMs: nowMs, rejected: 3, seen: 4 }, signal);
  const opening = assign();
  source.handler.stopped(src, new LastroError("SOURCE_CHANGED", "the topic was made again"));
  await opening;
  await intake.store.state.breaker(signal);
  await new Promise(setImmediate);
  expect(conditionOf(consumer)).toMatchObject({ kind: "stopped", code: "SOURCE_CHANGED" });
});

test("before the first mark, offsets are skipped from the partition's start alone: none is left without an outcome", async () => {
  await using intake = await openIntake();
  const { source, operations, assign } = await consuming(intake);
  await assign();
  source.handler.stopped(src, new LastroError("CORRUPT_BATCH", "cannot be decoded"));
  await expect(operations.skip(src, 50, 60, "broken", signal)).rejects.toMatchObject({
    field: "from_offset",
  });
  expect(await operations.skip(src, 0, 2, "broken", signal)).toBe(2);
});

test("offsets of a partition that another process holds are not skipped here", async () => {
  await using intake = await openIntake();
  const { operations } = await consuming(intake);
  await expect(operations.skip(src, 0, 2, "broken", signal)).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
  });
});

test("a breaker that another process opened pauses the partitions here", async () => {
  await using intake = await openIntake();
  const { assign, consumer, source } = await consuming(intake);
  await assign();
  const open = { open: true, sinceMs: nowMs, rejected: 600, seen: 1000 };
  await intake.store.state.setBreaker(open, signal);
  consumer.noticeBreaker(open);
  expect(conditionOf(consumer)).toMatchObject({ kind: "waiting", code: "BREAKER_OPEN" });
  expect(source.paused).toEqual([src]);
});

test("a process without a partition shows the breaker as the store has it, open and closed again", async () => {
  await using intake = await openIntake();
  const shown: boolean[] = [];
  const observer = { ...intake.deps.observer, breaker: (open: boolean) => void shown.push(open) };
  const { consumer } = await consuming({ ...intake, deps: { ...intake.deps, observer } });
  consumer.noticeBreaker({ open: true, sinceMs: nowMs, rejected: 600, seen: 1000 });
  expect(shown.at(-1)).toBe(true);
  consumer.noticeBreaker({ open: false, sinceMs: nowMs, rejected: 0, seen: 0 });
  expect(shown.at(-1)).toBe(false);
});

test("a batch is worked through in slices bounded by count and by bytes, which leave no offset out", () => {
  const large = "x".repeat(5 * 1024 * 1024);
  const bounds = (batch: ReturnType<typeof batchOf>, sizeMax: number) =>
    [...slices(batch, sizeMax)].map(({ from, to, events }) => [from, to, events.length]);
  expect(bounds(batchOf(0, ["a", undefined, "b", "c", undefined]), 2)).toEqual([
    [0, 3, 2],
    [3, 5, 1],
  ]);
  expect(bounds(batchOf(0, [large, large, "a", large]), 100)).toEqual([
    [0, 1, 1],
    [1, 3, 2],
    [3, 4, 1],
  ]);
  expect(bounds(batchOf(7, [undefined, undefined]), 2)).toEqual([[7, 9, 0]]);
});

test("R-81 intake tells mark, lag and counts of every partition", async () => {
  await using intake = await openIntake();
  const { assign, operations, deliver } = await consuming(intake);
  await assign();
  await deliver(0, [auditEvent({ eventId: "1" }), auditEvent({ eventId: "1" }), "{"]);
  const { partitions } = await operations.intake({ srcs: [], from: 0, to: undefined }, signal);
  expect(partitions).toMatchObject([
    {
      src,
      partition: 0,
      state: "running",
      mark: 3,
      lag: 97,
      counted: { from: 0, to: 3, counts: { stored: 1, duplicate: 1, rejected: 1 } },
    },
  ]);
  await expect(
    operations.intake({ srcs: ["x.1" as Src], from: 0, to: undefined }, signal),
  ).rejects.toMatchObject({ code: "NOT_FOUND" });
});
