/** The dashboards, held against what the service shows, the alerts and the pages they name. Whether their expressions find something: test/integration/dashboards.test.ts. */
import { existsSync, readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { counters, gauges, histograms } from "../../src/adapters/otel/metrics.ts";
import { type Dashboard, dashboards, type Panel, panels, targets } from "../support/dashboards.ts";
import { exposition } from "../support/exposition.ts";

/** Labels by the metric that has them. */
const shown = new Map<string, Set<string>>();
beforeAll(async () => {
  for (const { metric, labels } of (await exposition()).flat()) {
    const known = shown.get(metric) ?? new Set(["instance", "job"]);
    shown.set(metric, known);
    for (const label of Object.keys(labels)) known.add(label);
  }
  // Prometheus' own, of each process that it asks.
  shown.set("up", new Set(["instance", "job"]));
});

const words = (text: string | undefined): readonly string[] => text?.match(/[a-z_]\w*/gi) ?? [];

/** What an expression asks for: metrics with the labels they are chosen by, and the labels it groups by. */
function asked(expr: string) {
  const plain = expr.replace(/"[^"]*"/g, "").replace(/\[[^\]]*\]/g, "");
  const grouping = /\b\w+ by \(([^)]*)\)/g;
  const selected = /(\w+)\{([^}]*)\}/g;
  const rest = plain
    .replace(grouping, "")
    .replace(selected, "")
    .replace(/\b\w+ ?\(/g, "");
  const selectors = [...plain.matchAll(selected)].map(([, metric = "", labels]) => ({
    metric,
    labels: words(labels),
  }));
  return {
    selectors: [...selectors, ...words(rest).map((metric) => ({ metric, labels: [] }))],
    grouped: [...plain.matchAll(grouping)].flatMap(([, labels]) => words(labels)),
  };
}

/** Columns and names in legends are labels that the expression leaves. */
const namedIn = ({ transformations = [] }: Panel, legend = ""): readonly string[] => [
  ...[...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = ""]) => label),
  ...transformations
    .flatMap(({ options }) => Object.keys(options.renameByName))
    .filter((name) => name !== "Value"),
];

test("everything that is measured is shown to whom the dashboards are held against", () => {
  const names = Object.keys({ ...counters, ...gauges });
  const bases = Object.keys(histograms);
  expect(names.filter((name) => !shown.has(name))).toEqual([]);
  expect(bases.filter((name) => !shown.has(`${name}_bucket`))).toEqual([]);
});

test.each(
  targets.map(({ panel, target, expr }) => [panel.title, target.refId, expr, panel, target] as const),
)("%s, %s asks for metrics and labels that the service shows: %s", (_title, _refId, expr, panel, target) => {
  const { selectors, grouped } = asked(expr);
  expect(selectors.length).toBeGreaterThan(0);
  expect(selectors.filter(({ metric }) => !shown.has(metric))).toEqual([]);
  expect(
    selectors.filter(({ metric, labels }) => labels.some((label) => !shown.get(metric)?.has(label))),
  ).toEqual([]);
  const labels = new Set(selectors.flatMap(({ metric }) => [...(shown.get(metric) ?? [])]));
  expect(grouped.filter((label) => !labels.has(label))).toEqual([]);
  const kept = new Set(grouped.length > 0 ? grouped : labels);
  expect(namedIn(panel, target.legendFormat).filter((label) => !kept.has(label))).toEqual([]);
});

test.each(targets.map(({ panel, target }) => [panel.title, target.refId, target.expr] as const))(
  "%s, %s asks for the processes that are chosen",
  (_title, _refId, expr) => {
    const selectors = expr.match(/\w+\{[^}]*\}/g) ?? [];
    expect(selectors.length).toBe(asked(expr).selectors.length);
    expect(selectors.filter((one) => !one.includes('instance=~"$instance"'))).toEqual([]);
  },
);

test.each(panels.map((panel) => [panel.title ?? `panel ${panel.id}`, panel] as const))(
  "%s has a title, a unit, and says what it means",
  (_title, { type, title, description, fieldConfig, targets: asks }) => {
    expect(["timeseries", "stat", "table"]).toContain(type);
    expect(title).toMatch(/^\S/);
    expect(fieldConfig?.defaults.unit).toMatch(/^\w+$/);
    expect(description).toMatch(/^.{40,}\.$/s);
    expect(asks?.length).toBeGreaterThan(0);
    const refIds = asks?.map(({ refId }) => refId) ?? [];
    expect(new Set(refIds).size).toBe(refIds.length);
  },
);

describe("what panels say", () => {
  const said = panels.map(({ description = "" }) => description).join("\n");
  const rules = parse(readFileSync("deploy/prometheus/rules.yml", "utf8")) as {
    readonly groups: readonly { readonly rules: readonly { readonly alert: string }[] }[];
  };
  const alerts = new Set(rules.groups.flatMap((group) => group.rules.map(({ alert }) => alert)));
  const named = new Set(said.match(/\bLastro[A-Z]\w+/g));

  test("every alert they name exists, and every alert is named", () => {
    expect(alerts.size).toBeGreaterThan(10);
    expect(named).toEqual(alerts);
  });

  test("every page they name exists, and has the section they name", () => {
    const references = [...said.matchAll(/(docs\/[\w-]+\.md)(?:, "(.+?)")?/g)];
    expect(references.length).toBeGreaterThan(20);
    const lost = references.filter(
      ([, page = "", section]) =>
        !existsSync(page) || (section !== undefined && !headingsOf(page).includes(section)),
    );
    expect(lost.map(([reference]) => reference)).toEqual([]);
  });
});

const textOf = (path: string): string => readFileSync(path, "utf8");
const headingsOf = (page: string): readonly string[] =>
  [...textOf(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => heading);

describe.each(dashboards.map((dashboard) => [dashboard.title, dashboard] as const))("%s", (_title, one) => {
  test("has no id twice", () => {
    const ids = one.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("lays no panel over another or beyond the edge", () => {
    const cells = one.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(one.panels.filter(({ gridPos: { x, w } }) => x + w > 24)).toEqual([]);
  });

  test("asks the Prometheus and the processes that are chosen above it", () => {
    const [datasource, instance] = one.templating.list;
    expect(datasource).toMatchObject({ name: "datasource", type: "datasource", query: "prometheus" });
    expect(instance).toMatchObject({ name: "instance", type: "query", datasource: chosen });
    const [, metric = "", label = ""] =
      /^label_values\((\w+), (\w+)\)$/.exec(instance?.definition ?? "") ?? [];
    expect(shown.get(metric)?.has(label)).toBe(true);
    expect(
      shownOf(one).filter((panel) => JSON.stringify(panel.datasource) !== JSON.stringify(chosen)),
    ).toEqual([]);
  });

  test("links to dashboards that exist", () => {
    const urls = dashboards.map(({ uid }) => `/d/${uid}`);
    expect(one.links.filter(({ url }) => !urls.includes(url))).toEqual([]);
  });
});

const chosen = { type: "prometheus", uid: "$" + "{datasource}" };
const shownOf = ({ panels: all }: Dashboard): readonly Panel[] => all.filter(({ type }) => type !== "row");

test("there are two dashboards, of different uids", () => {
  expect(new Set(dashboards.map(({ uid }) => uid)).size).toBe(2);
});

test("what Grafana is provisioned with lies where docs/operations.md mounts it", () => {
  const page = textOf("docs/operations.md");
  const { providers } = parse(textOf("deploy/grafana/dashboards/lastro.yml"));
  const [, mounted = "none"] = /deploy\/grafana:(\/[\w/]+)/.exec(page) ?? [];
  expect(providers.map(({ options }: { options: { path: string } }) => options.path)).toEqual([
    `${mounted}/dashboards`,
  ]);
  const { datasources } = parse(textOf("deploy/grafana/datasources/prometheus.yml"));
  expect(datasources).toMatchObject([{ type: "prometheus", url: "$PROMETHEUS_URL" }]);
  expect(page).toContain("PROMETHEUS_URL=");
  const { global } = parse(textOf("deploy/prometheus/prometheus.yml"));
  expect(datasources[0].jsonData.timeInterval).toBe(global.scrape_interval);
});
