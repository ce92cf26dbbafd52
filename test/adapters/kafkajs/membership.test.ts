/** When running batches may go on, and when they must stop. */
import { expect, test } from "@jest/globals";
import { openMembership } from "../../../src/adapters/kafkajs/membership.ts";

function member() {
  let ms = 1_000;
  const membership = openMembership({ sessionTimeoutMs: 6_000, drainBudgetMs: 5_000, now: () => ms });
  const told = (type: string) => Object.assign(new Error(type), { type });
  const pass = (more: number): void => {
    ms += more;
  };
  return { membership, told, pass };
}

test("before the first join and after the end nothing may run", () => {
  const { membership } = member();
  expect([membership.mustStop(), membership.isAlive()]).toEqual([true, false]);
  membership.joined();
  expect([membership.mustStop(), membership.isAlive()]).toEqual([false, true]);
  membership.end();
  expect([membership.mustStop(), membership.isAlive()]).toEqual([true, false]);
});

test("a rebalance lets running batches drain for their budget, however often it is told, and stops them then", () => {
  const { membership, told, pass } = member();
  membership.joined();
  const error = told("REBALANCE_IN_PROGRESS");
  membership.failed(error);
  expect([membership.mustStop(), membership.rebalance()]).toEqual([false, error]);
  pass(4_000);
  membership.failed(told("REBALANCE_IN_PROGRESS"));
  expect(membership.mustStop()).toBe(false);
  pass(1_001);
  expect(membership.mustStop()).toBe(true);
  membership.joined();
  expect([membership.mustStop(), membership.rebalance()]).toEqual([false, undefined]);
});

test.each(["UNKNOWN_MEMBER_ID", "ILLEGAL_GENERATION"])(
  "%s stops running batches at once: others have the partitions",
  (type) => {
    const { membership, told } = member();
    membership.joined();
    membership.failed(told(type));
    expect([membership.mustStop(), membership.isAlive()]).toEqual([true, false]);
  },
);

test("a session without an answered heartbeat stops running batches, a connection error alone does not", () => {
  const { membership, told, pass } = member();
  membership.joined();
  membership.failed(told("ECONNRESET"));
  pass(5_000);
  expect(membership.mustStop()).toBe(false);
  membership.beat();
  pass(6_001);
  expect([membership.mustStop(), membership.isAlive()]).toEqual([true, false]);
});
