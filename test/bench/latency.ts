/** How long an event takes from its send to the moment another connection can read it, at 1,000 events/s. */
import { DatabaseSync } from "node:sqlite";
import type { Service } from "./intake.ts";
import { publishPaced } from "./load.ts";

/** How often the store is looked at; part of what is measured. */
const lookMs = 1;
const stallMsMax = 30_000;

export type Latency = {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly worstMs: number;
  readonly events: number;
};

/** Events carry the time they were due as their timestamp. Throws unless every one of them is stored. */
export async function measureLatency(
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
  for (let [last, lastMs] = [0, performance.now()]; took.length < total; ) {
    const rows = newer.all(last);
    const [nowMs, atMs] = [Date.now(), performance.now()];
    for (const row of rows) took.push(nowMs - Number(row["action_at"]));
    if (rows.length > 0) [last, lastMs] = [Number(rows.at(-1)?.["id"]), atMs];
    if (atMs - lastMs > stallMsMax)
      throw new Error(`stalled at ${took.length} of ${total}:\n${service.lastro.output()}`);
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
  await publishing;
  took.sort((a, b) => a - b);
  const at = (share: number): number => took[Math.floor(share * (took.length - 1))] ?? Number.NaN;
  return { p50Ms: at(0.5), p99Ms: at(0.99), worstMs: at(1), events: took.length };
}
