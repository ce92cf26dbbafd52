import { expect, test } from "@jest/globals";
import { type BreakerSettings, demoTenant, newBreaker } from "../../src/ingest/breaker.ts";
import { ingestBatch } from "../../src/ingest/ingest-batch.ts";
import { auditEvent, batchOf, nowMs, openIntake } from "../support/intake.ts";

const settings: BreakerSettings = { enabled: true, windowSize: 10, ratio: 0.5, producersMin: 2 };
const broken = (producer: string, tenant?: string): string =>
  JSON.stringify({
    producer_service: producer,
    metadata: { ...(tenant !== undefined && { tenant_id: tenant }) },
  });

/** What the breaker says after each of the batches. */
async function opensAfter(
  batches: readonly (readonly string[])[],
  over: Partial<BreakerSettings> = {},
): Promise<readonly boolean[]> {
  await using intake = await openIntake();
  const breaker = newBreaker({ ...settings, ...over });
  const states: boolean[] = [];
  let from = 0;
  for (const values of batches) {
    const end = await ingestBatch(intake.deps, batchOf(from, values), intake.control);
    if (end.kind !== "done") throw new Error(end.kind);
    states.push(breaker.note(end.prepared, end.fates, nowMs) !== undefined);
    from += values.length;
  }
  return states;
}
const good = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => auditEvent({ eventId: `g${n}-${Math.trunc(count)}` }));

test("the breaker opens when half of the window is rejected, from two producers", async () => {
  expect(
    await opensAfter([[...good(5), broken("a"), broken("b"), broken("a"), broken("b"), broken("a")]]),
  ).toEqual([true]);
});

test("one bad producer never opens it, however much it sends", async () => {
  expect(await opensAfter([Array.from({ length: 20 }, () => broken("a"))])).toEqual([false]);
});

test("it stays closed until a whole window was seen", async () => {
  expect(
    await opensAfter([[broken("a"), broken("b"), broken("a")], Array.from({ length: 7 }, () => broken("b"))]),
  ).toEqual([false, true]);
});

test("less than the ratio leaves it closed", async () => {
  expect(await opensAfter([[...good(6), broken("a"), broken("b"), broken("a"), broken("b")]])).toEqual([
    false,
  ]);
});

test("conflicts do not count as rejections", async () => {
  const conflicts = Array.from({ length: 9 }, (_, n) => auditEvent({ eventId: "same", name: `n${n}` }));
  expect(await opensAfter([[auditEvent({ eventId: "same" }), ...conflicts]], { producersMin: 1 })).toEqual([
    false,
  ]);
});

test("the demo tenant does not count", async () => {
  const values = Array.from({ length: 10 }, (_, n) => broken(`p${n}`, demoTenant));
  expect(await opensAfter([values])).toEqual([false]);
});

test("messages that cannot be read at all name no producer: cut-off events of one service never open it", async () => {
  const unreadable = Array.from({ length: 9 }, () => "{");
  expect(await opensAfter([[...unreadable, broken("a")]])).toEqual([false]);
  expect(await opensAfter([[...unreadable.slice(1), broken("a"), broken("b")]])).toEqual([true]);
});

test("it can be off", async () => {
  expect(
    await opensAfter([[...Array.from({ length: 8 }, () => "{"), broken("a"), broken("b")]], {
      enabled: false,
    }),
  ).toEqual([false]);
});
