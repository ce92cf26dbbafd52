/** Keeps the search index in step with the log, in the background, for as long as this process extends the log. What goes wrong here is tried again and stops neither intake nor the log. */
import { LastroError } from "../core/errors.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock, Randomness, Sleep } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Observer } from "../ports/observer.ts";
import { type IndexPassDeps, indexPass } from "./index-pass.ts";

export type RunIndexingDeps = {
  /** Called until it succeeds. */
  readonly open: (signal: AbortSignal) => Promise<IndexPassDeps>;
  /** Whether this process extends the log, and the log waits for nothing. */
  readonly mayRun: () => boolean;
  /** Of the time, in percent, that passes may take while intake is busy. */
  readonly busyShare: number;
  /** For waiting: it does not jump with the machine's clock. */
  readonly now: Clock;
  readonly random: Randomness;
  readonly sleep: Sleep;
  readonly observer: Pick<Observer, "indexPass">;
  readonly lines: Log;
};

/** A part of the index that is lost looks like one that is being taken away: only that it lasts tells them apart. */
const waits =
  "the search index does not follow the log; tried again by itself. If that lasts while store and keys are there, a part of the index is lost or changed: " +
  "`lastro check --open-bodies` tells which, `lastro reindex` has it made anew";

const intervalMs = 500;
/** Between two passes while there is a backlog and intake is not busy. */
const yieldMs = 5;
const retryMaxMs = 15_000;
/** Entries a second by which the log grows while intake is busy. */
const busyEntries = 1_000;
/** Over which that is measured. */
const busyWindowMs = 1_000;

/** Ends with the signal. Never throws. */
export async function runIndexing(deps: RunIndexingDeps, signal: AbortSignal): Promise<void> {
  const pass = passes(deps, signal);
  for (let failures = 0; !signal.aborted; ) {
    const pauseMs = deps.mayRun() ? await pass(failures) : intervalMs;
    failures = pauseMs === undefined ? failures + 1 : 0;
    const ms = pauseMs ?? intervalMs + backoffMs(failures, 0, retryMaxMs, deps.random);
    await deps.sleep(ms, signal).catch(() => undefined);
  }
}

/** One pass: how long to pause after it, undefined when it failed. */
function passes({ open, busyShare, now, observer, lines }: RunIndexingDeps, signal: AbortSignal) {
  const isBusy = growth();
  let opened: IndexPassDeps | undefined;
  return async (failures: number): Promise<number | undefined> => {
    const startedMs = now();
    try {
      opened ??= await open(signal);
      const { size, lag } = await indexPass(opened, signal);
      const durationMs = now() - startedMs;
      observer.indexPass({ size, lag, durationMs });
      const busyMs = isBusy(size + lag, now()) ? durationMs * (100 / busyShare - 1) : yieldMs;
      return lag === 0 ? intervalMs : Math.max(yieldMs, busyMs);
    } catch (error) {
      if (failures === 0 && !signal.aborted)
        lines.warn("search_index_waits", waits, {
          code: error instanceof LastroError ? error.code : "INTERNAL",
        });
      return undefined;
    }
  };
}

/** Whether the log grows fast, by its size now and about a second ago. */
function growth(): (size: number, nowMs: number) => boolean {
  let before: { readonly size: number; readonly atMs: number } | undefined;
  let isFast = false;
  return (size, nowMs) => {
    before ??= { size, atMs: nowMs };
    const passedMs = nowMs - before.atMs;
    if (passedMs >= busyWindowMs) {
      isFast = (1_000 * (size - before.size)) / passedMs > busyEntries;
      before = { size, atMs: nowMs };
    }
    return isFast;
  };
}
