/** What a running service tells of its log. */
import { type LastroProcess, until } from "./lastro.ts";

const loggedMaxMs = 120_000;

const gauge = (text: string, name: string): number | undefined => {
  const line = text.split("\n").find((candidate) => candidate.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length));
};

export async function logGauge(
  lastro: LastroProcess,
  name: "size" | "lag" | "halted" | "pass_seconds_count",
): Promise<number | undefined> {
  return gauge(await (await fetch(`${lastro.httpUrl}/metrics`)).text(), `lastro_log_${name}`);
}

/** Waits until everything that has an outcome is logged: two passes end from here on, since one may be under way that read less. */
export async function untilLogged(lastro: LastroProcess, leavesMin: number): Promise<void> {
  const passesMin = ((await logGauge(lastro, "pass_seconds_count")) ?? 0) + 2;
  await until(
    `the log has ${leavesMin} leaves and no lag`,
    async () =>
      ((await logGauge(lastro, "size")) ?? 0) >= leavesMin &&
      (await logGauge(lastro, "lag")) === 0 &&
      ((await logGauge(lastro, "pass_seconds_count")) ?? 0) >= passesMin,
    loggedMaxMs,
    lastro,
  );
}
