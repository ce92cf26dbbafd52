/** The harness of all fuzz targets: feeds one with mutations of what it accepts, writes down the input on which it fails, and measures each. */
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { drawFrom, oneOf } from "./draw.ts";
import { mutated } from "./mutations.ts";

const asked = process.env["LASTRO_TEST_MUTATIONS"];
/** On demand, by `npm run test:hostile`: only then may time decide. */
export const isLong = asked !== undefined;
export const seed = Number(process.env["LASTRO_TEST_SEED"] ?? Date.now() % 1_000_000);
/** How many of each: some in every run, as many as LASTRO_TEST_MUTATIONS says on demand, or a share of that. */
export const timesOf = (preset: number, share = 1): number =>
  asked === undefined ? preset : Math.ceil(Number(asked) * share);
/** Hours on a busy machine: no test ends for it. */
export const campaignTimeoutMs = 3_600_000;

const cpuMsMaxOfAll = 50;
/** What is slow once may have been disturbed. */
const measurementsMax = 4;

export type Target = {
  readonly name: string;
  readonly corpus: readonly Uint8Array[];
  /** Of one input, where it is not that of all. */
  readonly cpuMsMax?: number;
  /** Whether it was accepted. Throws for what must not be. */
  check(input: Buffer): boolean | Promise<boolean>;
  /** Called after each, outside of what is measured. */
  settled?(): Promise<void> | undefined;
};
export type Campaign = { readonly runs: number; readonly accepted: number; readonly worstCpuMs: number };

/** Every input of the corpus is accepted, then `runs` mutations are judged. Throws at the first that fails, and names the file that holds it. */
export async function fuzz(target: Target, runs: number): Promise<Campaign> {
  const { name, corpus, cpuMsMax = cpuMsMaxOfAll } = target;
  for (const valid of corpus) {
    const input = Buffer.from(valid);
    if (!(await judged(target, input)))
      throw new Error(`${name} refuses what is valid: ${kept(name, input)}`);
  }
  let [accepted, worstCpuMs] = [0, 0];
  for (let run = 0; run < runs; run++) {
    const draw = drawFrom(seed + run);
    const input = mutated(oneOf(draw, corpus), oneOf(draw, corpus), draw);
    const startedMs = cpuMs();
    if (await judged(target, input)) accepted++;
    const tookMs = cpuMs() - startedMs;
    if (tookMs > worstCpuMs) worstCpuMs = Math.max(worstCpuMs, await again(target, input, tookMs));
    await target.settled?.();
    if (isLong && worstCpuMs > cpuMsMax)
      throw new Error(`${name} takes ${worstCpuMs.toFixed(1)} ms of CPU for ${kept(name, input)}`);
  }
  report(`${name}: ${runs} mutations, ${accepted} accepted, worst ${worstCpuMs.toFixed(1)} ms of CPU`);
  return { runs, accepted, worstCpuMs };
}

async function judged(target: Target, input: Buffer): Promise<boolean> {
  try {
    return await target.check(Buffer.from(input));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${target.name}, seed ${seed}: ${why}; the input is ${kept(target.name, input)}`, {
      cause,
    });
  }
}

/** What collects garbage or compiles counts as well: only what an input takes every time is its own. */
async function again(target: Target, input: Buffer, tookMs: number): Promise<number> {
  let leastMs = tookMs;
  for (let times = 1; times < measurementsMax && leastMs > 1; times++) {
    const startedMs = cpuMs();
    await judged(target, input);
    leastMs = Math.min(leastMs, cpuMs() - startedMs);
  }
  return leastMs;
}

export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** The file that now holds the input. */
export function kept(name: string, input: Uint8Array): string {
  const path = join(tmpdir(), `lastro-${name.replaceAll(/\W+/g, "-")}-${seed}.input`);
  writeFileSync(path, input);
  return path;
}

/** Figures, where they were asked for. */
export function report(line: string): void {
  if (isLong) process.stderr.write(`${line}\n`);
}

export function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}
