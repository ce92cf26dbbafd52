/** Offsets that an operator skips, while everything else wants the partition, too. */
import { expect, test } from "@jest/globals";
import { LastroError } from "../../src/core/errors.ts";
import { sleep } from "../../src/lib/backoff.ts";
import type { Sleep } from "../../src/ports/clock.ts";
import type { RecordStore } from "../../src/ports/record-store.ts";
import { conditionOf, consuming, flood, signal, src, until } from "../support/consuming.ts";
import { auditEvent, type Intake, nowMs, openIntake } from "../support/intake.ts";

const away = new LastroError("STORE_UNAVAILABLE", "the connection was cut");
const nothing = { deactivate: [], ownerships: [], aliases: [], account: undefined } as const;
const event = auditEvent({ eventId: "1" });

const withDeps = (intake: Intake, deps: Partial<Intake["deps"]>): Intake => ({
  ...intake,
  deps: { ...intake.deps, ...deps },
});

/** What became of the first offsets: nobody's, one outcome, or two at once. */
async function fatesOf({ store }: Intake): Promise<readonly string[]> {
  const stored = (await store.audit.records(src, 0, 10, 10, signal)).map(({ offset }) => offset);
  const rows = await store.audit.outcomes(src, 0, 10, 10, signal);
  const fates = Array.from({ length: 10 }, (_, offset) => [
    ...rows.filter(({ from, to }) => from <= offset && offset < to).map(({ kind }) => kind),
    ...(stored.includes(offset) ? ["stored"] : []),
  ]);
  return fates.map((all) => all.join(" and "));
}

/** Appends as MongoDB does, part by part; `between` comes before the mark moves. */
const stepwise =
  (records: RecordStore, between: () => Promise<void>): RecordStore["append"] =>
  async ({ account, ...batch }, until) => {
    const verdict = await records.append({ ...batch, account: undefined }, until);
    await between();
    return account === undefined || verdict.kind !== "done"
      ? verdict
      : { kind: await records.account(account, until) };
  };

test("while offsets are skipped nothing of the partition is read, though the breaker is closed meanwhile and an operator resumes it", async () => {
  await using intake = await openIntake();
  const meanwhile: { act: () => Promise<unknown> } = { act: async () => undefined };
  const { assign, deliver, operations, consumer, source } = await consuming(
    withDeps(intake, {
      async recordsOf(...range) {
        const page = await intake.deps.recordsOf(...range);
        await meanwhile.act();
        return page;
      },
    }),
    { append: stepwise(intake.store.records, async () => undefined) },
  );
  await assign();
  await deliver(0, flood);
  expect(conditionOf(consumer)).toMatchObject({ kind: "waiting", code: "BREAKER_OPEN" });
  let refused: unknown;
  meanwhile.act = async () => {
    meanwhile.act = async () => undefined;
    await operations.resumeBreaker(signal);
    refused = await operations.resume({ src }, { acceptIncarnation: false }, signal).catch((cause) => cause);
    if (source.resumed.length > 1) await deliver(4, [event]);
  };
  expect(await operations.skip(src, 4, 7, "a wrong deployment", signal)).toBe(7);
  expect(refused).toMatchObject({ code: "FAILED_PRECONDITION" });
  expect(source.resumed).toEqual([
    [src, 0],
    [src, 7],
  ]);
  expect(conditionOf(consumer)).toEqual({ kind: "running" });
  expect((await fatesOf(intake)).slice(4, 8)).toEqual(["gap", "gap", "gap", ""]);
});

test("offsets are not skipped beside a batch that is being stored: it ends first, and moves the mark", async () => {
  await using intake = await openIntake();
  const [inserted, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const { records } = intake.store;
  const between = async (): Promise<void> => {
    inserted.resolve();
    await go.promise;
  };
  const { assign, deliver, operations, consumer } = await consuming(intake, {
    async append(batch, until) {
      await between();
      return stepwise(records, async () => undefined)(batch, until);
    },
  });
  await assign();
  const batch = deliver(0, [event]);
  await inserted.promise;
  const open = { open: true, sinceMs: nowMs, rejected: 600, seen: 1_000 };
  await intake.store.state.setBreaker(open, signal);
  consumer.noticeBreaker(open);
  const skipping = operations.skip(src, 0, 3, "a wrong deployment", signal).catch((cause) => cause);
  await records.mark(src, signal);
  await new Promise((turn) => setTimeout(turn, 20));
  go.resolve();
  await batch;
  expect(await skipping).toMatchObject({ code: "FAILED_PRECONDITION", field: "from_offset" });
  expect((await fatesOf(intake)).slice(0, 3)).toEqual(["stored", "", ""]);
  await operations.skip(src, 1, 3, "a wrong deployment", signal);
  expect((await fatesOf(intake)).slice(0, 3)).toEqual(["stored", "gap", "gap"]);
});

/** Waits only where what failed may still arrive; a partition that waits does not go on by itself. */
const sleeping =
  (late: () => Promise<void>): Sleep =>
  async (ms, until) => {
    if (ms < 1_000) return new Promise((_, reject) => until.addEventListener("abort", reject));
    await late();
    await sleep(0, until);
  };

test("a batch whose write failed is waited for before its offsets are skipped: what arrives late keeps its record", async () => {
  await using intake = await openIntake();
  const { records } = intake.store;
  let arrive = async (): Promise<void> => undefined;
  const late = withDeps(intake, { sleep: sleeping(() => arrive()) });
  const { assign, source, deliver, operations, consumer } = await consuming(late, {
    async append(batch, until) {
      const { records: rows } = batch;
      if (rows.length === 0) return records.append(batch, until);
      arrive = async () => void (await records.append({ ...nothing, records: rows }, signal));
      throw away;
    },
  });
  await assign();
  await deliver(0, [undefined, event]);
  source.handler.stopped(src, new LastroError("CORRUPT_BATCH", "cannot be decoded"));
  expect(conditionOf(consumer)).toMatchObject({ kind: "stopped" });
  await operations.skip(src, 0, 3, "broken", signal);
  expect((await fatesOf(intake)).slice(0, 4)).toEqual(["gap", "stored", "gap", ""]);
});

test.each(["an operator skips it", "retention took it"])(
  "what a majority holds only later keeps its record, where %s",
  async (how) => {
    await using intake = await openIntake();
    const first = await consuming(intake, {
      async append({ records }, until) {
        await intake.deps.records.append({ ...nothing, records }, until);
        throw away;
      },
    });
    await first.assign();
    await first.deliver(0, [undefined, event]);
    let isDurable = false;
    const majority = withDeps(intake, {
      recordsOf: async (...range) => (isDurable ? intake.deps.recordsOf(...range) : []),
    });
    const { assign, source, operations, consumer } = await consuming(majority, {
      async probe() {
        isDurable = true;
      },
    });
    const skipped = how === "an operator skips it";
    await assign();
    source.handler.stopped(src, new LastroError("OFFSET_OUT_OF_RANGE", "not there"));
    // Where accounting begins is asked for before; it is the batch before this one that moved the mark.
    await intake.store.records.account({ src, from: 0, to: 1, atMs: nowMs, outcomes: [gapAt(0)] }, signal);
    if (skipped) await operations.skip(src, 1, 3, "broken", signal);
    else {
      source.extents = source.extents.map((extent) => ({ ...extent, logStart: 3 }));
      await operations.resume({ src }, { acceptIncarnation: false }, signal);
    }
    expect(conditionOf(consumer)).toEqual({ kind: "running" });
    expect((await fatesOf(intake)).slice(0, 4)).toEqual(["gap", "stored", "gap", ""]);
  },
);

const gapAt = (offset: number) =>
  ({ kind: "gap", from: offset, to: offset + 1, cause: "undelivered" }) as const;

test("an account that the store does not answer is carried through before the partition is read again, whatever its caller was told", async () => {
  await using intake = await openIntake();
  const { account } = intake.store.records;
  const [asked, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let calls = 0;
  const { assign, source, operations, consumer } = await consuming(intake, {
    async account(step, until) {
      calls += 1;
      if (calls > 1) return account(step, until);
      asked.resolve();
      await go.promise;
      throw away;
    },
  });
  await assign();
  source.handler.stopped(src, new LastroError("CORRUPT_BATCH", "cannot be decoded"));
  const caller = new AbortController();
  const skipping = operations.skip(src, 0, 3, "broken", caller.signal);
  await asked.promise;
  const tooLate = new LastroError("DEADLINE_EXCEEDED", "too late");
  caller.abort(tooLate);
  await expect(skipping).rejects.toBe(tooLate);
  const resuming = operations.resume({ src }, { acceptIncarnation: false }, signal);
  await expect(resuming).rejects.toMatchObject({ code: "FAILED_PRECONDITION" });
  await expect(operations.skip(src, 0, 2, "broken", signal)).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
  });
  expect(source.resumed).toEqual([[src, 0]]);
  go.resolve();
  await until(() => conditionOf(consumer)?.kind === "running");
  expect(calls).toBe(2);
  expect(source.resumed.at(-1)).toEqual([src, 3]);
  expect((await fatesOf(intake)).slice(0, 4)).toEqual(["gap", "gap", "gap", ""]);
});

test("an account that arrives without an answer is not made twice, and none is made for a partition that was given away", async () => {
  await using intake = await openIntake();
  const { account } = intake.store.records;
  let calls = 0;
  const { assign, source, operations } = await consuming(intake, {
    async account(step, until) {
      calls += 1;
      if (step.from === 0) await account(step, until);
      else source.handler.revoked(src);
      throw away;
    },
  });
  const stop = () => source.handler.stopped(src, new LastroError("CORRUPT_BATCH", "cannot be decoded"));
  await assign();
  stop();
  expect(await operations.skip(src, 0, 3, "broken", signal)).toBe(3);
  expect(calls).toBe(1);
  stop();
  await expect(operations.skip(src, 3, 5, "broken", signal)).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
  });
  expect(calls).toBe(2);
  expect((await fatesOf(intake)).slice(2, 5)).toEqual(["gap", "", ""]);
});

test("offsets that another process accounts for at the same time are not skipped", async () => {
  await using intake = await openIntake();
  const waiting = withDeps(intake, { sleep: sleeping(async () => undefined) });
  const { assign, deliver, operations, consumer } = await consuming(waiting);
  await assign();
  await intake.store.records.account({ src, from: 0, to: 1, atMs: nowMs, outcomes: [gapAt(0)] }, signal);
  await deliver(0, [event]);
  expect(conditionOf(consumer)).toMatchObject({ kind: "waiting", code: "MARK_LOST" });
  await expect(operations.skip(src, 1, 3, "broken", signal)).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
  });
});
