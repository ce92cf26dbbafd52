/** The way to whatever lies outside a process: calls arrive late, out of order, twice over or never, and so do their answers. */
import { type ErrorCode, LastroError } from "../../src/core/errors.ts";
import type { LogStore } from "../../src/ports/log-store.ts";
import type { RecordStore } from "../../src/ports/record-store.ts";
import type { Life, Scheduler } from "./scheduler.ts";

/** Of a hundred calls. */
export type Faults = {
  /** Have no effect and fail. */
  readonly lost: number;
  /** Have their effect and fail. */
  readonly unknown: number;
};
export const noFaults: Faults = { lost: 0, unknown: 0 };

/** Answers come in a turn of their own that often. */
const latePercent = 50;

export type Way = {
  readonly scheduler: Scheduler;
  readonly life: Life;
  readonly faults: () => Faults;
  /** What whoever calls is told of trouble. */
  readonly code: ErrorCode;
  /** The call has had its effect. */
  readonly onEffect: (label: string) => void;
};

export type Call = <T>(label: string, signal: AbortSignal, work: () => T | Promise<T>) => Promise<T>;

export function callBy(way: Way): Call {
  const { scheduler, life } = way;
  return <T>(label: string, signal: AbortSignal, work: () => T | Promise<T>) =>
    new Promise<T>((resolve, reject) => {
      if (life.state === "dead") return;
      const fail = (why: string): void => reject(new LastroError(way.code, why));
      if (signal.aborted) return fail("the call was given up before it began");
      const giveUp = (): void => {
        if (life.state !== "dead") fail("the call was given up");
      };
      signal.addEventListener("abort", giveUp);
      const name = `${life.name} ${label}`;
      const reply = (act: () => void): void => {
        signal.removeEventListener("abort", giveUp);
        if (life.state === "dead") return;
        if (life.state === "alive" && !scheduler.chance(latePercent)) act();
        else scheduler.wait({ life, isRequest: false, label: `${name}: answer`, run: act });
      };
      const run = async (): Promise<void> => {
        const { lost, unknown } = way.faults();
        if (scheduler.chance(lost)) {
          scheduler.note("  lost");
          return reply(() => fail("the call was lost"));
        }
        const answer = await outcomeOf(work, resolve, reject);
        way.onEffect(label);
        if (!scheduler.chance(unknown)) return reply(answer);
        scheduler.note("  its answer is lost");
        reply(() => fail("nothing is known of what the call did"));
      };
      scheduler.wait({ life, isRequest: true, label: name, run });
    });
}

async function outcomeOf<T>(
  work: () => T | Promise<T>,
  resolve: (value: T) => void,
  reject: (error: unknown) => void,
): Promise<() => void> {
  try {
    const value = await work();
    return () => resolve(value);
  } catch (error) {
    return () => reject(error);
  }
}

/** A port whose calls all go that way; the signal is each call's last argument. */
export function reached<T extends object>(port: T, name: string, call: Call): T {
  const methods = Object.entries(port).map(([method, work]) => [
    method,
    (...args: readonly unknown[]) =>
      call(`${name}.${method}`, args.at(-1) as AbortSignal, () => work(...args)),
  ]);
  return Object.fromEntries(methods);
}

const nothing = { records: [], deactivate: [], ownerships: [], aliases: [], account: undefined } as const;

/** Appends part by part, as a store without transactions does: whatever comes between finds a prefix of them. */
export const stepwiseRecords = (records: RecordStore): RecordStore => ({
  ...records,
  async append(batch, signal) {
    for (const [at, record] of batch.records.entries()) {
      const verdict = await records.append({ ...nothing, records: [record] }, signal);
      if (verdict.kind !== "done") return "at" in verdict ? { ...verdict, at } : verdict;
    }
    await records.append({ ...batch, records: [], account: undefined }, signal);
    const isLost =
      batch.account !== undefined && (await records.account(batch.account, signal)) === "mark_lost";
    return { kind: isLost ? "mark_lost" : "done" };
  },
});

export const stepwiseLog = (log: LogStore): LogStore => ({
  ...log,
  async append(rows, signal) {
    for (const row of rows) if ((await log.append([row], signal)) === "taken") return "taken";
    return "done";
  },
});
