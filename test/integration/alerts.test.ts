/** The alerts as Prometheus raises them: its own tool evaluates the rules over what a service would show. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, test } from "@jest/globals";
import { parse, stringify } from "yaml";
import { promtool } from "../support/servers.ts";

const run = promisify(execFile);
const rulesFile = resolve("deploy/prometheus/rules.yml");
const folder = mkdtempSync(join(tmpdir(), "lastro-alerts-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** What is shown each minute, in promtool's notation, by series. */
type Series = Readonly<Record<string, string>>;

const minutes = 90;
const always = (value: number): string => `${value}+0x${minutes}`;
/** By so much each minute. */
const grows = (by: number): string => `0+${by}x${minutes}`;
/** One value for so many minutes, then another. */
const turns = (before: number, after: number, atMinute: number): string =>
  `${before}+0x${atMinute - 1} ${after}+0x${minutes}`;

/** Two processes: a extends the log, b stands by. */
const healthy: Series = {
  'up{job="lastro",instance="a"}': always(1),
  'up{job="lastro",instance="b"}': always(1),
  'lastro_dependency_up{instance="a",dependency="store"}': always(1),
  'lastro_dependency_up{instance="a",dependency="kafka"}': always(1),
  'lastro_dependency_up{instance="b",dependency="redis"}': always(0),
  'lastro_store_lag_seconds{instance="a"}': always(2),
  'lastro_store_lag_seconds{instance="b"}': always(2),
  'lastro_consumer_lag{instance="a",partition="0"}': always(10),
  'lastro_partition_state{instance="a",partition="0",state="stopped"}': always(0),
  'lastro_partition_state{instance="a",partition="0",state="waiting"}': always(0),
  'lastro_breaker_open{instance="a"}': always(0),
  'lastro_log_halted{instance="a"}': always(0),
  'lastro_log_size{instance="a"}': grows(2),
  'lastro_log_size{instance="b"}': always(40),
  'lastro_witness_cosigns{instance="a",witness="w.test"}': always(1),
  'lastro_witness_cosigns{instance="b",witness="w.test"}': always(0),
  'lastro_log_witnessed_size{instance="a"}': grows(2),
  'lastro_anchor_keeps{instance="a",anchor="folder"}': always(1),
  'lastro_anchor_keeps{instance="b",anchor="folder"}': always(0),
  'lastro_events_total{instance="a",outcome="stored"}': grows(1_000),
  'lastro_events_total{instance="a",outcome="rejected"}': grows(10),
  'lastro_events_total{instance="a",outcome="conflict"}': always(0),
  'lastro_internal_errors_total{instance="a"}': always(0),
  'lastro_self_audit_events_total{instance="a",outcome="published"}': grows(5),
  'lastro_self_audit_events_total{instance="a",outcome="dropped"}': always(0),
  'lastro_switches_stale{instance="a"}': always(0),
  'lastro_certificate_renew_by_seconds{instance="a",certificate="listeners"}': always(86_400),
  'lastro_certificate_renew_by_seconds{instance="a",certificate="upstream"}': always(86_400),
};

type Moment = { readonly atMinute: number; readonly firing: readonly string[] };

/** Throws what promtool says when other alerts fire then. */
async function evaluate(series: Series, moments: readonly Moment[]): Promise<void> {
  const file = join(folder, "test.yml");
  const test = {
    interval: "1m",
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    promql_expr_test: moments.map(({ atMinute, firing }) => ({
      expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
      eval_time: `${atMinute}m`,
      exp_samples: firing.map((name) => ({ labels: `{alertname="${name}"}`, value: 1 })),
    })),
  };
  writeFileSync(file, stringify({ rule_files: [rulesFile], evaluation_interval: "1m", tests: [test] }));
  await run(promtool(), ["test", "rules", file]);
}

/** The minute in which what an alert is for begins. */
const begins = 30;
const from = (before: number, after: number): string => turns(before, after, begins);

type Case = {
  readonly when: string;
  readonly alert: string;
  /** Fires within so many minutes. */
  readonly within: number;
  /** In place of what a healthy service shows; undefined: not shown. */
  readonly shown: Readonly<Record<string, string | undefined>>;
};
const cases: readonly Case[] = [
  {
    when: "a process does not answer",
    alert: "LastroDown",
    within: 3,
    shown: { 'up{job="lastro",instance="b"}': from(1, 0) },
  },
  {
    when: "Kafka does not answer, and so no lag is known",
    alert: "LastroDependencyDown",
    within: 6,
    shown: { 'lastro_dependency_up{instance="a",dependency="kafka"}': from(1, 0) },
  },
  {
    when: "the store does not answer",
    alert: "LastroDependencyDown",
    within: 6,
    shown: { 'lastro_dependency_up{instance="a",dependency="store"}': from(1, 0) },
  },
  {
    when: "one process gets nothing of what Kafka holds",
    alert: "LastroStoreLag",
    within: 17,
    shown: { 'lastro_store_lag_seconds{instance="a"}': `2+0x${begins - 1} 2+60x${minutes}` },
  },
  {
    when: "a partition stands still",
    alert: "LastroPartitionStopped",
    within: 2,
    shown: { 'lastro_partition_state{instance="a",partition="0",state="stopped"}': from(0, 1) },
  },
  {
    when: "a partition waits",
    alert: "LastroPartitionWaiting",
    within: 11,
    shown: { 'lastro_partition_state{instance="a",partition="0",state="waiting"}': from(0, 1) },
  },
  {
    when: "the breaker opens",
    alert: "LastroBreakerOpen",
    within: 0,
    shown: { 'lastro_breaker_open{instance="a"}': from(0, 1) },
  },
  {
    when: "the log halts",
    alert: "LastroLogHalted",
    within: 0,
    shown: { 'lastro_log_halted{instance="a"}': from(0, 1) },
  },
  {
    when: "too few witnesses cosign",
    alert: "LastroUnwitnessed",
    within: 17,
    shown: { 'lastro_log_witnessed_size{instance="a"}': `0+2x${begins} ${2 * begins}+0x${minutes}` },
  },
  {
    when: "a witness does not cosign",
    alert: "LastroWitnessMissing",
    within: 16,
    shown: { 'lastro_witness_cosigns{instance="a",witness="w.test"}': from(1, 0) },
  },
  {
    when: "an anchor keeps nothing",
    alert: "LastroAnchorMissing",
    within: 60,
    shown: { 'lastro_anchor_keeps{instance="a",anchor="folder"}': from(1, 0) },
  },
  {
    when: "the log stands still",
    alert: "LastroLogFrozen",
    within: 17,
    shown: { 'lastro_log_size{instance="a"}': `0+2x${begins} ${2 * begins}+0x${minutes}` },
  },
  {
    when: "no process shows the log any more",
    alert: "LastroLogFrozen",
    within: 17,
    shown: {
      'lastro_log_size{instance="a"}': `0+2x${begins}`,
      'lastro_log_size{instance="b"}': `40+0x${begins}`,
    },
  },
  {
    when: "one id stands for two events",
    alert: "LastroConflict",
    within: 1,
    shown: { 'lastro_events_total{instance="a",outcome="conflict"}': from(0, 1) },
  },
  {
    when: "many events are rejected",
    alert: "LastroRejections",
    within: 20,
    shown: {
      'lastro_events_total{instance="a",outcome="rejected"}': `0+10x${begins} ${10 * begins}+1000x${minutes}`,
    },
  },
  {
    when: "Lastro fails on an event",
    alert: "LastroInternalError",
    within: 1,
    shown: { 'lastro_internal_errors_total{instance="a"}': from(0, 1) },
  },
  {
    when: "an event about a caller is lost",
    alert: "LastroSelfAuditDropped",
    within: 1,
    shown: { 'lastro_self_audit_events_total{instance="a",outcome="dropped"}': from(0, 1) },
  },
  {
    when: "the file of switches cannot be used",
    alert: "LastroSwitchesStale",
    within: 1,
    shown: { 'lastro_switches_stale{instance="a"}': from(0, 1) },
  },
  {
    when: "a certificate is not renewed",
    alert: "LastroCertificateNotRenewed",
    within: 16,
    shown: {
      'lastro_certificate_renew_by_seconds{instance="a",certificate="upstream"}': always(begins * 60),
    },
  },
  {
    when: "many events wait",
    alert: "LastroLag",
    within: 16,
    shown: { 'lastro_consumer_lag{instance="a",partition="0"}': from(10, 200_000) },
  },
];

test("the rules are what Prometheus reads", async () => {
  await run(promtool(), ["check", "rules", rulesFile]);
});

test("a healthy service raises no alert", async () => {
  await evaluate(
    healthy,
    [0, 1, 5, 20, 60, minutes].map((atMinute) => ({ atMinute, firing: [] })),
  );
});

test.each(cases)("when $when, $alert fires and nothing else", async ({ alert, within, shown }) => {
  const series = Object.entries({ ...healthy, ...shown }).filter(([, values]) => values !== undefined);
  await evaluate(Object.fromEntries(series) as Series, [
    { atMinute: begins - 1, firing: [] },
    { atMinute: begins + within, firing: [alert] },
  ]);
});

test("a service that waits for the log's key from its start on raises LastroLogFrozen", async () => {
  const series = Object.entries(healthy).filter(([name]) => !/^lastro_log_(size|witnessed)/.test(name));
  await evaluate(Object.fromEntries(series), [
    { atMinute: 10, firing: [] },
    { atMinute: 12, firing: ["LastroLogFrozen"] },
  ]);
});

test("a log that only gets a heartbeat every ten minutes, the longest allowed, raises no alert", async () => {
  const beats = Array.from({ length: minutes / 10 }, (_, beat) => `${beat + 1}+0x9`).join(" ");
  const series = {
    ...healthy,
    'lastro_log_size{instance="a"}': beats,
    'lastro_log_size{instance="b"}': beats,
    'lastro_log_witnessed_size{instance="a"}': beats,
  };
  const everyMinute = Array.from({ length: minutes - 1 }, (_, atMinute) => ({ atMinute, firing: [] }));
  await evaluate(series, everyMinute);
});

test("every alert is raised here", () => {
  const { groups } = parse(readFileSync(rulesFile, "utf8")) as {
    readonly groups: readonly { readonly rules: readonly { readonly alert: string }[] }[];
  };
  const alerts = groups.flatMap(({ rules }) => rules.map(({ alert }) => alert));
  expect(alerts.filter((alert) => !cases.some((one) => one.alert === alert))).toEqual([]);
});
