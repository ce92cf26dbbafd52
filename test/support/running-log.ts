/** The sequencer of a world as it runs in the background, and what it tells. */
import { afterEach } from "@jest/globals";
import { sleep } from "../../src/lib/backoff.ts";
import { type LogRun, type LogState, type RunLogDeps, runLog } from "../../src/log/run-log.ts";
import type { LogPassReport } from "../../src/ports/observer.ts";
import type { LogWorld } from "./log-world.ts";

const untilMaxMs = 20_000;
/** Ends what a test that failed left running. */
const endings: AbortController[] = [];
afterEach(() => {
  for (const ending of endings.splice(0)) ending.abort();
});

export type Running = {
  readonly run: LogRun;
  readonly reports: LogPassReport[];
  readonly sizes: number[];
  readonly lines: string[];
  readonly states: LogState[];
  readonly stop: () => Promise<void>;
  /** Resolves at the next turn that the condition holds for. */
  until(condition: (state: LogState) => boolean): Promise<LogState>;
};

export function start(world: LogWorld, over: Partial<RunLogDeps> = {}): Running {
  const ending = new AbortController();
  endings.push(ending);
  const reports: LogPassReport[] = [];
  const sizes: number[] = [];
  const lines: string[] = [];
  const states: LogState[] = [];
  const line = (code: string): void => void lines.push(code);
  const deps: RunLogDeps = {
    ...world.deps,
    intervalMs: 1,
    holder: "one",
    sleep,
    observer: {
      logPass: (report) => void reports.push(report),
      logStandby: (size) => void sizes.push(size),
      logHalted: () => line("metric: halted"),
    },
    lines: { info: line, warn: line, error: line },
    rest: () => undefined,
    onLease: () => undefined,
    onState: (state) => void states.push(state),
    ...over,
  };
  const run = runLog(deps, ending.signal);
  return {
    run,
    reports,
    sizes,
    lines,
    states,
    async stop() {
      ending.abort();
      await run.ended;
    },
    async until(condition) {
      const deadline = performance.now() + untilMaxMs;
      while (!condition(run.state())) {
        await new Promise((done) => setImmediate(done));
        if (performance.now() > deadline) throw new Error(`still ${JSON.stringify(run.state())} ${lines}`);
      }
      return run.state();
    },
  };
}
