/** What SQLite's errors mean for us: a record that clashes, a record that is refused, or a store that is unavailable. */
import { LastroError } from "../../core/errors.ts";

/** Extended result codes: SQLITE_CONSTRAINT_PRIMARYKEY, _UNIQUE, _ROWID. */
const uniqueCodes: ReadonlySet<number> = new Set([1555, 2067, 2579]);
/** Primary result codes that one row causes by what it holds: SQLITE_TOOBIG, SQLITE_CONSTRAINT, SQLITE_MISMATCH. */
const refusedCodes: ReadonlySet<number> = new Set([18, 19, 20]);
const busyCode = 5;

function errcodeOf(error: unknown): number {
  const code = typeof error === "object" && error !== null && "errcode" in error ? error.errcode : undefined;
  return typeof code === "number" ? code : 0;
}
const primaryOf = (error: unknown): number => errcodeOf(error) & 0xff;

export const isUniqueViolation = (error: unknown): boolean => uniqueCodes.has(errcodeOf(error));
export const isRefusal = (error: unknown): boolean =>
  refusedCodes.has(primaryOf(error)) && !isUniqueViolation(error);
export const isBusy = (error: unknown): boolean => primaryOf(error) === busyCode;

/** SQLite's own sentence for the code; it never holds values of a row. */
export const reasonOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "errstr" in error ? String(error.errstr) : "unknown fault";

const unavailable = (error: unknown): LastroError =>
  error instanceof LastroError
    ? error
    : new LastroError(
        "STORE_UNAVAILABLE",
        `SQLite: ${reasonOf(error)} (code ${errcodeOf(error)}); check disk space and permissions of the store's folder`,
        { cause: error },
      );

export const givenUp = (): LastroError =>
  new LastroError("STORE_UNAVAILABLE", "the call was given up before its end");

/** Between two steps of a call that intake or the log makes. */
export function assertWanted(signal: AbortSignal): void {
  if (signal.aborted) throw givenUp();
}

/** Runs one call of a port other than reading history. */
export async function storeCall<T>(signal: AbortSignal, work: () => T | Promise<T>): Promise<T> {
  assertWanted(signal);
  try {
    return await work();
  } catch (error) {
    throw unavailable(error);
  }
}

export function assertInTime(signal: AbortSignal): void {
  if (signal.aborted)
    throw new LastroError("DEADLINE_EXCEEDED", "the time given ended before the answer; narrow the question");
}

/** Runs one call that reads history. */
export async function readCall<T>(signal: AbortSignal, work: () => T | Promise<T>): Promise<T> {
  assertInTime(signal);
  try {
    return await work();
  } catch (error) {
    throw unavailable(error);
  }
}
