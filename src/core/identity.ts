/** What the producer says identifies an event. A bad id is refused, never passed over for the next form. */
import type { EventHeader, EventIdentity } from "./event.ts";
import type { JsonValue } from "./json.ts";
import { type Refused, refuse } from "./outcome.ts";
import { isIdText } from "./parse-options.ts";

type Identified = { readonly ok: true; readonly identity: EventIdentity };

const eventIdHeader = "event_id";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text of a header's bytes; undefined when they are not UTF-8. */
export function headerText(value: Uint8Array): string | undefined {
  try {
    return decoder.decode(value);
  } catch {
    return undefined;
  }
}

const refused = (pointer: string, what: string): Refused =>
  refuse(
    "INVALID_EVENT_ID",
    pointer,
    `${what} must be given once, as UTF-8 text of 1 to 256 characters without NUL.`,
  );

const fromParts = (form: EventIdentity["form"], ...parts: readonly string[]): Identified => ({
  ok: true,
  identity: { form, parts },
});

/** The identity of a CloudEvent: its source and id. */
export function cloudEventIdentity(
  source: JsonValue | undefined,
  id: JsonValue | undefined,
  pointers: { readonly source: string; readonly id: string },
): Identified | Refused {
  if (typeof source !== "string" || !isIdText(source))
    return refused(pointers.source, "The CloudEvents source");
  if (typeof id !== "string" || !isIdText(id)) return refused(pointers.id, "The CloudEvents id");
  return fromParts("ce", source, id);
}

/** The identity of an event that is no CloudEvent: header `event_id`, else `metadata.event_id`, else its fingerprint. */
export function plainIdentity(
  headers: readonly EventHeader[],
  metadataEventId: JsonValue | undefined,
): Identified | Refused {
  const ids = headers.filter(([key]) => key === eventIdHeader);
  if (ids.length > 0) {
    const value = ids[0]?.[1];
    const id = ids.length > 1 || value == null ? undefined : headerText(value);
    return id !== undefined && isIdText(id)
      ? fromParts("header", id)
      : refused("", "The Kafka header event_id");
  }
  if (metadataEventId === undefined) return fromParts("fp");
  return typeof metadataEventId === "string" && isIdText(metadataEventId)
    ? fromParts("metadata", metadataEventId)
    : refused("/metadata/event_id", "metadata.event_id");
}
