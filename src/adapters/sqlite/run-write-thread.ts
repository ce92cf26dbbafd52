/** Writes to a file in a thread of their own: this one prepares the next batch and answers readers meanwhile. A thread that is lost is started again. */
import { addAbortListener } from "node:events";
import { Worker } from "node:worker_threads";
import { LastroError } from "../../core/errors.ts";
import { endOfThread } from "../../lib/end-of-thread.ts";
import { threadEnv } from "../../lib/thread-env.ts";
import type { AppendBatch } from "../../ports/record-store.ts";
import type { DatabaseSettings } from "./database.ts";
import { givenUp, storeCall } from "./faults.ts";
import type { KeyWrites } from "./keys.ts";
import { type PackedRecords, packRecords } from "./packed-records.ts";
import type { RecordWrites } from "./records.ts";
import type { StateWrites } from "./state.ts";
import type { Writes } from "./writes.ts";

export type WriteThreadData = {
  readonly path: string;
  readonly settings: DatabaseSettings;
  readonly recordBytesMax: number;
};

type WithoutSignal<F> = F extends (...args: [...infer A, AbortSignal]) => unknown ? A : never;
/** What the thread is asked to do: the function's name and its arguments. */
export type WriteCall =
  | readonly ["append", readonly [PackedRecords, Omit<AppendBatch, "records">]]
  | readonly ["account", WithoutSignal<RecordWrites["account"]>]
  | readonly ["repairActive", WithoutSignal<RecordWrites["repairActive"]>]
  | readonly ["probe", WithoutSignal<RecordWrites["probe"]>]
  | readonly ["createKeys", WithoutSignal<KeyWrites["create"]>]
  | readonly ["rewrapKey", WithoutSignal<KeyWrites["rewrap"]>]
  | readonly ["createState", WithoutSignal<StateWrites["create"]>]
  | readonly ["replaceState", WithoutSignal<StateWrites["replace"]>]
  | readonly ["setBreaker", WithoutSignal<StateWrites["setBreaker"]>]
  | readonly ["setPersonalAccess", WithoutSignal<StateWrites["setPersonalAccess"]>]
  | readonly ["putJob", WithoutSignal<StateWrites["putJob"]>]
  | readonly ["removeJob", WithoutSignal<StateWrites["removeJob"]>];
export type ToWriteThread = { readonly id: number; readonly call: WriteCall } | "end";
export type FromWriteThread =
  | { readonly id: number; readonly result: unknown }
  | {
      readonly id: number;
      readonly failure: { readonly code: LastroError["code"]; readonly message: string };
    };

const program = new URL("./write-thread.ts", import.meta.url);

const lostSentence = "the thread that writes to the store ended unexpectedly; the next write starts another";

type Thread = {
  ask(call: WriteCall, moved: readonly ArrayBuffer[], signal: AbortSignal): Promise<unknown>;
  end(): Promise<void>;
};

function startThread(worker: Worker, onEnd: () => void): Thread {
  const asked = new Map<number, PromiseWithResolvers<unknown>>();
  let lastId = 0;
  const tell = (message: ToWriteThread, moved: readonly ArrayBuffer[] = []): void =>
    worker.postMessage(message, moved);
  worker.on("message", (said: FromWriteThread) => {
    const waiting = asked.get(said.id);
    asked.delete(said.id);
    if ("failure" in said) waiting?.reject(new LastroError(said.failure.code, said.failure.message));
    else waiting?.resolve(said.result);
  });
  const ended = endOfThread(worker).then((cause) => {
    onEnd();
    const lost = new LastroError("STORE_UNAVAILABLE", lostSentence, { cause });
    for (const { reject } of asked.values()) reject(lost);
  });
  return {
    async ask(call, moved, signal) {
      const id = ++lastId;
      const waiting = Promise.withResolvers<unknown>();
      using _ = addAbortListener(signal, () => waiting.reject(givenUp()));
      asked.set(id, waiting);
      tell({ id, call }, moved);
      return await waiting.promise;
    },
    async end() {
      tell("end");
      await ended;
    },
  };
}

const startWorker = (data: WriteThreadData): Worker =>
  new Worker(program, { workerData: data, env: threadEnv() });

/** The thread starts with the first write. A call rejects once its signal is aborted; what it asked for may be done all the same. */
export function writesInThread(data: WriteThreadData, start = startWorker): Writes & AsyncDisposable {
  let thread: Thread | undefined;
  let isClosed = false;
  const running = (): Thread => {
    if (isClosed) throw new LastroError("STORE_UNAVAILABLE", "the store is closed");
    thread ??= startThread(start(data), () => {
      thread = undefined;
    });
    return thread;
  };
  const ask = async <T>(
    signal: AbortSignal,
    call: WriteCall,
    moved: readonly ArrayBuffer[] = [],
  ): Promise<T> => storeCall(signal, () => running().ask(call, moved, signal) as Promise<T>);
  return {
    records: {
      append({ records, ...rest }, signal) {
        const packed = packRecords(records);
        return ask(signal, ["append", [packed, rest]], [packed.bytes.buffer]);
      },
      account: (step, signal) => ask(signal, ["account", [step]]),
      repairActive: (places, signal) => ask(signal, ["repairActive", [places]]),
      probe: (signal) => ask(signal, ["probe", []]),
    },
    keys: {
      create: (documents, signal) => ask(signal, ["createKeys", [documents]]),
      rewrap: (ref, kid, from, to, signal) => ask(signal, ["rewrapKey", [ref, kid, from, to]]),
    },
    state: {
      create: (identity, signal) => ask(signal, ["createState", [identity]]),
      replace: (identity, revision, signal) => ask(signal, ["replaceState", [identity, revision]]),
      setBreaker: (state, signal) => ask(signal, ["setBreaker", [state]]),
      setPersonalAccess: (requests, revision, signal) =>
        ask(signal, ["setPersonalAccess", [requests, revision]]),
      putJob: (name, text, revision, signal) => ask(signal, ["putJob", [name, text, revision]]),
      removeJob: (name, signal) => ask(signal, ["removeJob", [name]]),
    },
    async [Symbol.asyncDispose]() {
      isClosed = true;
      await thread?.end();
    },
  };
}
