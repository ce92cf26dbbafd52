/** What the driver throws, as LastroErrors. The driver's errors carry documents, so neither they nor the text of a server's error leave here. */
import {
  MongoBulkWriteError,
  MongoError,
  MongoNetworkError,
  MongoServerError,
  MongoServerSelectionError,
} from "mongodb";
import { LastroError } from "../../core/errors.ts";

export const duplicateKeyCode = 11_000;
const maxTimeExpiredCode = 50;

/** What running out of time is to the caller: the end of one read of history, or trouble that intake waits out. */
export type AtTimeout = "DEADLINE_EXCEEDED" | "STORE_UNAVAILABLE";

/** What is unknown is infrastructure: only a read of history, which nobody repeats by itself, may call it a bug. */
export function storeError(
  doing: string,
  error: unknown,
  atTimeout: AtTimeout = "STORE_UNAVAILABLE",
): LastroError {
  if (error instanceof LastroError) return error;
  const isHistory = atTimeout === "DEADLINE_EXCEEDED";
  if (isHistory && error instanceof MongoServerError && error.code === maxTimeExpiredCode)
    return new LastroError(
      atTimeout,
      `MongoDB had no time left to ${doing}; ask for less or allow more time`,
    );
  if (!(error instanceof MongoError))
    return new LastroError(
      isHistory ? "INTERNAL" : "STORE_UNAVAILABLE",
      `could not ${doing}; if it lasts, report it`,
      {
        cause: error,
      },
    );
  return new LastroError(
    "STORE_UNAVAILABLE",
    `MongoDB did not ${doing} (${kindOf(error)}); it is tried again, see the server's health and log if it lasts`,
  );
}

function kindOf(error: MongoError): string {
  if (error instanceof MongoNetworkError || error instanceof MongoServerSelectionError) {
    return `${error.name}: ${error.message}`;
  }
  const server: { readonly code?: unknown; readonly codeName?: unknown } = error;
  return [error.name, server.code, server.codeName]
    .filter((part) => typeof part === "string" || typeof part === "number")
    .join(" ");
}

/** Runs `work` until the signal ends the wait; work that is under way then ends by its own timeouts, with unknown effect. */
export async function guarded<T>(
  doing: string,
  signal: AbortSignal,
  atTimeout: AtTimeout,
  work: () => Promise<T>,
): Promise<T> {
  const ended = () => new LastroError(atTimeout, `the time to ${doing} is over`);
  if (signal.aborted) throw ended();
  const stop = Promise.withResolvers<never>();
  const onAbort = () => stop.reject(ended());
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work(), stop.promise]);
  } catch (error) {
    throw signal.aborted ? ended() : storeError(doing, error, atTimeout);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Whether keys that are taken already are all that went wrong in a bulk write. */
export function isOnlyTaken(error: unknown): boolean {
  if (!(error instanceof MongoBulkWriteError) || error.result.getWriteConcernError() !== undefined)
    return false;
  const errors = [error.writeErrors].flat();
  return errors.length > 0 && errors.every(({ code }) => code === duplicateKeyCode);
}

export const isDuplicateKey = (error: unknown): boolean =>
  error instanceof MongoServerError && error.code === duplicateKeyCode;
