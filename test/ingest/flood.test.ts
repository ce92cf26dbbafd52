/** A flood of rejections that has ended before the store took the breaker's state. */
import { expect, test } from "@jest/globals";
import { LastroError } from "../../src/core/errors.ts";
import { type Src, srcOf } from "../../src/core/ids.ts";
import type { BreakerState } from "../../src/ports/store-state.ts";
import { conditionOf, consuming, flood, signal, src, until } from "../support/consuming.ts";
import { type Intake, nowMs, openIntake, topicId } from "../support/intake.ts";

/** `before` runs, or waits, or throws before the store takes the breaker's state. */
function taking(intake: Intake, before: (breaker: BreakerState) => Promise<void>): Intake {
  const { state } = intake.store;
  const setBreaker: typeof state.setBreaker = async (breaker, until) => {
    await before(breaker);
    return state.setBreaker(breaker, until);
  };
  return { ...intake, store: { ...intake.store, state: { ...state, setBreaker } } };
}
/** A store that does not take it while `isAway` says so. */
const where = (intake: Intake, isAway: (breaker: BreakerState) => boolean): Intake =>
  taking(intake, async (breaker) => {
    if (isAway(breaker)) throw new LastroError("STORE_UNAVAILABLE", "away");
  });
const later = (intake: Intake): Intake => ({ ...intake, deps: { ...intake.deps, now: () => nowMs + 1 } });

test("a flood that ends while the store does not take the breaker's state opens it all the same, for every partition, once the store takes it", async () => {
  await using intake = await openIntake();
  const { state } = intake.store;
  let failures = 2;
  const { assign, deliver, consumer, source, operations } = await consuming(
    where(intake, () => failures-- > 0),
  );
  const other = srcOf(topicId, 1);
  await assign();
  await assign({ src: other, partition: 1 });
  expect(await deliver(0, flood)).toBe(4);
  expect(conditionOf(consumer)).toMatchObject({ kind: "waiting", code: "STORE_UNAVAILABLE" });
  const isOpen = (of: Src): boolean => {
    const condition = conditionOf(consumer, of);
    return condition?.kind === "waiting" && condition.code === "BREAKER_OPEN";
  };
  await until(() => isOpen(src) && isOpen(other));
  expect(source.paused).toContain(other);
  expect(await state.breaker(signal)).toMatchObject({ open: true, rejected: 4 });
  await operations.resumeBreaker(signal);
  expect([conditionOf(consumer), conditionOf(consumer, other)]).toEqual([
    { kind: "running" },
    { kind: "running" },
  ]);
});

test("an operator who closes the breaker ends a flood that the store has not taken yet, at whichever process", async () => {
  await using intake = await openIntake();
  for (const isElsewhere of [false, true]) {
    let isAway = true;
    const away = where(intake, ({ open }) => isAway && open);
    const { assign, deliver, consumer, operations } = await consuming(away);
    await assign();
    const mark = await intake.deps.records.mark(src, signal);
    await deliver(mark ?? 0, flood);
    const { operations: elsewhere } = await consuming(later(intake));
    await (isElsewhere ? elsewhere : operations).resumeBreaker(signal);
    isAway = false;
    await until(() => conditionOf(consumer)?.kind === "running");
    expect(await intake.store.state.breaker(signal)).toMatchObject({ open: false });
  }
});

test("an operator's word stands above an opening that the store is just taking", async () => {
  await using intake = await openIntake();
  const [asked, taken] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const slow = taking(intake, async ({ open }) => {
    if (!open) return;
    asked.resolve();
    await taken.promise;
  });
  const { assign, deliver, consumer, operations } = await consuming(slow);
  await assign();
  const delivered = deliver(0, flood);
  await asked.promise;
  const closed = operations.resumeBreaker(signal);
  taken.resolve();
  await Promise.all([delivered, closed]);
  await until(() => conditionOf(consumer)?.kind === "running");
  expect(await intake.store.state.breaker(signal)).toMatchObject({ open: false });
});

test("a process that holds no partition any more forgets the flood", async () => {
  await using intake = await openIntake();
  let isAway = true;
  const { assign, deliver, consumer, source } = await consuming(where(intake, () => isAway));
  await assign();
  await deliver(0, flood);
  source.handler.revoked(src);
  isAway = false;
  await assign();
  expect(conditionOf(consumer)).toEqual({ kind: "running" });
  expect(await intake.store.state.breaker(signal)).toBeUndefined();
});
