import { expect, test } from "@jest/globals";
import { callerLimits } from "../../src/access/limits.ts";
import { anyone, type Caller } from "../../src/core/caller.ts";
import { person } from "../support/callers.ts";

const [anna, bob] = [person("anna"), person("bob")];
const refused = (retryAfterMs: number) => expect.objectContaining({ code: "LIMIT_REACHED", retryAfterMs });
const caught = (act: () => unknown): unknown => {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
};

test("a caller has a burst, then the rate, and is told when to try again; another caller is not touched", () => {
  let nowMs = 0;
  const limits = callerLimits({ rateMax: 10, burstMax: 3, concurrentMax: 100 }, () => nowMs);
  for (let i = 0; i < 3; i++) limits.enter(anna)();
  expect(caught(() => limits.enter(anna))).toEqual(refused(100));
  limits.enter(bob)();
  nowMs = 50;
  expect(caught(() => limits.enter(anna))).toEqual(refused(50));
  nowMs = 100;
  limits.enter(anna)();
  expect(caught(() => limits.enter(anna))).toEqual(refused(100));
  nowMs = 10_000;
  for (let i = 0; i < 3; i++) limits.enter(anna)();
  expect(caught(() => limits.enter(anna))).toEqual(refused(100));
});

test("all viewers of one maker are one caller, apart from the maker", () => {
  const viewer = (n: number, maker: Caller): Caller => ({
    id: `viewer:${n}`,
    kind: "viewer",
    lentBy: maker.id,
    grants: [],
  });
  const limits = callerLimits({ rateMax: 1, burstMax: 3, concurrentMax: 100 }, () => 0);
  for (let n = 0; n < 3; n++) limits.enter(viewer(n, anna))();
  expect(caught(() => limits.enter(viewer(3, anna)))).toEqual(refused(1_000));
  for (let n = 0; n < 3; n++) limits.enter(anna)();
  for (let n = 4; n < 7; n++) limits.enter(viewer(n, bob))();
});

test("so many calls at once, and one more when one has ended", () => {
  const limits = callerLimits({ rateMax: 1_000, burstMax: 1_000, concurrentMax: 2 }, () => 0);
  const leave = limits.enter(anna);
  limits.enter(anna);
  expect(caught(() => limits.enter(anna))).toEqual(refused(1_000));
  limits.enter(bob);
  leave();
  limits.enter(anna);
  expect(caught(() => limits.enter(anna))).toEqual(refused(1_000));
});

test("of more callers than are remembered, those with running calls keep their count", () => {
  let nowMs = 0;
  const limits = callerLimits({ rateMax: 1, burstMax: 1, concurrentMax: 1 }, () => nowMs++);
  limits.enter(anna);
  for (let i = 0; i < 20_000; i++) limits.enter(person(`p${i}`))();
  expect(caught(() => limits.enter(anna))).toEqual(refused(1_000));
});

test("of more callers than are remembered, who has used up its calls gets no new ones by being forgotten", () => {
  let nowMs = 0;
  const limits = callerLimits({ rateMax: 10, burstMax: 20, concurrentMax: 20 }, () => nowMs);
  const all = (caller: Caller): number => {
    let calls = 0;
    for (; caught(() => limits.enter(caller)()) === undefined; calls++);
    return calls;
  };
  expect(all(anna)).toBe(20);
  nowMs = 500;
  for (let i = 0; i < 10_000; i++) limits.enter(person(`p${i}`))();
  expect(all(anna)).toBe(5);
  // Who comes now may be anna, for all that is known, until all that was forgotten is made up for.
  expect(all(bob)).toBe(5);
  nowMs = 2_000;
  expect(all(person("carl"))).toBe(20);
});

test("however many come that have used up their calls, those that are too many to be remembered wait, and for no longer than these", () => {
  let nowMs = 0;
  const limits = callerLimits({ rateMax: 1, burstMax: 1, concurrentMax: 1 }, () => nowMs);
  let calls = 0;
  for (let i = 0; i < 30_000; i++)
    if (caught(() => limits.enter(person(`p${i}`))()) === undefined) calls += 1;
  expect(calls).toBe(10_001);
  nowMs = 1_000;
  for (let i = 0; i < 10_000; i++) limits.enter(person(`q${i}`))();
});

test("without access control nobody is counted", () => {
  const limits = callerLimits({ rateMax: 1, burstMax: 1, concurrentMax: 1 }, () => 0);
  for (let i = 0; i < 100; i++) limits.enter(anyone);
});
