/** What looks like an attack, and what does not. */
import { expect, test } from "@jest/globals";
import type { Rid } from "../../src/core/ids.ts";
import {
  type Act, addressesOfUserMin, criticalOfUserMin, failuresOfAddressMin, failuresOfUserMin, suspicionsIn,
} from "../../src/core/suspicion.ts"; // biome-ignore format: a list

let next = 0;
const act = (given: Partial<Act>): Act => {
  const atMs = next++;
  return {
    rid: `r-${atMs}` as Rid,
    atMs,
    isLogin: true,
    failed: false,
    severity: "LOW",
    userId: "u",
    ip: "1",
    ...given,
  };
};
const many = (count: number, given: (i: number) => Partial<Act>): Act[] =>
  Array.from({ length: count }, (_, i) => act(given(i)));
const rulesOf = (acts: readonly Act[]): string[] =>
  suspicionsIn(acts).map(({ rule, userId, ip, count }) => `${rule} ${userId ?? ip} ${count}`);

test("R-69 many failed logins from one address are, whoever they are of; one fewer are not", () => {
  const failures = many(failuresOfAddressMin, (i) => ({ failed: true, userId: `u-${i}` }));
  expect(rulesOf(failures)).toEqual([`many_failed_logins 1 ${failuresOfAddressMin}`]);
  expect(rulesOf(failures.slice(1))).toEqual([]);
});

test("R-69 failures of one user in a row are brute force, and the login behind them belongs to it; one in between ends the row", () => {
  const failures = (count: number) => many(count, (i) => ({ failed: true, ip: `ip-${i}` }));
  expect(rulesOf(failures(failuresOfUserMin))).toEqual([`brute_force u ${failuresOfUserMin}`]);
  expect(rulesOf([...failures(failuresOfUserMin), act({})])).toEqual([
    `brute_force u ${failuresOfUserMin + 1}`,
  ]);
  expect(rulesOf([...failures(failuresOfUserMin - 1), act({}), act({ failed: true })])).toEqual([]);
});

test("R-69 many critical acts and many addresses of one user are", () => {
  const critical = many(criticalOfUserMin, () => ({ isLogin: false, severity: "CRITICAL" }));
  expect(rulesOf(critical)).toEqual([`many_critical_events u ${criticalOfUserMin}`]);
  expect(rulesOf(critical.slice(1))).toEqual([]);
  const logins = many(addressesOfUserMin, (i) => ({ ip: `ip-${i}` }));
  expect(rulesOf(logins)).toEqual([`many_addresses u ${addressesOfUserMin}`]);
  expect(rulesOf(logins.slice(1))).toEqual([]);
});

test("the order in which acts are told does not matter, and what was erased accuses nobody", () => {
  const acts = many(failuresOfUserMin, (i) => ({ failed: true, ip: `ip-${i}` }));
  expect(suspicionsIn(acts.toReversed())).toEqual(suspicionsIn(acts));
  expect(rulesOf(many(20, () => ({ failed: true, userId: undefined, ip: undefined })))).toEqual([]);
});
