/** The headers of a dead letter: what is wrong with the event, where it lay, and its own headers unchanged. */
import { createHmac } from "node:crypto";
import type { EventHeader } from "../../core/event.ts";
import type { DeadLetter } from "../../ports/dead-letters.ts";

const deadLetterFormat = "1";
const ours = "audit.dlq.";
/** What Kafka Connect's tools look for. */
const connects = "__connect.errors.";
export const attemptHeader = `${ours}attempt`;
export const partitionHeader = `${ours}partition`;
const valueHeader = `${ours}value`;
const omittedMark = "omitted";

/** What a letter leaves out because its topic would refuse it for its size: `all` is value, key and the producer's headers. */
export type LeftOut = "nothing" | "value" | "all";

export const lacksValue = (headers: readonly EventHeader[]): boolean =>
  headers.some(([key, bytes]) => key === valueHeader && bytes?.toString() === omittedMark);

const isOurs = ([key]: EventHeader): boolean => key.startsWith(ours) || key.startsWith(connects);

/** Headers as the producer sent them. */
export const originalHeaders = (headers: readonly EventHeader[]): EventHeader[] =>
  headers.filter((header) => !isOurs(header));

/** A non-negative integer in a header; undefined when there is none, or something else. */
export function numberIn(headers: readonly EventHeader[], key: string): number | undefined {
  const text = headers.find(([name]) => name === key)?.[1];
  if (text === undefined || text === null) return undefined;
  const digits = new TextDecoder().decode(text);
  return /^\d{1,9}$/.test(digits) ? Number(digits) : undefined;
}

export function deadLetterHeaders(letter: DeadLetter, consumer: string, leftOut: LeftOut): EventHeader[] {
  const { source, event, stage, reason, pointer, sentence, salt } = letter;
  const attempt = (numberIn(event.headers, attemptHeader) ?? 0) + 1;
  const told = {
    topic: source.topic,
    incarnation: source.topicId,
    partition: source.partition,
    offset: source.offset,
    timestamp: event.timestampMs,
    reason,
    pointer,
    stage,
    message: sentence,
    attempt,
    salt: Buffer.from(salt).toString("base64url"),
    version: deadLetterFormat,
    consumer,
  };
  const connect = {
    topic: source.topic,
    partition: source.partition,
    offset: source.offset,
    stage,
    "class.name": "lastro",
    "exception.class.name": reason,
    "exception.message": sentence,
  };
  return [
    ...(leftOut === "all" ? [] : originalHeaders(event.headers)),
    ...prefixed(ours, { ...told, ...toldOf(letter, leftOut) }),
    ...prefixed(connects, connect),
  ];
}

/** The HMAC is the commitment in the outcome: it tells whether bytes kept elsewhere are the event's. */
function toldOf({ event, salt }: DeadLetter, leftOut: LeftOut): Record<string, string | number> {
  if (leftOut === "nothing") return {};
  const value = event.value ?? new Uint8Array();
  return {
    value: omittedMark,
    "value.hmac": createHmac("sha256", salt).update(value).digest("base64url"),
    "value.length": value.length,
    ...(leftOut === "all" ? { key: omittedMark, headers: omittedMark } : {}),
  };
}

const prefixed = (prefix: string, fields: Readonly<Record<string, string | number>>): EventHeader[] =>
  Object.entries(fields).map(([name, value]) => [prefix + name, Buffer.from(String(value))]);
