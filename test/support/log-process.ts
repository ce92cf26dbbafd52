/** What the log of a running service looks like from outside, and its store compared once nothing runs. */

import { type LastroProcess, until } from "./lastro.ts";
import { checkLogged, checkPrefixes } from "./log-checker.ts";
import type { World } from "./world.ts";

const loggedMaxMs = 120_000;

const gauge = (text: string, name: string): number | undefined => {
  const line = text.split("\n").find((candidate) => candidate.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length));
};

export async function logGauge(
  lastro: LastroProcess,
  name: "size" | "lag" | "halted",
): Promise<number | undefined> {
  return gauge(await (await fetch(`${lastro.httpUrl}/metrics`)).text(), `lastro_log_${name}`);
}

/** Waits until everything that has an outcome is logged. */
export const untilLogged = (lastro: LastroProcess, leavesMin: number): Promise<void> =>
  until(
    `the log has ${leavesMin} leaves and no lag`,
    async () => ((await logGauge(lastro, "size")) ?? 0) >= leavesMin && (await logGauge(lastro, "lag")) === 0,
    loggedMaxMs,
    lastro,
  );

/** Opens the store (no service may run on SQLite) and checks its log, of which each of these notes must be a prefix. */
export async function checkWorldLog(world: World, notes: readonly string[]): Promise<void> {
  await using store = await world.openStore();
  await checkPrefixes(store, await checkLogged(store), notes);
}

/** The checkpoint that lies in the store. */
export async function publishedNote(world: World): Promise<readonly string[]> {
  await using store = await world.openStore();
  const checkpoint = await store.log.checkpoint("latest", AbortSignal.timeout(loggedMaxMs));
  return checkpoint === undefined ? [] : [checkpoint.note];
}
