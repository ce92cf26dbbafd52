/** Whether Lastro stays as fast while its store grows: intake, the bare loop over the same rows, and pages of history, at one size after another. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { startLastro } from "../support/lastro.ts";
import { lineChart } from "./chart.ts";
import { bareRate } from "./child.ts";
import { type Servers, serviceEnv, storedBy } from "./intake.ts";
import { prepareTopic } from "./load.ts";
import { historyOf, measure, startTarget } from "./reads.ts";
import { entitiesIn } from "./reads-store.ts";
import { table } from "./report.ts";
import type { Section } from "./section.ts";
import { benchSetting } from "./settings.ts";

const total = benchSetting("GROWTH_RECORDS", 1_000_000);
const first = Math.min(100_000, total / 4);
const sizes = [...new Set([1, 2.5, 5, 10, 20, 30, 40, 50].map((times) => times * first).filter((size) => size < total)), total]; // biome-ignore format: one line
/** Rates are those of the last so many records before a size. */
const windowRecords = first / 2;
/** More than the last size needs: partitions fill unevenly, and none may run dry before the end. */
const published = Math.ceil(total * 1.3);
const [lookMs, stallMsMax] = [100, 60_000];

type Step = {
  readonly records: number;
  readonly service: number;
  readonly bare: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
};

type Env = Readonly<Record<string, string>>;

/** Takes in until `size` records are stored; the rate of the last of them. */
async function growTo(env: Env, before: number, size: number): Promise<number> {
  const lastro = await startLastro({ env });
  try {
    let from: { readonly stored: number; readonly atMs: number } | undefined;
    for (let [last, lastMs] = [0, performance.now()]; ; ) {
      const stored = before + (await storedBy(lastro));
      const atMs = performance.now();
      if (stored >= size - windowRecords) from ??= { stored, atMs };
      if (from !== undefined && stored >= size && stored > from.stored)
        return ((stored - from.stored) * 1_000) / (atMs - from.atMs);
      if (stored > last) [last, lastMs] = [stored, atMs];
      if (atMs - lastMs > stallMsMax) throw new Error(`stalled at ${last} of ${size}:\n${lastro.output()}`);
      await new Promise((resolve) => setTimeout(resolve, lookMs));
    }
  } finally {
    await lastro.stop();
  }
}

/** One call at once, while nothing is taken in. */
async function historyLatency(path: string, ringPath: string): Promise<Pick<Step, "p50Ms" | "p99Ms">> {
  const entities = (() => {
    using db = new DatabaseSync(path, { readOnly: true });
    return entitiesIn(db);
  })();
  await using lastro = await startTarget("lastro", path, ringPath);
  const run = { method: historyOf(entities), concurrency: 1 };
  await measure(lastro, run, 0);
  return await measure(lastro, run, 0);
}

const recordsIn = (path: string): number => {
  using db = new DatabaseSync(path, { readOnly: true });
  return Number(db.prepare("SELECT max(id) AS records FROM records").get()?.["records"]);
};

async function grow(servers: Servers, dir: string): Promise<readonly Step[]> {
  const topic = `bench-growth-${process.pid}`;
  await prepareTopic(servers.brokers, topic, published);
  const [path, barePath] = [join(dir, "lastro.db"), join(dir, "bare.db")];
  const env = serviceEnv(servers, topic, dir, {});
  const steps: Step[] = [];
  for (const size of sizes) {
    const service = await growTo(env, steps.at(-1)?.records ?? 0, size);
    const bare = await bareRate(path, barePath, windowRecords);
    const { p50Ms, p99Ms } = await historyLatency(path, join(dir, "keys", "keyring.json"));
    steps.push({ records: recordsIn(path), service, bare: bare.perSecond, p50Ms, p99Ms });
  }
  return steps;
}

const head = ["records stored", "service, events/s", "bare loop, rows/s", "service / bare", "GetHistory, page of 10, p50 / p99 ms"]; // biome-ignore format: a row

const rowOf = ({ records, service, bare, p50Ms, p99Ms }: Step): readonly string[] => [
  records.toLocaleString("en"),
  service.toFixed(0),
  bare.toFixed(0),
  (service / bare).toFixed(2),
  `${p50Ms.toFixed(2)} / ${p99Ms.toFixed(2)}`,
];

function shareKept(steps: readonly Step[]): string {
  const [from, to] = [steps[0] as Step, steps.at(-1) as Step];
  const kept = (field: "service" | "bare"): string => `${((100 * to[field]) / from[field]).toFixed(0)} %`;
  return `Of its rate at ${from.records.toLocaleString("en")} records the service keeps ${kept("service")} at ${to.records.toLocaleString("en")} (goal ≥ 80 %, or what the bare loop keeps: ${kept("bare")}).`;
}

const x = { label: "records stored, millions", scale: "linear" } as const;

const plotsOf = (steps: readonly Step[]): Readonly<Record<string, string>> => {
  const line = (name: string, field: Exclude<keyof Step, "records">) => ({
    name,
    points: steps.map((step) => [step.records / 1e6, step[field]] as const),
  });
  return {
    "growth-throughput": lineChart({
      title: "Throughput against stored records, SQLite",
      x,
      y: { label: "events or rows a second", scale: "linear" },
      series: [line("service", "service"), line("bare loop", "bare")],
    }),
    "growth-history": lineChart({
      title: "GetHistory, page of 10, against stored records, SQLite",
      x,
      y: { label: "latency, ms", scale: "linear" },
      series: [line("p50", "p50Ms"), line("p99", "p99Ms")],
    }),
  };
};

export async function growthSection(servers: Servers): Promise<Section> {
  const dir = mkdtempSync(join(tmpdir(), "lastro-bench-growth-"));
  try {
    const steps = await grow(servers, dir);
    const text = [
      `One run; a rate is that of the last ${windowRecords.toLocaleString("en")} records before the size.`,
      table(head, steps.map(rowOf)),
      shareKept(steps),
    ].join("\n\n");
    return { text, plots: plotsOf(steps) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
