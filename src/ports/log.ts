/** Log lines of the service. Codes are closed sentences in snake case; fields never hold payloads or personal identifiers. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;
export type Log = {
  info(code: string, message: string, fields?: LogFields): void;
  warn(code: string, message: string, fields?: LogFields): void;
  error(code: string, message: string, fields?: LogFields, cause?: unknown): void;
};
