/** The service as it ships, on a topic that is full beforehand: rate, CPU and memory of working it off. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LastroProcess, startLastro } from "../support/lastro.ts";
import { cpuUsOf, peakMbOf } from "./process-usage.ts";

const pollMs = 100;
/** FerretDB takes minutes for a batch when it holds much. */
const stallMsMax = 600_000;

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
  nodeArgs: readonly string[] = [],
): Promise<Service> {
  const dataDir = mkdtempSync(join(tmpdir(), "lastro-bench-"));
  const lastro = await startLastro({ env: serviceEnv(servers, topic, dataDir, env), nodeArgs });
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

/** How many offsets have got each outcome, but those that none has. */
export type Outcomes = ReadonlyMap<string, number>;

export const sum = (counts: Iterable<number>): number =>
  Iterator.from(counts).reduce((all, one) => all + one, 0);

async function outcomesOf({ httpUrl }: LastroProcess): Promise<Outcomes> {
  const text = await (await fetch(`${httpUrl}/metrics`)).text();
  const outcomes = new Map<string, number>();
  for (const line of text.split("\n").filter((one) => one.startsWith("lastro_events_total{"))) {
    const outcome = /outcome="(\w+)"/.exec(line)?.[1] ?? "";
    const count = Number(line.slice(line.lastIndexOf(" ") + 1));
    if (count > 0) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + count);
  }
  return outcomes;
}

/** Offsets with an outcome; all of them must be `stored`. */
export async function storedBy(lastro: LastroProcess): Promise<number> {
  const { stored = 0, ...others } = Object.fromEntries(await outcomesOf(lastro));
  if (Object.keys(others).length > 0)
    throw new Error(`not every event of the load was stored: ${JSON.stringify(others)}\n${lastro.output()}`);
  return stored;
}

type Moment = { readonly atMs: number; readonly cpuUs: number; readonly done: number };

const pidOf = ({ process }: LastroProcess): number => process.pid ?? 0;

/** Since when a run is measured: the first look at which every process has an outcome, or the first look of all. */
export type Since = "outcomes" | "ready";

/** Waits until all of these outcomes are there and none besides. */
export async function workOffAs(
  all: readonly LastroProcess[],
  expected: Outcomes,
  since: Since = "outcomes",
): Promise<IntakeRun> {
  const outputs = (): string => all.map((lastro) => lastro.output()).join("\n");
  const total = sum(expected.values());
  let first: Moment | undefined;
  for (let [last, lastMs] = [0, performance.now()]; ; ) {
    const each = await Promise.all(all.map(outcomesOf));
    const now: Moment = {
      atMs: performance.now(),
      cpuUs: sum(all.map((lastro) => cpuUsOf(pidOf(lastro)))),
      done: sum(each.flatMap((outcomes) => [...outcomes.values()])),
    };
    const hasPart = each.every((outcomes) => outcomes.size > 0);
    if (hasPart || since === "ready") first ??= now;
    if (now.done > last) [last, lastMs] = [now.done, now.atMs];
    if (now.done >= total) {
      assertExpected(each, expected, outputs);
      if (!hasPart || first === undefined || first.done === now.done)
        throw new Error(`all ${total} events were worked off before every process had its part: take more`);
      const events = now.done - first.done;
      return {
        perSecond: (events * 1_000) / (now.atMs - first.atMs),
        cpuUs: (now.cpuUs - first.cpuUs) / events,
        peakMb: sum(all.map((lastro) => peakMbOf(pidOf(lastro)))),
      };
    }
    if (now.atMs - lastMs > stallMsMax) throw new Error(`stalled at ${last} of ${total}:\n${outputs()}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

function assertExpected(each: readonly Outcomes[], expected: Outcomes, outputs: () => string): void {
  const names = new Set([...expected.keys(), ...each.flatMap((outcomes) => [...outcomes.keys()])]);
  for (const name of names) {
    const count = sum(each.map((outcomes) => outcomes.get(name) ?? 0));
    const wanted = expected.get(name) ?? 0;
    if (count !== wanted) throw new Error(`${count} events became ${name}, not ${wanted}:\n${outputs()}`);
  }
}

/** Waits until `count` events are stored. */
export const workOff = ({ lastro }: Service, count: number): Promise<IntakeRun> =>
  workOffAs([lastro], new Map([["stored", count]]));
