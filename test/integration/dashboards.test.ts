/** What the dashboards ask, as Prometheus answers it: its own tool evaluates their expressions over what a service shows. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { stringify } from "yaml";
import { targets } from "../support/dashboards.ts";
import { exposition, type Shown } from "../support/exposition.ts";
import { promtool } from "../support/servers.ts";

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), "lastro-dashboards-"));
afterAll(() => rmSync(folder, { recursive: true }));

type Series = { readonly series: string; readonly values: string };
let shown: readonly Series[];

/** In promtool's notation: the first scrape for ten minutes, then the second. */
beforeAll(async () => {
  const [first, second] = await exposition();
  const before = new Map(first.map(({ series, value }) => [series, value]));
  const values = ({ series, value }: Shown): string => {
    const was = before.get(series);
    return `${was === undefined ? "_x9" : `${was}+0x9`} ${value}+0x9`;
  };
  shown = [
    ...second.map((one) => ({ series: withInstance(one), values: values(one) })),
    { series: 'up{job="lastro",instance="a"}', values: "1+0x19" },
  ];
});

const withInstance = ({ metric, labels }: Shown): string => {
  const all = Object.entries({ ...labels, instance: "a" });
  return `${metric}{${all.map(([name, value]) => `${name}="${value}"`).join(",")}}`;
};

/** Throws what promtool says when one of the expressions is not valid or finds nothing. */
async function evaluate(expressions: readonly string[]): Promise<void> {
  const file = join(folder, "test.yml");
  const found = expressions.map((expr) => ({
    expr: `count(${expr}) > bool 0`,
    eval_time: "12m",
    exp_samples: [{ labels: "{}", value: 1 }],
  }));
  const tests = [{ interval: "1m", input_series: shown, promql_expr_test: found }];
  writeFileSync(file, stringify({ evaluation_interval: "1m", tests }));
  await run(promtool(), ["test", "rules", file]);
}

test("every expression of every panel is valid, and finds something of what a service shows", async () => {
  expect(targets.length).toBeGreaterThan(50);
  await evaluate(targets.map(({ expr }) => expr));
});

test.each([
  ["a metric that is not there", "sum(lastro_event_total)"],
  ["a label that is not there", 'sum(lastro_events_total{result="stored"})'],
  ["a value that is not there", 'sum(lastro_events_total{outcome="lost"})'],
  ["an expression that is not valid", "sum(lastro_events_total"],
])("%s is noticed", async (_what, expr) => {
  await expect(evaluate([expr])).rejects.toThrow(/expr: |parse error/);
});
