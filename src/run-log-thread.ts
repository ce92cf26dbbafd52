/** The transparency log as the service sees it: a thread of its own, which is started again when it is lost. */
import { Worker } from "node:worker_threads";
import { LastroError } from "./core/errors.ts";
import { backoffMs, sleep } from "./lib/backoff.ts";
import { endOfThread } from "./lib/end-of-thread.ts";
import { threadEnv } from "./lib/thread-env.ts";
import type { LogState } from "./log/run-log.ts";
import type { FromLogThread, LogObserver, LogThreadData, ObservedCall, ToLogThread } from "./log-thread.ts";
import type { ClientTlsSource } from "./ports/client-tls.ts";
import type { Randomness } from "./ports/clock.ts";
import type { Log } from "./ports/log.ts";
import type { Observer } from "./ports/observer.ts";

export type LogThreadOptions = {
  readonly data: Omit<LogThreadData, "tls">;
  readonly upstream: ClientTlsSource;
  readonly observer: LogObserver & Pick<Observer, "reached">;
  readonly lines: Log;
  readonly random: Randomness;
  /** Once a thread cannot be ended, and so not the process either. */
  readonly onStuck?: (() => void) | undefined;
  readonly startThread?: (data: LogThreadData) => Worker;
};

export type LogThread = {
  state(): LogState;
  /** Names of the witnesses that did not cosign, and of the anchors that did not keep the checkpoint, when they were asked last; none while another instance asks them. */
  missing(): MissingOthers;
  /** Resolves once the thread is gone, or cannot be ended: after the signal, or after a halt. */
  readonly ended: Promise<void>;
};

const program = new URL("./log-thread.ts", import.meta.url);
const resourceLimits = { maxOldGenerationSizeMb: 512 };
/** For the thread to end its pass and give its lease back. */
const endMsMax = 3_000;
/** For it to be gone once it was terminated. A file system that does not answer holds it for as long as it does not. */
const goneMsMax = 1_000;
const [restartMinMs, restartMaxMs] = [500, 15_000];
const lost = {
  kind: "waiting",
  code: "INTERNAL",
  sentence: "the thread of the log ended unexpectedly; it is started again",
} as const;
const stuck = new LastroError(
  "INTERNAL",
  "the thread of the log cannot end, since a file system or a name server does not answer it; it is not waited for",
);

const startWorker = (data: LogThreadData): Worker =>
  new Worker(program, { workerData: data, resourceLimits, env: threadEnv() });

/** Resolves once the thread has opened what it needs. Throws what it refuses to start for: STORE_UNAVAILABLE, CONFIG_INVALID, INTERNAL. */
export async function startLogThread(options: LogThreadOptions, signal: AbortSignal): Promise<LogThread> {
  const { data, upstream, observer, lines, random, onStuck, startThread = startWorker } = options;
  let state: LogState = { kind: "starting" };
  let missing = nobodyMissing;

  const hear = (worker: Worker, said: Told): void => {
    switch (said.kind) {
      case "state":
        state = said.state;
        return;
      case "reached":
        observer.reached(said.point);
        tell(worker, "heard");
        return;
      case "line":
        passOn(lines, said.call);
        return;
      case "observed":
        missing = missingAfter(missing, said.call);
        passOn(observer, said.call);
    }
  };
  const stay = (): void => {
    lines.error("log_thread_stuck", stuck.message);
    onStuck?.();
  };
  const { tls } = upstream;
  let worker: Worker;
  const launch = (): Running => {
    worker = startThread({ ...data, tls });
    return run(worker, { hear, stay }, signal);
  };

  async function keep(first: Running): Promise<void> {
    for (let [running, losses] = [first, 1]; ; losses++) {
      const cause = await running.ended;
      if (signal.aborted || state.kind === "halted") return;
      state = lost;
      lines.error("log_thread_lost", lost.sentence, {}, cause);
      await sleep(backoffMs(losses, restartMinMs, restartMaxMs, random), signal).catch(() => undefined);
      if (signal.aborted) return;
      running = launch();
    }
  }

  const first = launch();
  upstream.onChange(() => tell(worker, { tls }));
  await first.opened;
  return { state: () => state, missing: () => missing, ended: keep(first) };
}

/** What a thread says once it has opened what it needs. */
type Told = Exclude<FromLogThread, { kind: "opened" | "refused" }>;

type Running = {
  readonly opened: Promise<void>;
  /** Resolves with what ended it. */
  readonly ended: Promise<unknown>;
};

type Heard = { readonly hear: (worker: Worker, said: Told) => void; readonly stay: () => void };

function run(worker: Worker, { hear, stay }: Heard, signal: AbortSignal): Running {
  let refused: LastroError | undefined;
  const opened = Promise.withResolvers<void>();
  // A thread that is started again is waited for by its end alone.
  opened.promise.catch(() => undefined);
  worker.on("message", (said: FromLogThread) => {
    if (said.kind === "opened") opened.resolve();
    else if (said.kind === "refused") {
      refused = new LastroError(said.code, said.message);
      opened.reject(refused);
    } else hear(worker, said);
  });
  const overdue = Promise.withResolvers<LastroError>();
  const terminate = (): void => {
    void worker.terminate();
    setTimeout(() => overdue.resolve(stuck), goneMsMax).unref();
  };
  const end = (): void => {
    tell(worker, "end");
    setTimeout(terminate, endMsMax).unref();
  };
  if (signal.aborted) end();
  signal.addEventListener("abort", end, { once: true });
  const ended = Promise.race([endOfThread(worker), overdue.promise]).then((cause) => {
    signal.removeEventListener("abort", end);
    if (cause === stuck) stay();
    opened.reject(new LastroError("INTERNAL", lost.sentence, { cause }));
    return refused ?? cause;
  });
  return { opened: opened.promise, ended };
}

const tell = (worker: Worker, message: ToLogThread): void => worker.postMessage(message);

type MissingOthers = { readonly witnesses: readonly string[]; readonly anchors: readonly string[] };

const nobodyMissing: MissingOthers = { witnesses: [], anchors: [] };

function missingAfter(missing: MissingOthers, [name, args]: ObservedCall): MissingOthers {
  if (name === "witnessesAsked") return { ...missing, witnesses: missingIn(args[0].hasCosigned) };
  if (name === "anchorsAsked") return { ...missing, anchors: missingIn(args[0].hasKept) };
  return name === "logStandby" ? nobodyMissing : missing;
}

const missingIn = (answers: ReadonlyMap<string, boolean>): readonly string[] =>
  [...answers].filter(([, isThere]) => !isThere).map(([name]) => name);

/** Calls the function of that name; the thread's side has checked name and arguments against each other. */
function passOn<T extends object>(to: T, [name, args]: readonly [keyof T, readonly unknown[]]): void {
  (to[name] as (...args: readonly unknown[]) => void)(...args);
}
