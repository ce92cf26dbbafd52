/** Headers of an HTTP request that mean something to intake, as they would lie on Kafka: UTF-8 text under the names they have there. */
import type { IncomingHttpHeaders } from "node:http";
import type { OfferedEvent } from "../../collect/publish-events.ts";
import { invalid } from "../../query/deps.ts";

export const structuredType = "application/cloudevents+json";
const attributePrefix = "ce-";

/** Throws INVALID_ARGUMENT with the header's name. */
export function kafkaHeaders(headers: IncomingHttpHeaders): OfferedEvent["headers"] {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value !== "string") continue;
    if (name === "idempotency-key") kept["event_id"] = utf8(name, value);
    else if (name === "traceparent" || name === "tracestate") kept[name] = utf8(name, value);
    else if (name === "content-type" && value.startsWith(structuredType)) kept[name] = utf8(name, value);
    else if (name.startsWith(attributePrefix))
      kept[`ce_${name.slice(attributePrefix.length)}`] = attribute(name, value);
  }
  return kept;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Node gives each byte of a header as one character. */
function utf8(name: string, value: string): string {
  try {
    return decoder.decode(Buffer.from(value, "latin1"));
  } catch {
    throw invalid(name, "must be UTF-8");
  }
}

const quotedForm = /^"((?:[^"\\]|\\.)*)"$/s;

/** As section 3.1.3.2 of the HTTP binding of CloudEvents 1.0.2 says: quotes are taken away, then percent-encoding, once. */
function attribute(name: string, value: string): string {
  const quoted = quotedForm.exec(value)?.[1];
  if (quoted === undefined && value.startsWith('"')) throw invalid(name, "has a quote that does not end");
  const text = quoted?.replaceAll(/\\(.)/gs, "$1") ?? value;
  const bytes = text.replaceAll(/%([0-9A-Fa-f]{2})?/g, (_, hex: string | undefined) => {
    if (hex === undefined)
      throw invalid(name, "must be percent-encoded: % is followed by two hexadecimal digits");
    return String.fromCharCode(Number.parseInt(hex, 16));
  });
  return utf8(name, bytes);
}
