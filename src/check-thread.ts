/** The thread beside a check: it opens the store for itself and answers what it is asked, one range after another. */
import { parentPort, workerData } from "node:worker_threads";
import { replaceClientTls } from "./adapters/files/client-tls.ts";
import { LastroError } from "./core/errors.ts";
import { sha256 } from "./lib/sha256.ts";
import { type Range, rangeChecker } from "./log/check-range.ts";
import { packRange } from "./log/packed-range.ts";
import { openLogStore } from "./open-store.ts";
import type { CheckThreadData, FromCheckThread, ToCheckThread } from "./run-check-thread.ts";

/** Each row is read once, in order: a page cache would only be filled and emptied. */
const cacheBytes = 8 * 1024 * 1024;
const never = new AbortController().signal;
const say = (message: FromCheckThread): void => parentPort?.postMessage(message);

const { store, tls } = workerData as CheckThreadData;
const { audit } = await openLogStore({ store }, tls, cacheBytes);
const checkRange = rangeChecker({ audit, crypto: { sha256 }, openBodies: undefined });

async function answer(range: Range, max: number): Promise<void> {
  try {
    say({ kind: "checked", checked: packRange(await checkRange(range, max, never)) });
  } catch (error) {
    if (!(error instanceof LastroError)) throw error;
    say({ kind: "failed", code: error.code, message: error.message });
  }
}

let before = Promise.resolve();
parentPort?.on("message", (told: ToCheckThread) => {
  if (told.kind === "tls") replaceClientTls(tls, told.tls);
  else before = before.then(() => answer(told.range, told.max));
});
