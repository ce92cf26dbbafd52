/** The service as it ships, on a topic that is full beforehand: rate, CPU and memory of working it off. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LastroProcess, startLastro } from "../support/lastro.ts";
import { cpuUsOf, peakMbOf } from "./process-usage.ts";

const pollMs = 100;
const stallMsMax = 30_000;

export type Servers = {
  readonly brokers: readonly string[];
  readonly redisUrl: string;
  readonly mongoUrl: string;
};

export type IntakeRun = { readonly perSecond: number; readonly cpuUs: number; readonly peakMb: number };

export type Service = AsyncDisposable & {
  readonly lastro: LastroProcess;
  readonly dataDir: string;
  /** The SQLite file, when it is the store. */
  readonly database: string;
};

export const serviceEnv = (
  { brokers, redisUrl }: Servers,
  topic: string,
  dataDir: string,
  env: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> => ({
  LASTRO_DATA_DIR: dataDir,
  LASTRO_KAFKA_BROKERS: brokers.join(","),
  LASTRO_KAFKA_TOPIC: topic,
  LASTRO_KAFKA_DLQ_TOPIC: `${topic}.dlq`,
  LASTRO_REDIS_URL: redisUrl,
  LASTRO_LOG_LEVEL: "warn",
  ...env,
});

/** A service with a data folder of its own, removed at the end. */
export async function startService(
  servers: Servers,
  topic: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Service> {
  const dataDir = mkdtempSync(join(tmpdir(), "lastro-bench-"));
  const lastro = await startLastro({ env: serviceEnv(servers, topic, dataDir, env) });
  return {
    lastro,
    dataDir,
    database: join(dataDir, "lastro.db"),
    async [Symbol.asyncDispose]() {
      await lastro.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Offsets with an outcome; all of them must be `stored`. */
export async function storedBy({ httpUrl, output }: LastroProcess): Promise<number> {
  const text = await (await fetch(`${httpUrl}/metrics`)).text();
  let stored = 0;
  for (const line of text.split("\n").filter((one) => one.startsWith("lastro_events_total{"))) {
    const count = Number(line.slice(line.lastIndexOf(" ") + 1));
    if (line.includes('outcome="stored"')) stored += count;
    else if (count > 0) throw new Error(`not every event of the load was stored: ${line}\n${output()}`);
  }
  return stored;
}

/** Waits until `count` events are stored; measured from the first outcomes seen to the last. */
export async function workOff({ lastro }: Service, count: number): Promise<IntakeRun> {
  const pid = lastro.process.pid ?? 0;
  let first: { readonly atMs: number; readonly cpuUs: number; readonly stored: number } | undefined;
  for (let [last, lastMs] = [0, performance.now()]; ; ) {
    const stored = await storedBy(lastro);
    const [atMs, cpuUs] = [performance.now(), cpuUsOf(pid)];
    if (stored > 0) first ??= { atMs, cpuUs, stored };
    if (stored > last) [last, lastMs] = [stored, atMs];
    if (first !== undefined && stored >= count) {
      const events = stored - first.stored;
      return {
        perSecond: (events * 1_000) / (atMs - first.atMs),
        cpuUs: (cpuUs - first.cpuUs) / events,
        peakMb: peakMbOf(pid),
      };
    }
    if (atMs - lastMs > stallMsMax) throw new Error(`stalled at ${last} of ${count}:\n${lastro.output()}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}
