/** Opens a Kafka message: plain JSON, binary or structured CloudEvent. What comes out is guarded JSON, not yet an envelope. */
import { canonicalJson } from "./canonical.ts";
import { messageForm, readAttributes, structuredData } from "./cloudevents.ts";
import type { CutRange, EventHeader, EventIdentity, SourceEvent } from "./event.ts";
import type { TokenRange } from "./guard-fault.ts";
import { type Guarded, guardJson } from "./guard-json.ts";
import { isJsonObject, type JsonObject, type JsonValue, member } from "./json.ts";
import { type Refused, refuse } from "./outcome.ts";
import type { ParseLimits } from "./parse-options.ts";

export type Opened = {
  readonly ok: true;
  /** Envelope fields, CloudEvents attributes filled in. */
  readonly fields: JsonObject;
  /** Only with lossy numbers: the payload with them by their source text. */
  readonly exactPayload: JsonValue | undefined;
  readonly canonical: string;
  readonly cuts: readonly CutRange[];
  /** Pointer of the envelope in the event. */
  readonly base: string;
  /** Envelope fields that came from an attribute: field → the attribute's pointer. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Of a CloudEvent. */
  readonly identity: EventIdentity | undefined;
};

const actorNames = ["owner_id", "owner_ip", "user_id", "user_ip"];
const plainWatch = { path: ["metadata"], names: actorNames };
const structuredWatch = { path: ["data", "metadata"], names: actorNames };
/** Base64 data has no tokens of its own in the value, so nothing can be cut from it. */
const noWatch = { path: [], names: [] };

const actorCuts = (ranges: readonly TokenRange[]): readonly CutRange[] =>
  ranges.map(({ start, end }) => ({ start, end, class: "a" }));

export function openMessage(event: SourceEvent, limits: ParseLimits): Opened | Refused {
  if (exceedsLimits(event.headers, limits))
    return refuse(
      "HEADERS",
      "",
      `Send at most ${limits.headersMax} headers of at most ${limits.headerBytesMax} bytes each.`,
    );
  if (event.value === null)
    return refuse(
      "NULL_VALUE",
      "",
      "The message has no value: the audit topic takes events, not tombstones.",
    );
  const form = messageForm(event.headers);
  if (!form.ok) return form;
  const guarded = guardJson(event.value, limits, form.mode === "structured" ? structuredWatch : plainWatch);
  if (!guarded.ok) return guarded;
  if (form.mode === "structured") return openStructured(guarded, limits);
  const opened: Opened = {
    ok: true,
    fields: guarded.value,
    exactPayload: exactPayloadOf(guarded, guarded.exact),
    canonical: canonicalJson(form.mode === "binary" ? [form.attributes, guarded.exact] : guarded.exact),
    cuts: actorCuts(guarded.watched),
    base: "",
    attributes: {},
    identity: undefined,
  };
  if (form.mode !== "binary") return opened;
  const context = readAttributes(form.attributes, "binary");
  if (!context.ok) return context;
  return {
    ...opened,
    ...filled(context.fields, context.pointers, guarded.value),
    identity: context.identity,
  };
}

/** A replayed dead letter bears headers of ours beside all that it came with. */
const isDeadLetters = ([key]: EventHeader): boolean => key.startsWith("audit.dlq.");

function exceedsLimits(headers: readonly EventHeader[], limits: ParseLimits): boolean {
  if (headers.filter((header) => !isDeadLetters(header)).length > limits.headersMax) return true;
  return headers.some(([key, value]) => key.length + (value?.length ?? 0) > limits.headerBytesMax);
}

const exactPayloadOf = (guarded: Guarded, exactFields: JsonObject): JsonValue | undefined =>
  guarded.exact === guarded.value ? undefined : member(exactFields, "payload");

/** Fields of the data come first; attributes fill what it lacks. */
function filled(
  fields: JsonObject,
  pointers: Readonly<Record<string, string>>,
  data: JsonObject,
): Pick<Opened, "fields" | "attributes"> {
  const lacking = Object.entries(pointers).filter(([field]) => !Object.hasOwn(data, field));
  return { fields: { ...fields, ...data }, attributes: Object.fromEntries(lacking) };
}

function openStructured(guarded: Guarded, limits: ParseLimits): Opened | Refused {
  const context = readAttributes(guarded.value, "structured");
  if (!context.ok) return context;
  const carried = structuredData(guarded.value);
  if (!carried.ok) return carried;
  const common = { ok: true, canonical: canonicalJson(guarded.exact), identity: context.identity } as const;
  if ("data" in carried) {
    const exactData = member(guarded.exact, "data");
    return {
      ...common,
      ...filled(context.fields, context.pointers, carried.data),
      exactPayload: isJsonObject(exactData) ? exactPayloadOf(guarded, exactData) : undefined,
      cuts: actorCuts(guarded.watched),
      base: "/data",
    };
  }
  const base = "/data_base64";
  const inner = guardJson(carried.bytes, limits, noWatch);
  if (!inner.ok)
    return { ok: false, rejection: { ...inner.rejection, pointer: base + inner.rejection.pointer } };
  return {
    ...common,
    ...filled(context.fields, context.pointers, inner.value),
    exactPayload: exactPayloadOf(inner, inner.exact),
    cuts: [],
    base,
  };
}
