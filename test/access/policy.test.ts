import { readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { methods, permissions, permitted, scopesFor } from "../../src/access/policy.ts";
import { filterOfScopes } from "../../src/access/scope.ts";
import { toldTypes } from "../../src/access/telling.ts";
import { roles } from "../../src/core/caller.ts";
import { holds } from "../../src/core/filter-holds.ts";
import { services } from "../../src/servers/grpc/server.ts";
import { lasting, matrix, overRestAlone } from "../support/access-matrix.ts";
import { grant, person } from "../support/callers.ts";

test("R-25 every method of every service is in the table, and nothing else is", () => {
  const served = services.flatMap((service) => service.methods.map(({ name }) => name));
  expect(Object.keys(methods).toSorted()).toEqual([...served, ...Object.keys(overRestAlone)].toSorted());
  expect([...Object.keys(matrix), ...Object.keys(lasting)].toSorted()).toEqual(served.toSorted());
});

test("docs/policy.md has the tables of roles and of methods as they are", () => {
  const page = readFileSync("docs/policy.md", "utf8");
  const words = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(" ");
  const rows = [
    ...Object.entries(permitted).map(([role, allowed]) => `| \`${role}\` | ${words(allowed)} |`),
    ...Object.entries(methods).map(
      ([name, [permission, reach]]) => `| ${words([name])} | ${words([permission])} | ${words([reach])} |`,
    ),
  ];
  expect(page.split("\n").filter((line) => /^\| `[A-Za-z]+` \| `/.test(line))).toEqual(rows);
});

test("docs/policy.md has the events of self-audit that there are, and no others", () => {
  const page = readFileSync("docs/policy.md", "utf8");
  const named = page.split("\n").flatMap((line) => {
    const [, first = ""] = /^\| ((?:`\w+\.\w+` ?)+)\| /.exec(line) ?? [];
    return [...first.matchAll(/`([^`]+)`/g)].map(([, type]) => type);
  });
  expect(named.toSorted()).toEqual([...toldTypes].toSorted());
});

test("every role has permissions out of the list, and every permission has a role", () => {
  expect(Object.keys(permitted).toSorted()).toEqual([...roles].toSorted());
  expect(new Set(Object.values(permitted).flat())).toEqual(new Set(permissions));
});

describe("what is not granted is denied", () => {
  test("a caller without grants may nothing, and nobody may what the table does not know", () => {
    const everything = person("all", ...roles.map((role) => grant(role)));
    for (const method of Object.keys(methods)) expect(scopesFor(person("nobody"), method)).toEqual([]);
    for (const method of ["DropAll", "", "toString", "__proto__", "getRecord"])
      expect(scopesFor(everything, method)).toEqual([]);
  });

  test.each(["tenants", "producerServices", "entityTypes", "ownershipIds"] as const)(
    "an empty list of %s reaches nothing",
    (list) => {
      for (const method of Object.keys(methods))
        expect(scopesFor(person("p", ...roles.map((role) => grant(role, { [list]: [] }))), method)).toEqual(
          [],
        );
    },
  );

  test("what is about the whole service needs a grant without bounds; what sums over owners one without bounds of producer, type or time", () => {
    const bounded = (bounds: Parameters<typeof grant>[1]) =>
      person("p", grant("operator", bounds), grant("dpo", bounds));
    for (const bounds of [{ tenants: ["a"] }, { entityTypes: ["b"] }, { fromMs: 1 }, { toMs: 1 }])
      expect(scopesFor(bounded(bounds), "GetIntake")).toEqual([]);
    for (const bounds of [{ producerServices: ["a"] }, { entityTypes: ["b"] }, { fromMs: 1 }, { toMs: 1 }])
      expect(scopesFor(bounded(bounds), "GetOwnership")).toEqual([]);
    for (const bounds of [{ tenants: ["a"] }, { ownershipIds: ["b"] }, {}])
      expect(scopesFor(bounded(bounds), "GetOwnership")).toHaveLength(1);
    expect(scopesFor(bounded({}), "GetIntake")).toHaveLength(1);
  });
});

describe("a scope holds for the records in it", () => {
  const record = { tenant: "a", producer_service: "b", entity_type: "c", ownership_id: "d", recorded_at: 10 };
  const reaches = (...bounds: readonly Parameters<typeof grant>[1][]): boolean | undefined => {
    const filter = filterOfScopes(bounds.map((one) => grant("reader", one).scope));
    return filter === undefined || holds(filter, (field) => record[field as keyof typeof record]);
  };

  test.each([
    [true, [{}]],
    [true, [{ tenants: ["a", "x"] }]],
    [false, [{ tenants: ["x"] }]],
    [true, [{ tenants: ["a"], producerServices: ["b"], entityTypes: ["c"], ownershipIds: ["d"] }]],
    [false, [{ tenants: ["a"], producerServices: ["b"], entityTypes: ["c"], ownershipIds: ["x"] }]],
    [false, [{ tenants: ["a"], producerServices: ["x"] }]],
    [false, [{ entityTypes: ["x"] }]],
    [true, [{ fromMs: 10, toMs: 11 }]],
    [false, [{ fromMs: 11 }]],
    [false, [{ toMs: 10 }]],
    [true, [{ tenants: ["x"] }, { ownershipIds: ["d"] }]],
    [false, [{ tenants: ["x"] }, { ownershipIds: ["x"] }]],
    [false, []],
  ])("%s: %j", (isReached, bounds) => {
    expect(reaches(...bounds)).toBe(isReached);
  });
});
