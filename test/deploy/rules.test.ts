import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { parse } from "yaml";

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
