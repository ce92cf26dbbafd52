/** Reads that wait until a record is in the log. One look at the store serves all of them; when none waits, none looks. */
import { LastroError } from "../core/errors.ts";
import type { Rid } from "../core/ids.ts";
import { sleep } from "../lib/backoff.ts";
import type { CheckpointName, LogStore } from "../ports/log-store.ts";

export type LogStateAwaited = "logged" | "witnessed";

/** Calls that may wait at once in this process. */
export const logWaitersMax = 1_000;
const lookMs = 100;
const lookTimeoutMs = 5_000;

type Tree = { readonly size: number } | undefined;
type Waiter = {
  readonly rid: Rid;
  readonly state: LogStateAwaited;
  index: number | undefined;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
};
type Deps = Pick<LogStore, "indexes"> & {
  checkpoint(name: CheckpointName, signal: AbortSignal, atLeast: number): Promise<Tree>;
};

export function logWaiters(
  deps: Deps,
): (rid: Rid, state: LogStateAwaited, signal: AbortSignal) => Promise<void> {
  const waiting = new Set<Waiter>();
  let isLooking = false;

  async function look(): Promise<void> {
    const signal = AbortSignal.timeout(lookTimeoutMs);
    // What is remembered is never as large: both are read anew.
    const read = (name: CheckpointName): Promise<Tree> =>
      deps.checkpoint(name, signal, Number.POSITIVE_INFINITY);
    const waiters = [...waiting];
    const unplaced = waiters.filter(({ index }) => index === undefined).map(({ rid }) => rid);
    const [latest, witnessed, indexes] = await Promise.all([
      read("latest"),
      read("witnessed"),
      unplaced.length === 0 ? new Map<Rid, number>() : deps.indexes(unplaced, signal),
    ]);
    for (const waiter of waiters) {
      waiter.index ??= indexes.get(waiter.rid);
      const size = (waiter.state === "logged" ? latest : witnessed)?.size ?? 0;
      if (waiter.index !== undefined && waiter.index < size) waiter.resolve();
    }
  }

  async function keepLooking(): Promise<void> {
    isLooking = true;
    while (waiting.size > 0) {
      await look().catch((error: unknown) => {
        for (const waiter of waiting) waiter.reject(error);
      });
      // Who was answered leaves in between.
      await sleep(lookMs, new AbortController().signal);
    }
    isLooking = false;
  }

  return async (rid, state, signal) => {
    if (waiting.size >= logWaitersMax) {
      throw new LastroError(
        "FAILED_PRECONDITION",
        `${logWaitersMax} calls wait for the log already; ask without wait_for, and again later`,
        { field: "wait_for" },
      );
    }
    let waiter: Waiter | undefined;
    const late = (): void => waiter?.reject(tooLate(state, waiter.index));
    try {
      await new Promise<void>((resolve, reject) => {
        waiter = { rid, state, index: undefined, resolve, reject };
        waiting.add(waiter);
        signal.addEventListener("abort", late, { once: true });
        if (signal.aborted) late();
        if (!isLooking) void keepLooking();
      });
    } finally {
      signal.removeEventListener("abort", late);
      if (waiter !== undefined) waiting.delete(waiter);
    }
  };
}

function tooLate(state: LogStateAwaited, index: number | undefined): LastroError {
  const place =
    index === undefined
      ? "has no index yet"
      : `has index ${index}, which no ${state === "logged" ? "published" : "witnessed"} checkpoint covers yet`;
  return new LastroError(
    "DEADLINE_EXCEEDED",
    `the record is stored, but ${place}; it is not lost: allow more time, or ask without wait_for`,
    { field: "wait_for" },
  );
}
