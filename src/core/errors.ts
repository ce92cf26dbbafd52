/** Errors that are thrown: infrastructure, operator's faults, callers' faults. Bad events are outcomes, never errors. */

/** Closed list. `transient` ones pass by themselves: to try again later is worth while. */
export const errorCodes = [
  // infrastructure
  "STORE_UNAVAILABLE", "STORE_UNSAFE", "SOURCE_UNAVAILABLE", "DEAD_LETTERS_UNAVAILABLE", "KEY_UNAVAILABLE",
  "WITNESS_UNAVAILABLE", "ANCHOR_UNAVAILABLE", "SECRETS_UNAVAILABLE",
  // the log stops being signed, an operator decides; intake goes on
  "LOG_HALTED",
  // what is stored of the log contradicts what was signed: that answer is withheld
  "LOG_DAMAGED",
  // a partition stops, an operator decides
  "SOURCE_CHANGED", "OFFSET_OUT_OF_RANGE", "MARK_LOST", "VERSION_CONTENTION", "CORRUPT_BATCH",
  "BATCH_TOO_LARGE", "BREAKER_OPEN",
  // the process refuses to start
  "CONFIG_INVALID", "KEY_MISSING", "KEY_WRONG", "STORE_LOCKED", "STORE_NEWER", "CATALOGUE_INVALID", "TOPIC_UNSUITABLE", "CLUSTER_CHANGED",
  // callers
  "UNAUTHENTICATED", "PERMISSION_DENIED", "INVALID_ARGUMENT", "EVENT_REJECTED", "NOT_FOUND", "FAILED_PRECONDITION", "DEADLINE_EXCEEDED", "BODY_UNREADABLE", "INTERNAL",
  "LIMIT_REACHED", "READER_TOO_SLOW", "SHUTTING_DOWN", "SWITCHED_OFF",
] as const; // biome-ignore format: a table
export type ErrorCode = (typeof errorCodes)[number];

const transientCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "STORE_UNAVAILABLE", "SOURCE_UNAVAILABLE", "DEAD_LETTERS_UNAVAILABLE", "KEY_UNAVAILABLE",
  "WITNESS_UNAVAILABLE", "ANCHOR_UNAVAILABLE", "SECRETS_UNAVAILABLE",
  "VERSION_CONTENTION",
  "MARK_LOST",
]); // biome-ignore format: a table

export class LastroError extends Error {
  override readonly name = "LastroError";
  readonly code: ErrorCode;
  /** Where in the request or the configuration the fault lies; holds no personal data. */
  readonly field: string | undefined;
  /** When to try again, where that is known. */
  readonly retryAfterMs: number | undefined;
  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; field?: string; retryAfterMs?: number } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.field = options.field;
    this.retryAfterMs = options.retryAfterMs;
  }
}

export const isTransient = (error: unknown): boolean =>
  error instanceof LastroError && transientCodes.has(error.code);

export function assertNever(value: never): never {
  throw new LastroError("INTERNAL", `unhandled case ${JSON.stringify(value)}`);
}
