/** Errors that nothing catches, thrown in a callback or by a promise that nobody awaits: nobody knows what they left undone, so the process ends, and whoever keeps it running starts it again. */
import { LastroError } from "./core/errors.ts";
import type { Log } from "./ports/log.ts";

/** For what is in work to end, and the group and the store to be left in order. */
const endMsMax = 10_000;

/** What drivers and Node say may quote what they were given, so only frames of it are told, in a line of the log. */
export function knownError(log: Log, cause: unknown): LastroError {
  if (cause instanceof LastroError) return cause;
  const error = new LastroError(
    "INTERNAL",
    "an error that nobody expected ends the process. Nothing acknowledged is lost: start it again, and report the line unexpected_error of its log",
  );
  log.error("unexpected_error", error.message, { code: error.code }, cause);
  return error;
}

/** Aborted by the first such error. The process then has 10 s to end in order; a second one ends it at once. */
export function untilUncaught(log: Log): AbortSignal {
  const end = new AbortController();
  const cutShort = (): void => process.exit(1);
  process.on("uncaughtException", (cause) => {
    const error = knownError(log, cause);
    if (end.signal.aborted) cutShort();
    setTimeout(cutShort, endMsMax).unref();
    end.abort(error);
  });
  return end.signal;
}
