/** How a worker thread ended. */
import type { Worker } from "node:worker_threads";

/** Resolves once the thread is gone, with what it threw. `once` of node:events would reject when it threw. */
export function endOfThread(worker: Worker): Promise<unknown> {
  return new Promise((resolve) => {
    let cause: unknown;
    worker.once("error", (error) => {
      cause = error;
    });
    worker.once("exit", () => resolve(cause));
  });
}
