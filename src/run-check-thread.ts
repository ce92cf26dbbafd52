/** A thread beside a check, which reads records and checks each for itself while the check lays those before them beside the log. */
import { Worker } from "node:worker_threads";
import type { Config } from "./config.ts";
import { LastroError } from "./core/errors.ts";
import { endOfThread } from "./lib/end-of-thread.ts";
import { threadEnv } from "./lib/thread-env.ts";
import type { CheckedRange, CheckRange, Range } from "./log/check-range.ts";
import { type PackedRange, unpackRange } from "./log/packed-range.ts";
import type { ClientTls, ClientTlsSource } from "./ports/client-tls.ts";

export type CheckThreadData = Pick<Config, "store"> & { readonly tls: ClientTls };
/** Ranges are answered in the order they are asked; certificates take the place of those before them at once. */
export type ToCheckThread =
  | { readonly kind: "check"; readonly range: Range; readonly max: number }
  | { readonly kind: "tls"; readonly tls: ClientTls };
export type FromCheckThread =
  | { readonly kind: "checked"; readonly checked: PackedRange }
  | { readonly kind: "failed"; readonly code: LastroError["code"]; readonly message: string };

/** Ranges that wait for the thread: with more of them, whoever asks does the next one. */
const askedMax = 2;

export type CheckThread = AsyncDisposable & { readonly checkRange: CheckRange };

const program = new URL("./check-thread.ts", import.meta.url);

/** The process holds the lock of the store. What is asked rejects as the store does, and with INTERNAL once the thread is gone. */
export function startCheckThread(
  { store }: Pick<Config, "store">,
  upstream: ClientTlsSource,
  checkHere: CheckRange,
): CheckThread {
  const workerData: CheckThreadData = { store, tls: upstream.tls };
  const worker = new Worker(program, { workerData, env: threadEnv() });
  const tell = (message: ToCheckThread): void => worker.postMessage(message);
  upstream.onChange(() => tell({ kind: "tls", tls: upstream.tls }));
  const asked: PromiseWithResolvers<CheckedRange>[] = [];
  let lost: LastroError | undefined;
  const lose = (cause: unknown): void => {
    lost ??= new LastroError("INTERNAL", "the thread of the check ended unexpectedly", { cause });
    for (const { reject } of asked.splice(0)) reject(lost);
  };
  worker.on("message", (said: FromCheckThread) => {
    const next = asked.shift();
    if (said.kind === "checked") next?.resolve(unpackRange(said.checked));
    else next?.reject(new LastroError(said.code, said.message));
  });
  void endOfThread(worker).then(lose);
  return {
    async checkRange(range, max, signal) {
      if (lost !== undefined) throw lost;
      if (asked.length >= askedMax) return checkHere(range, max, signal);
      const answer = Promise.withResolvers<CheckedRange>();
      asked.push(answer);
      tell({ kind: "check", range, max });
      return answer.promise;
    },
    [Symbol.asyncDispose]: async () => void (await worker.terminate()),
  };
}
