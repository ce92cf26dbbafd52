/** Work that is repeated in the background for as long as the process lives. */
import { sleep } from "./backoff.ts";

/** Repeats `work` with `pauseMs` between; what it throws goes to `onError` and does not end the repetition. Ends with the signal. `wait` resolves after so many ms and rejects at the signal. */
export async function repeat(
  pauseMs: number,
  signal: AbortSignal,
  work: () => Promise<void>,
  onError: (error: unknown) => void,
  wait = sleep,
): Promise<void> {
  while (!signal.aborted) {
    await work().catch((error: unknown) => {
      if (!signal.aborted) onError(error);
    });
    await wait(pauseMs, signal).catch(() => undefined);
  }
}

/** Resolves once the signal is aborted. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
