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
