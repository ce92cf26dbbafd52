/** Runs the sequencer in the background: a pass each interval, the next at once while there is a backlog. What goes wrong here never stops intake. */
import { setImmediate } from "node:timers/promises";
import { LastroError } from "../core/errors.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Sleep } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Observer } from "../ports/observer.ts";
import type { SequencerDeps } from "./deps.ts";
import { type Halt, haltSentence, LogHalted } from "./halt.ts";
import { newPassMemory, type PassResult, sequencePass } from "./sequence.ts";

export type LogState =
  | { readonly kind: "starting" }
  /** This instance extends and signs the log. */
  | { readonly kind: "sequencing"; readonly size: number }
  /** Another instance does. */
  | { readonly kind: "standby"; readonly size: number }
  /** Tries again by itself. */
  | { readonly kind: "waiting"; readonly code: string; readonly sentence: string }
  /** Until a restart after the operator mended it. */
  | { readonly kind: "halted"; readonly halt: Halt };

export type LogRun = {
  state(): LogState;
  /** Resolves once nothing of it runs any more: after the signal, or after a halt. */
  readonly ended: Promise<void>;
};

export type RunLogDeps = SequencerDeps & {
  readonly intervalMs: number;
  /** Names this instance in the lease. */
  readonly holder: string;
  readonly sleep: Sleep;
  readonly observer: Pick<Observer, "logPass" | "logStandby" | "logHalted">;
  readonly lines: Log;
  /** Called before each pause: nothing waits to be logged. */
  readonly rest: () => void;
  /** Told before the first pass with a lease that was not held all the time before: another instance may have extended the log meanwhile. */
  readonly onLease: () => void;
  /** Told after each pass. */
  readonly onState: (state: LogState) => void;
};

/** An instance that died is replaced after this long. */
const leaseMs = 10_000;
/**
 * Heartbeats that a log may miss before it has nobody, whatever the lease says: its holder died with a clock that was ahead, or it cannot
 * extend the log, say for lack of the key.
 */
const heartbeatsMissedMax = 2;
const retryMaxMs = 15_000;
const releaseTimeoutMs = 1_000;

export function runLog(deps: RunLogDeps, signal: AbortSignal): LogRun {
  let state: LogState = { kind: "starting" };
  const turn = sequencerTurn(deps, signal);
  const loop = async (): Promise<void> => {
    for (let failures = 0; !signal.aborted && state.kind !== "halted"; ) {
      const { next, hasMore } = await turn();
      if (signal.aborted) break;
      tell(deps, state, next);
      state = next;
      deps.onState(state);
      failures = next.kind === "waiting" ? failures + 1 : 0;
      if (hasMore) {
        await setImmediate();
        continue;
      }
      deps.rest();
      await deps.sleep(pauseMs(deps, failures), signal).catch(() => undefined);
    }
    await release(deps, state);
  };
  return { state: () => state, ended: loop() };
}

const pauseMs = ({ intervalMs, random }: RunLogDeps, failures: number): number =>
  failures === 0 ? intervalMs : intervalMs + backoffMs(failures, 0, retryMaxMs, random);

type Turn = { readonly next: LogState; readonly hasMore: boolean };

/** One pass if this instance has the lease, as a state. Never throws. */
function sequencerTurn(deps: RunLogDeps, signal: AbortSignal): () => Promise<Turn> {
  const memory = newPassMemory();
  const lease = leaseHolder(deps, signal);
  const stands = standstill(heartbeatsMissedMax * deps.limits.heartbeatMs);
  const pass = () => sequencePass(deps, memory, signal);
  let size = 0;
  return async () => {
    try {
      const isHeld = await lease.isHeld(stands(size, deps.now()));
      const startedMs = deps.now();
      const result = isHeld
        ? await pass().catch((error: unknown) => passAnew(deps, error, lease, pass))
        : undefined;
      if (result === undefined) {
        size = (await deps.log.head(signal))?.size ?? 0;
        deps.observer.logStandby(size);
        return { next: { kind: "standby", size }, hasMore: false };
      }
      if (result.kind === "done") size = result.size;
      report(deps, result, startedMs);
      const hasMore = result.kind === "done" && result.lag !== 0;
      return { next: { kind: "sequencing", size }, hasMore };
    } catch (error) {
      return { next: failed(error), hasMore: false };
    }
  };
}

/**
 * After an election MongoDB before 8.0 answers reads of what a majority has as of before, until a majority has a write of the new primary: such
 * as a lease. What halts behind that write, too, is so. Undefined: another instance has the lease.
 */
async function passAnew(
  { lines }: RunLogDeps,
  error: unknown,
  lease: Lease,
  pass: () => Promise<PassResult>,
): Promise<PassResult | undefined> {
  if (!(error instanceof LogHalted)) throw error;
  if (!(await lease.renew())) return undefined;
  const result = await pass();
  if (result.kind === "done")
    lines.warn(
      "log_read_again",
      "what contradicted the log was gone behind a write: it was read as of before",
      { reason: error.halt.reason },
    );
  return result;
}

function failed(error: unknown): LogState {
  if (error instanceof LogHalted) return { kind: "halted", halt: error.halt };
  if (error instanceof LastroError) return { kind: "waiting", code: error.code, sentence: error.message };
  return { kind: "waiting", code: "INTERNAL", sentence: error instanceof Error ? error.message : "unknown" };
}

function report({ observer, now }: RunLogDeps, result: PassResult, startedMs: number): void {
  if (result.kind !== "done") return;
  const nowMs = now();
  const { size, lag, isPublished, recordedAtMs } = result;
  const delaysMs = isPublished ? recordedAtMs.map((atMs) => nowMs - atMs) : [];
  observer.logPass({ size, lag, durationMs: nowMs - startedMs, delaysMs });
}

/** Tells by this process's own clock whether the log has kept its size for so long. A clock that jumps makes it early or late, which costs work. */
function standstill(afterMs: number): (size: number, nowMs: number) => boolean {
  let seen: { readonly size: number; readonly sinceMs: number } | undefined;
  return (size, nowMs) => {
    if (seen?.size !== size) seen = { size, sinceMs: nowMs };
    return Math.abs(nowMs - seen.sinceMs) >= afterMs;
  };
}

/** After every lease. */
const endOfTimeMs = Number.MAX_SAFE_INTEGER;

type Lease = {
  /** It is extended when half of it has run out: that saves a write each pass. `stands`: nobody extends the log, so another's counts as run out. */
  isHeld(stands: boolean): Promise<boolean>;
  /** By a write, however long it is still held. */
  renew(): Promise<boolean>;
};

function leaseHolder({ log, holder, now, onLease }: RunLogDeps, signal: AbortSignal): Lease {
  let heldUntilMs = 0;
  const take = async (stands: boolean): Promise<boolean> => {
    const nowMs = now();
    const leftMs = heldUntilMs - nowMs;
    heldUntilMs = 0;
    const isHeld = await log.lease(holder, stands ? endOfTimeMs : nowMs, nowMs + leaseMs, signal);
    if (!isHeld) return false;
    if (leftMs <= 0 || leftMs > leaseMs) onLease();
    heldUntilMs = nowMs + leaseMs;
    return true;
  };
  return {
    async isHeld(stands) {
      const leftMs = heldUntilMs - now();
      return (leftMs > leaseMs / 2 && leftMs <= leaseMs) || take(stands);
    },
    renew: () => take(false),
  };
}

/** Lets another instance go on at once. */
async function release({ log, holder, now }: RunLogDeps, state: LogState): Promise<void> {
  if (state.kind === "standby" || state.kind === "starting") return;
  const nowMs = now();
  await log.lease(holder, nowMs, nowMs, AbortSignal.timeout(releaseTimeoutMs)).catch(() => undefined);
}

/** A line when something changes, not at each pass. */
function tell({ lines, observer }: RunLogDeps, before: LogState, after: LogState): void {
  switch (after.kind) {
    case "halted":
      observer.logHalted();
      lines.error("log_halted", `the log is neither extended nor signed: ${haltSentence(after.halt)}`, {
        reason: after.halt.reason,
      });
      return;
    case "waiting":
      if (before.kind !== "waiting" || before.code !== after.code)
        lines.warn("log_waits", `${after.sentence}; the log is extended once this passes`, {
          code: after.code,
        });
      return;
    case "sequencing":
      if (before.kind !== after.kind)
        lines.info("log_runs", "this instance extends and signs the log", { size: after.size });
      return;
    default:
      return;
  }
}
