/** ① An event's bytes become an envelope, or a rejection that tells the producer what to do. Never throws for bad data. */
import {
  type CheckedEnvelope,
  checkEnvelope,
  type FieldFault,
  faultsListedMax,
  hasUnknownFields,
} from "./envelope-schema.ts";
import type { Envelope, EnvelopeFlag, EventIdentity, SourceEvent } from "./event.ts";
import { plainIdentity } from "./identity.ts";
import { isJsonObject, type JsonObject, member } from "./json.ts";
import { type Opened, openMessage } from "./message.ts";
import { type Refused, refuse } from "./outcome.ts";
import { type Owned, replaceAliases } from "./owner.ts";
import type { ParseOptions } from "./parse-options.ts";
import { parseTimestamp } from "./timestamp.ts";

export { defaultParseOptions, type ParseOptions } from "./parse-options.ts";

type Parsed = { readonly ok: true; readonly envelope: Envelope };

const traceIdForm = /^(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i;
/** A UUID or W3C trace id as 32 lower-case hex digits, other text as it is. Queries normalise what they look for likewise. */
export const normaliseTraceId = (text: string): string =>
  traceIdForm.test(text) ? text.replaceAll("-", "").toLowerCase() : text;

export function parseEvent(event: SourceEvent, options: ParseOptions): Parsed | Refused {
  const opened = openMessage(event, options.limits);
  if (!opened.ok) return opened;
  const owned = ownerOf(opened);
  if (!owned.ok) return owned;
  const checked = checkEnvelope(owned.fields, exemptFrom(options, owned.fields));
  if (!checked.ok) return schemaRefusal(checked.faults, opened, owned);
  const fields = checked.envelope;
  // Our own clock may be wrong by years. Kafka's time is the broker's, or a producer's that the broker bounds by its own.
  const latestMs = Math.max(options.nowMs, event.timestampMs);
  const time =
    typeof fields.timestamp === "string" ? parseTimestamp(fields.timestamp, latestMs) : numericTimestamp;
  if (!time.ok)
    return refuse(time.reason, fieldPointer("/timestamp", opened, owned), `timestamp ${time.expected}.`);
  const { knownMajors, unknown } = options.schemaVersions;
  const knownMajor = knownMajors.includes(majorOf(fields.metadata.event_schema_version));
  if (!knownMajor && unknown === "reject")
    return refuse(
      "SCHEMA_VERSION",
      `${opened.base}/metadata/event_schema_version`,
      `Send event_schema_version with a major of ${knownMajors.join(", ")}.`,
    );
  const identified =
    opened.identity === undefined
      ? plainIdentity(event.headers, member(owned.metadata, "event_id"))
      : ({ ok: true, identity: opened.identity } as const);
  if (!identified.ok) return identified;

  const flags: EnvelopeFlag[] = [];
  if (owned.aliased !== undefined) flags.push("aliased");
  if (opened.exactPayload !== undefined) flags.push("lossy_numbers");
  if (hasUnknownFields(opened.fields)) flags.push("unknown_fields");
  if (!knownMajor) flags.push("unknown_schema_version");
  if (time.leapSecond) flags.push("leap_second");
  if (time.ms < options.nowMs - options.lateAfterMs) flags.push("late");
  if (time.ms > options.nowMs + options.clockSkewMs) flags.push("clock_skew");
  return {
    ok: true,
    envelope: envelopeOf(opened, owned.metadata, fields, time.ms, identified.identity, flags),
  };
}

function envelopeOf(
  opened: Opened,
  metadata: JsonObject,
  fields: CheckedEnvelope,
  timestampMs: number,
  identity: EventIdentity,
  flags: readonly EnvelopeFlag[],
): Envelope {
  const actor = fields.metadata;
  return {
    base: opened.base,
    tenant: actor.tenant_id,
    producerService: fields.producer_service,
    producerServiceId: fields.producer_service_id,
    traceId: normaliseTraceId(fields.trace_id),
    timestamp: { text: String(fields.timestamp), ms: timestampMs },
    eventType: fields.event_type,
    payload: fields.payload,
    ...(opened.exactPayload === undefined ? {} : { exactPayload: opened.exactPayload }),
    metadata,
    actor: { id: actor.owner_id, ip: actor.owner_ip, role: actor.owner_role, type: actor.owner_type },
    schemaVersion: actor.event_schema_version,
    ownershipId: actor.ownership_id,
    identity,
    flags,
    cuts: opened.cuts,
    canonical: opened.canonical,
  };
}

const majorOf = (version: string): string => version.split(".", 1)[0] ?? "";

const numericTimestamp = {
  ok: false,
  reason: "TIMESTAMP",
  expected: "must be RFC 3339 text, not a number",
} as const;

const exemptFrom = (options: ParseOptions, fields: JsonObject): boolean => {
  const producer = member(fields, "producer_service");
  return typeof producer === "string" && options.ownershipExempt.has(producer);
};

/** The fields with standard names for the actor. Metadata that is no object becomes null, which the schema refuses. */
function ownerOf(opened: Opened): (Owned & { readonly fields: JsonObject }) | Refused {
  const metadata = member(opened.fields, "metadata");
  if (!isJsonObject(metadata)) {
    const fields = metadata === undefined ? opened.fields : { ...opened.fields, metadata: null };
    return { ok: true, metadata: {}, aliased: undefined, fields };
  }
  const owned = replaceAliases(metadata, opened.base);
  if (!owned.ok) return owned;
  if (owned.aliased === undefined) return { ...owned, fields: opened.fields };
  return { ...owned, fields: { ...opened.fields, metadata: owned.metadata } };
}

/** Where the producer wrote the field: under its alias, in a CloudEvents attribute, or in the envelope. */
function fieldPointer(field: string, opened: Opened, owned: Owned): string {
  const [, top = "", inner = ""] = field.split("/");
  const attribute = opened.attributes[top];
  if (attribute !== undefined) return attribute;
  const alias = owned.aliased?.[inner];
  return `${opened.base}/${top}${inner === "" ? "" : `/${alias ?? inner}`}`;
}

function schemaRefusal(faults: readonly FieldFault[], opened: Opened, owned: Owned): Refused {
  const listed = faults
    .slice(0, faultsListedMax)
    .map(({ field, sentence }) => `${fieldPointer(field, opened, owned) || field} ${sentence}`);
  const first = faults[0] === undefined ? "" : fieldPointer(faults[0].field, opened, owned);
  return refuse("SCHEMA", first, `Correct the event: ${listed.join("; ")}.`);
}
