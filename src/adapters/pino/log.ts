/** Log lines as JSON with ECS names, for Elasticsearch and Kibana. Holds codes, sentences and numbers; never payloads or causes' data. */

import { ecsFormat } from "@elastic/ecs-pino-format";
import { trace } from "@opentelemetry/api";
import { type DestinationStream, pino } from "pino";
import { LastroError } from "../../core/errors.ts";
import { visibleText } from "../../lib/visible-text.ts";
import type { Log, LogFields } from "../../ports/log.ts";

export type LogLevel = "info" | "warn" | "error" | "silent";

/** `lines` defaults to standard output. */
export function openLog(options: {
  readonly level: LogLevel;
  readonly version?: string;
  readonly lines?: DestinationStream;
}): Log {
  const ecs = ecsFormat({
    serviceName: "lastro",
    apmIntegration: false,
    ...(options.version && { serviceVersion: options.version }),
  });
  const lines = options.lines ?? pino.destination({ sync: true });
  const logger = pino(
    { ...ecs, level: options.level },
    { write: (text) => void lines.write(visibleText(text)) },
  );
  return {
    info: (code, message, fields) => logger.info(line(code, fields), message),
    warn: (code, message, fields) => logger.warn(line(code, fields), message),
    error: (code, message, fields, cause) =>
      logger.error({ ...line(code, fields), ...errorFields(cause) }, message),
  };
}

/** Our own fields lie under `lastro.`, so that none can take the place of an ECS field. */
function line(code: string, fields: LogFields = {}): Record<string, unknown> {
  const span = trace.getActiveSpan()?.spanContext();
  return {
    "event.code": code,
    ...Object.fromEntries(
      Object.entries(fields)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => [`lastro.${name}`, value]),
    ),
    ...(span && { "trace.id": span.traceId, "span.id": span.spanId }),
  };
}

/**
 * Code and stack of an error. Errors of drivers may quote what they were given, so only the message of our own is logged; of others
 * the frames of the stack without the message that stands before them.
 */
function errorFields(cause: unknown): Record<string, unknown> {
  if (!(cause instanceof Error)) return cause === undefined ? {} : { "error.type": typeof cause };
  const isOurs = cause instanceof LastroError;
  const code = isOurs ? cause.code : codeOf(cause);
  return {
    "error.type": cause.name,
    ...(code !== undefined && { "error.code": code }),
    ...(isOurs && { "error.message": cause.message }),
    "error.stack_trace": stackOf(cause),
  };
}

const causesMax = 5;

function stackOf(error: Error): string {
  const parts: string[] = [];
  let at: unknown = error;
  for (let depth = 0; depth < causesMax && at instanceof Error; depth++) {
    const frames = framesOf(at);
    parts.push([`${at.name}${codeOf(at) === undefined ? "" : ` (${codeOf(at)})`}`, ...frames].join("\n"));
    at = at.cause;
  }
  return parts.join("\ncaused by ");
}

/** A message may hold lines that look like frames, so it is cut off first. */
function framesOf({ stack = "", message }: Error): string[] {
  const afterMessage = stack.slice(stack.indexOf(message) + message.length);
  return afterMessage.split("\n").filter((text) => frameForm.test(text));
}
const frameForm = /^ {4}at .*(?::\d+:\d+|<anonymous>)\)?$/;

const codeOf = (error: Error): string | undefined =>
  "code" in error && (typeof error.code === "string" || typeof error.code === "number")
    ? String(error.code)
    : undefined;
