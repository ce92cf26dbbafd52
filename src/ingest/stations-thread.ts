/** The pure stations in a thread of their own. The thread may die at any time: what it was asked for fails, and the next batch gets a new one. */
import { Worker } from "node:worker_threads";
import { LastroError } from "../core/errors.ts";
import type { BatchControl, SourceBatch } from "../ports/event-source.ts";
import type { Log } from "../ports/log.ts";
import type { PreparedEvents, StationSettings, Stations } from "./stations.ts";
import { type Answer, packEvents, packOrders, type Request, unpackSealed } from "./stations-messages.ts";

/** What a thread is started with; its catalogue is compiled from the text once more, since functions do not pass. */
export type ThreadSettings = Pick<StationSettings, "catalogueDigest" | "parse"> & {
  readonly catalogueText: string | undefined;
  readonly lookupSecret: Uint8Array;
};

export const startWorker = (settings: ThreadSettings): Worker =>
  new Worker(program, { workerData: settings, resourceLimits, env: {} });

type Asking = Exclude<Request, { kind: "release" }>;

type ThreadOptions = {
  readonly settings: ThreadSettings;
  /** Does what is not worth a thread. */
  readonly here: Stations;
  readonly noteFault: StationSettings["noteFault"];
  readonly log: Log;
  readonly startThread?: (settings: ThreadSettings) => Worker;
};

/** Passing a batch to and fro takes a fraction of a millisecond, as long as reading so many events. */
const eventsWorthAThread = 64;
const program = new URL("./stations-worker.ts", import.meta.url);
const resourceLimits = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 24 };

type Pending = { readonly resolve: (answer: Answer) => void; readonly reject: (error: unknown) => void };
type Thread = {
  readonly worker: Worker;
  readonly pending: Map<number, Pending>;
  lost: LastroError | undefined;
};

export function stationsInThread({
  settings,
  here,
  noteFault,
  log,
  startThread = startWorker,
}: ThreadOptions): Stations {
  let running: Thread | undefined;
  let ended = false;
  let lastId = 0;

  function lose(thread: Thread, cause: unknown): void {
    if (thread.lost !== undefined) return;
    thread.lost = lostError(cause);
    if (running === thread) running = undefined;
    for (const { reject } of thread.pending.values()) reject(thread.lost);
    thread.pending.clear();
    if (!ended) log.error("stations_lost", thread.lost.message, {}, cause);
  }

  function start(): Thread {
    if (ended) throw lostError(undefined);
    const worker = startThread(settings);
    // The service lives as long as its connections do.
    worker.unref();
    const thread: Thread = { worker, pending: new Map(), lost: undefined };
    worker.on("message", (answer: Answer) => {
      for (const fault of answer.faults) noteFault(new Error(fault));
      thread.pending.get(answer.id)?.resolve(answer);
      thread.pending.delete(answer.id);
    });
    worker.on("error", (cause) => lose(thread, cause));
    worker.on("exit", () => lose(thread, undefined));
    return thread;
  }

  /** Rejects when the thread is lost, when it fails on the whole request, and as soon as the batch is given up; the answer is then nobody's. */
  async function ask(
    thread: Thread,
    request: Asking,
    blocks: readonly Uint8Array[],
    signal: AbortSignal,
  ): Promise<Answer> {
    if (thread.lost !== undefined) throw thread.lost;
    if (signal.aborted) throw givenUp(signal);
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const giveUp = (): void => reject(givenUp(signal));
    signal.addEventListener("abort", giveUp);
    thread.pending.set(request.id, { resolve, reject });
    thread.worker.postMessage(
      request,
      blocks.map((block) => block.buffer as ArrayBuffer),
    );
    try {
      const answer = await promise;
      if (answer.error === undefined) return answer;
      throw new LastroError(
        "INTERNAL",
        "the thread of the pure stations failed on a batch; it is tried again",
        { cause: new Error(answer.error) },
      );
    } finally {
      signal.removeEventListener("abort", giveUp);
      thread.pending.delete(request.id);
    }
  }

  async function prepare(batch: SourceBatch, nowMs: number, control: BatchControl): Promise<PreparedEvents> {
    running ??= start();
    const thread = running;
    const id = ++lastId;
    const events = packEvents(batch.events);
    const request = { kind: "prepare", id, src: batch.src, nowMs, events } as const;
    const { text = "[]" } = await ask(thread, request, [events.bytes], control.signal).catch(
      (cause: unknown) => {
        release(thread, id);
        throw cause;
      },
    );
    return {
      results: JSON.parse(text),
      async seal(packable, sealing) {
        const orders = packOrders(packable);
        const request = { kind: "seal", id: ++lastId, batch: id, orders } as const;
        const { text: sealed = "[]", bodies } = await ask(thread, request, [orders.keys], sealing.signal);
        return unpackSealed(sealed, bodies ?? new Uint8Array());
      },
      [Symbol.dispose]: () => release(thread, id),
    };
  }

  function release({ lost, worker }: Thread, batch: number): void {
    if (lost === undefined) worker.postMessage({ kind: "release", batch } satisfies Request);
  }

  return {
    prepare: (batch, nowMs, control) =>
      (batch.events.length < eventsWorthAThread ? here.prepare : prepare)(batch, nowMs, control),
    async [Symbol.asyncDispose]() {
      ended = true;
      await running?.worker.terminate();
    },
  };
}

const lostError = (cause: unknown): LastroError =>
  new LastroError("INTERNAL", "the thread of the pure stations ended; the next batch gets a new one", {
    cause,
  });

const givenUp = (signal: AbortSignal): LastroError =>
  new LastroError(
    "SOURCE_UNAVAILABLE",
    "the batch was given up: its partition was taken away, or the process ends",
    {
      cause: signal.reason,
    },
  );
