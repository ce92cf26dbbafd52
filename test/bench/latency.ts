/** How long an event takes from its send to the moment another connection can read it, at 1,000 events/s, and whether intake ever stands still. */
import { DatabaseSync } from "node:sqlite";
import { type Servers, type Service, startService } from "./intake.ts";
import { latencyChart } from "./latency-chart.ts";
import { publishPaced } from "./load.ts";
import { quantile, table } from "./report.ts";
import type { Section } from "./section.ts";
import { latencySeconds } from "./settings.ts";

/** How often the store is looked at; part of what is measured. */
const lookMs = 1;
const stallMsMax = 30_000;
/** A process that has just begun compiles what it runs often. */
const warmUpSeconds = 10;

type Latency = {
  /** Milliseconds, ascending. */
  readonly sorted: readonly number[];
  /** Of the events behind those of the first seconds. */
  readonly warm: readonly number[];
  /** The longest time in which no event became readable. */
  readonly gapMs: number;
};

/** Events carry the time they were due as their timestamp. Throws unless every one of them is stored. */
async function measureLatency(
  service: Service,
  brokers: readonly string[],
  topic: string,
  pace: { readonly perSecond: number; readonly seconds: number },
): Promise<Latency> {
  using db = new DatabaseSync(service.database, { readOnly: true });
  const newer = db.prepare("SELECT id, action_at FROM records WHERE id > ? ORDER BY id");
  const took: number[] = [];
  const total = pace.perSecond * pace.seconds;
  const publishing = publishPaced(brokers, topic, pace);
  let gapMs = 0;
  for (let [last, lastMs] = [0, performance.now()]; took.length < total; ) {
    const rows = newer.all(last);
    const [nowMs, atMs] = [Date.now(), performance.now()];
    for (const row of rows) took.push(nowMs - Number(row["action_at"]));
    if (rows.length > 0) {
      if (last > 0) gapMs = Math.max(gapMs, atMs - lastMs);
      [last, lastMs] = [Number(rows.at(-1)?.["id"]), atMs];
    }
    if (atMs - lastMs > stallMsMax)
      throw new Error(`stalled at ${took.length} of ${total}:\n${service.lastro.output()}`);
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
  await publishing;
  const ascending = (all: readonly number[]): readonly number[] => all.toSorted((a, b) => a - b);
  return { sorted: ascending(took), warm: ascending(took.slice(pace.perSecond * warmUpSeconds)), gapMs };
}

export async function latencySection(servers: Servers): Promise<Section> {
  const topic = `bench-latency-${process.pid}`;
  const pace = { perSecond: 1_000, seconds: latencySeconds };
  await using service = await startService(servers, topic);
  const { sorted, warm, gapMs } = await measureLatency(service, servers.brokers, topic, pace);
  const text = table(
    [`at ${pace.perSecond} events/s for ${pace.seconds} s, publish to stored`, "ms", "goal"],
    [
      ["p50", quantile(sorted, 0.5).toFixed(0), "≤ 5"],
      ["p99", quantile(sorted, 0.99).toFixed(0), "≤ 25"],
      [`p50 behind the first ${warmUpSeconds} s`, quantile(warm, 0.5).toFixed(0), ""],
      [`p99 behind the first ${warmUpSeconds} s`, quantile(warm, 0.99).toFixed(0), ""],
      ["p99.9", quantile(sorted, 0.999).toFixed(0), ""],
      ["worst", quantile(sorted, 1).toFixed(0), ""],
      ["longest time without an event that became readable", gapMs.toFixed(0), "no stall"],
      [`stored of ${pace.perSecond * pace.seconds}`, String(sorted.length), "all"],
    ],
  );
  const title = `Publish to stored at ${pace.perSecond} events/s for ${pace.seconds} s, SQLite`;
  return { text, plots: { "latency-stored": latencyChart(title, [{ name: "publish to stored", sorted }], lookMs) } };
} // biome-ignore format: one line
