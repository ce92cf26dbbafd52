/** How a command ends: the closed table of exit codes, and the one error that chooses among them. Scripts rely on these numbers; they never change. */
import { isTransient, LastroError } from "../core/errors.ts";

export const exitCodes = {
  ok: 0,
  error: 1,
  usage: 2,
  notFound: 3,
  verificationFailed: 4,
  unavailable: 5,
  /** Nothing is broken, and not everything could be looked at. */
  incomplete: 6,
  /** The log is intact, and search aids differ from what they were made of. */
  repairable: 7,
} as const;
export type ExitName = keyof typeof exitCodes;
export type ExitCode = (typeof exitCodes)[ExitName];

export const exitCodesText =
  "Exit codes: 0 ok, 1 error, 2 usage, 3 not found, 4 verification failed, 5 unavailable, 6 verification incomplete, 7 search aids differ";

/** Ends the command with that exit code; the message goes to standard error and says what to do. */
export class CliFailure extends Error {
  override readonly name = "CliFailure";
  readonly exit: ExitName;
  constructor(exit: ExitName, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exit = exit;
  }
}

/** Ends the command with the exit code of a verdict that was told already. */
export class VerdictFailure extends Error {
  override readonly name = "VerdictFailure";
  readonly exit: ExitName;
  constructor(exit: ExitName) {
    super(exit);
    this.exit = exit;
  }
}

const usageCodes: ReadonlySet<string> = new Set(["CONFIG_INVALID", "INVALID_ARGUMENT", "CATALOGUE_INVALID"]);

/** What a thrown error means to the shell. */
export function exitOf(error: unknown): ExitName {
  if (error instanceof CliFailure || error instanceof VerdictFailure) return error.exit;
  if (!(error instanceof LastroError)) return "error";
  if (isTransient(error)) return "unavailable";
  if (error.code === "NOT_FOUND") return "notFound";
  return usageCodes.has(error.code) ? "usage" : "error";
}
