/** CloudEvents 1.0 in the Kafka binding, binary and structured: finds the attributes and the data, fills the envelope from both. */
import type { EventHeader, EventIdentity } from "./event.ts";
import { cloudEventIdentity, headerText } from "./identity.ts";
import { isJsonObject, type JsonObject, type JsonValue, member } from "./json.ts";
import { type Refused, refuse } from "./outcome.ts";

/** How the message carries an event. */
type MessageForm =
  | { readonly ok: true; readonly mode: "plain" }
  | { readonly ok: true; readonly mode: "structured" }
  /** `ce_*` headers by their whole name. */
  | { readonly ok: true; readonly mode: "binary"; readonly attributes: Readonly<Record<string, string>> };

const structuredPrefix = "application/cloudevents";
const structuredJson = /^application\/cloudevents\+json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;
const jsonMediaType = /^(?:application|text)\/(?:[\w.+-]+\+)?json\s*(?:;.*)?$/i;
const attributePrefix = "ce_";
const requiredAttributes = ["specversion", "id", "source", "type"] as const;
const markingHeaders: ReadonlySet<string> = new Set(requiredAttributes.map((name) => attributePrefix + name));

export function messageForm(headers: readonly EventHeader[]): MessageForm | Refused {
  if (headers.length === 0) return { ok: true, mode: "plain" };
  const contentType = headers.find(([key]) => key === "content-type")?.[1];
  const mediaType = contentType == null ? "" : (headerText(contentType) ?? "").trim();
  if (mediaType.toLowerCase().startsWith(structuredPrefix))
    return structuredJson.test(mediaType)
      ? { ok: true, mode: "structured" }
      : unsupported("Send structured CloudEvents as application/cloudevents+json in UTF-8, one per message.");
  if (!headers.some(([key]) => markingHeaders.has(key))) return { ok: true, mode: "plain" };
  if (mediaType !== "" && !jsonMediaType.test(mediaType))
    return unsupported("The data of a CloudEvent must be JSON: set content-type to application/json.");
  return binaryAttributes(headers);
}

const unsupported = (sentence: string): Refused => refuse("UNSUPPORTED_FORMAT", "", sentence);

function binaryAttributes(headers: readonly EventHeader[]): MessageForm | Refused {
  const attributes: [string, string][] = [];
  const seen = new Set<string>();
  for (const [key, value] of headers) {
    if (!key.startsWith(attributePrefix)) continue;
    const text = value === null ? undefined : headerText(value);
    if (text === undefined || seen.has(key)) {
      const isIdentity = key === "ce_id" || key === "ce_source";
      return refuse(
        isIdentity ? "INVALID_EVENT_ID" : "CLOUDEVENT",
        "",
        "Send each ce_ header once, as UTF-8 text.",
      );
    }
    seen.add(key);
    attributes.push([key, text]);
  }
  return { ok: true, mode: "binary", attributes: Object.fromEntries(attributes) };
}

export type CloudEvent = {
  readonly ok: true;
  readonly identity: EventIdentity;
  /** Envelope fields that the attributes can give, and the pointer of each attribute. */
  readonly fields: JsonObject;
  readonly pointers: Readonly<Record<string, string>>;
};

const traceparentForm = /^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/;
const noTrace = "0".repeat(32);
/** Envelope field ← attribute. */
const attributeOf = {
  producer_service: "source",
  producer_service_id: "producerserviceid",
  event_type: "type",
  timestamp: "time",
  trace_id: "traceparent",
} as const;

/** Checks the attributes. In binary mode `prefix` is `ce_` and there is no pointer into the value. */
export function readAttributes(context: JsonObject, mode: "binary" | "structured"): CloudEvent | Refused {
  const prefix = mode === "binary" ? attributePrefix : "";
  const pointerTo = (name: string) => (mode === "binary" ? "" : `/${name}`);
  if (member(context, `${prefix}specversion`) !== "1.0")
    return refuse(
      "CLOUDEVENT",
      pointerTo("specversion"),
      `Set ${prefix}specversion to 1.0, the only version accepted.`,
    );
  const type = member(context, `${prefix}type`);
  if (typeof type !== "string" || type === "")
    return refuse("CLOUDEVENT", pointerTo("type"), `Set ${prefix}type to the event type.`);
  const identified = cloudEventIdentity(member(context, `${prefix}source`), member(context, `${prefix}id`), {
    source: pointerTo("source"),
    id: pointerTo("id"),
  });
  if (!identified.ok) return identified;
  const found: [string, JsonValue][] = [];
  const pointers: Record<string, string> = {};
  for (const [field, name] of Object.entries(attributeOf)) {
    const value = member(context, prefix + name);
    const given = name === "traceparent" ? traceId(value) : value;
    if (given === undefined) continue;
    found.push([field, given]);
    pointers[field] = pointerTo(name);
  }
  return { ok: true, identity: identified.identity, fields: Object.fromEntries(found), pointers };
}

/** The trace id of a valid W3C traceparent; an invalid one is ignored, as W3C Trace Context says. */
function traceId(traceparent: JsonValue | undefined): string | undefined {
  const id = typeof traceparent === "string" ? traceparentForm.exec(traceparent)?.[1] : undefined;
  return id === noTrace ? undefined : id;
}

/** The data of a structured CloudEvent: a JSON object, or the bytes of one in base64. */
type StructuredData =
  | { readonly ok: true; readonly data: JsonObject }
  | { readonly ok: true; readonly bytes: Uint8Array };

const base64Form = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

export function structuredData(event: JsonObject): StructuredData | Refused {
  const [data, encoded] = [member(event, "data"), member(event, "data_base64")];
  const mediaType = member(event, "datacontenttype");
  if (mediaType !== undefined && !(typeof mediaType === "string" && jsonMediaType.test(mediaType)))
    return refuse(
      "UNSUPPORTED_FORMAT",
      "/datacontenttype",
      "The data of a CloudEvent must be JSON: set datacontenttype to application/json.",
    );
  if (data !== undefined && encoded !== undefined)
    return refuse("CLOUDEVENT", "/data_base64", "Send data or data_base64, not both.");
  if (typeof encoded === "string" && base64Form.test(encoded))
    return { ok: true, bytes: Uint8Array.from(atob(encoded), (unit) => unit.charCodeAt(0)) };
  if (encoded !== undefined)
    return refuse(
      "CLOUDEVENT",
      "/data_base64",
      "data_base64 must be padded base64 (RFC 4648) of a JSON object.",
    );
  if (data === undefined)
    return refuse(
      "NULL_VALUE",
      "/data",
      "The CloudEvent has no data: an audit event needs a payload and metadata.",
    );
  if (!isJsonObject(data))
    return refuse(
      "NOT_OBJECT",
      "/data",
      "The data of a CloudEvent must be an object with payload and metadata.",
    );
  return { ok: true, data };
}
