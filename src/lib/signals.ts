/** Abort signals: the process is told to stop; a call has only so much time. */

/** Aborted by the first SIGTERM or SIGINT; a second one then ends the process as usual. */
export function untilSignal(): AbortSignal {
  const stop = new AbortController();
  const names = ["SIGTERM", "SIGINT"] as const;
  const onSignal = (name: NodeJS.Signals): void => {
    for (const other of names) process.off(other, onSignal);
    stop.abort(new Error(`stopped by ${name}`));
  };
  for (const name of names) process.on(name, onSignal);
  return stop.signal;
}

/** Aborted with `signal`, or after `ms`. */
export const withDeadline = (signal: AbortSignal, ms: number): AbortSignal =>
  AbortSignal.any([signal, AbortSignal.timeout(ms)]);

/** Ends the wait at the signal; `work` goes on, and whatever it throws then is nobody's. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    work.catch(() => undefined);
    return Promise.reject(signal.reason);
  }
  return new Promise<T>((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
