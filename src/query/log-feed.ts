/** The published log as it grows. However many follow it, new leaves are looked for and read once; when nobody waits, nobody looks. */
import { sleep } from "../lib/backoff.ts";
import { type LogRecordReads, type LogStretch, readStretch } from "./log-records.ts";
import type { PublishedLog } from "./published-log.ts";

const lookMs = 100;
const lookTimeoutMs = 5_000;
/** What was read last is kept for those who are a little behind; bodies and entries of it. */
const recentBytesMax = 16 * 1024 * 1024;

export type LogFeed = {
  /** Leaves from `from` on, below what is published: one at least, unless none came within `waitMsMax`. Throws the signal's reason. */
  next(from: number, waitMsMax: number, signal: AbortSignal): Promise<LogStretch>;
};

type Deps = LogRecordReads & { readonly log: Pick<PublishedLog, "store" | "checkpoint"> };
type Waiter = {
  readonly from: number;
  readonly resolve: (stretch: LogStretch) => void;
  readonly reject: (error: unknown) => void;
};

const behind = ({ to, records }: LogStretch, from: number): LogStretch => ({
  from,
  to,
  records: records.filter(({ index }) => index >= from),
});

/** Stretches without holes between them, bounded by bytes: the oldest are given up. */
function recentStretches() {
  let kept: { readonly stretch: LogStretch; readonly bytes: number }[] = [];
  return {
    find: (from: number): LogStretch | undefined =>
      kept.find(({ stretch }) => stretch.from <= from && from < stretch.to)?.stretch,
    keep(stretch: LogStretch): void {
      if (kept.at(-1)?.stretch.to !== stretch.from) kept = [];
      const sizes = stretch.records.map(({ row }) => (row?.entry.length ?? 0) + (row?.body.length ?? 0));
      kept.push({ stretch, bytes: sizes.reduce((sum, size) => sum + size, 0) });
      let bytes = kept.reduce((sum, one) => sum + one.bytes, 0);
      while (bytes > recentBytesMax && kept.length > 1) bytes -= kept.shift()?.bytes ?? 0;
    },
  };
}

export function logFeed(deps: Deps): LogFeed {
  const recent = recentStretches();
  const waiting = new Set<Waiter>();
  let isLooking = false;

  async function look(): Promise<void> {
    const signal = AbortSignal.timeout(lookTimeoutMs);
    // What is remembered is never as large: it is read anew.
    const size = (await deps.log.checkpoint("latest", signal, Number.POSITIVE_INFINITY))?.size ?? 0;
    const begin = Math.min(...[...waiting].map(({ from }) => from));
    for (let from = begin; from < size && waiting.size > 0; ) {
      const stretch = await readStretch(deps, from, size, signal);
      recent.keep(stretch);
      for (const waiter of waiting)
        if (stretch.from <= waiter.from && waiter.from < stretch.to)
          waiter.resolve(behind(stretch, waiter.from));
      from = stretch.to;
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

  function wait(from: number, waitMsMax: number, signal: AbortSignal): Promise<LogStretch> {
    return new Promise((resolve, reject) => {
      const leave = (end: () => void): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", aborted);
        waiting.delete(waiter);
        end();
      };
      const aborted = (): void => leave(() => reject(signal.reason));
      const timer = setTimeout(() => leave(() => resolve({ from, to: from, records: [] })), waitMsMax);
      const waiter: Waiter = {
        from,
        resolve: (stretch) => leave(() => resolve(stretch)),
        reject: (error) => leave(() => reject(error)),
      };
      waiting.add(waiter);
      signal.addEventListener("abort", aborted, { once: true });
      if (!isLooking) void keepLooking();
    });
  }

  return {
    async next(from, waitMsMax, signal) {
      signal.throwIfAborted();
      const known = recent.find(from);
      if (known !== undefined) return behind(known, from);
      const size = (await deps.log.checkpoint("latest", signal))?.size ?? 0;
      return from < size ? readStretch(deps, from, size, signal) : wait(from, waitMsMax, signal);
    },
  };
}
