import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { parse } from "yaml";
import { observed } from "../adapters/otel/observed.ts";

type Rules = {
  readonly groups: readonly {
    readonly rules: readonly { readonly expr: string; readonly annotations: { readonly action: string } }[];
  }[];
};

const rules = (parse(readFileSync("deploy/prometheus/rules.yml", "utf8")) as Rules).groups.flatMap(
  (group) => group.rules,
);
const documented = new Set(readFileSync("docs/metrics.md", "utf8").match(/lastro_[a-z_]+/g));

test("every alert asks for metrics that docs/metrics.md lists, and says what to do", () => {
  const asked = rules.flatMap(({ expr }) => expr.match(/lastro_[a-z_]+/g) ?? []);
  expect(asked.length).toBeGreaterThan(5);
  expect(asked.filter((name) => !documented.has(name))).toEqual([]);
  expect(rules.filter(({ annotations }) => annotations.action.length < 20)).toEqual([]);
});

test("what an alert waits to increase is shown as 0 from the start, so that its first count is an increase", async () => {
  const shown = (await observed().scrape()).split("\n");
  const counted = rules.flatMap(({ expr }) =>
    [...expr.matchAll(/increase\((\w+(?:\{.*?\})?)\[/g)].map(([, series]) => `${series} 0`),
  );
  expect(counted.length).toBeGreaterThan(2);
  expect(counted.filter((line) => !shown.includes(line))).toEqual([]);
});

test("what docs/metrics.md says to alert on has an alert", () => {
  const rows = readFileSync("docs/metrics.md", "utf8")
    .split("\n")
    .filter((line) => line.includes("Alert on"));
  const names = rows.map((row) => /lastro_[a-z_]+/.exec(row)?.[0] ?? row);
  expect(names.length).toBeGreaterThan(3);
  expect(names.filter((name) => !rules.some(({ expr }) => expr.includes(name)))).toEqual([]);
});
