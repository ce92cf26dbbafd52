/** The dashboards of deploy/grafana, as Grafana reads them. */
import { globSync, readFileSync } from "node:fs";

export type Target = { readonly refId: string; readonly expr: string; readonly legendFormat?: string };
export type Panel = {
  readonly id: number;
  readonly type: string;
  readonly title?: string;
  readonly description?: string;
  readonly datasource?: unknown;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly Target[];
  readonly transformations?: readonly {
    readonly options: { readonly renameByName: Readonly<Record<string, string>> };
  }[];
};
type Variable = {
  readonly name: string;
  readonly type: string;
  readonly query: unknown;
  readonly definition?: string;
  readonly datasource?: unknown;
};
export type Dashboard = {
  readonly uid: string;
  readonly title: string;
  readonly links: readonly { readonly url: string }[];
  readonly templating: { readonly list: readonly Variable[] };
  readonly panels: readonly Panel[];
};

export const dashboards = globSync("deploy/grafana/dashboards/*.json").map(
  (path) => JSON.parse(readFileSync(path, "utf8")) as Dashboard,
);
/** Rows are headings; all else shows something. */
export const panels = dashboards.flatMap((one) => one.panels).filter(({ type }) => type !== "row");
export const targets = panels.flatMap((panel) =>
  (panel.targets ?? []).map((target) => ({ panel, target, expr: asPromql(target.expr) })),
);

/** With what Grafana puts in the place of its variables. */
function asPromql(expr: string): string {
  return expr.replaceAll("$__rate_interval", "5m").replaceAll("$__range", "6h").replaceAll("$instance", ".*");
}
