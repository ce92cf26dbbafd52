/** An event as received, the envelope it is parsed into, and the entity it is about: the types between the stations. */
import type { JsonObject, JsonValue } from "./json.ts";

/** A header as Kafka keeps it: keys may repeat, values may be null. */
export type EventHeader = readonly [key: string, value: Uint8Array | null];

/** What a producer published: the exact bytes of a Kafka message. */
export type SourceEvent = {
  readonly offset: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly EventHeader[];
  /** Kafka's timestamp in ms since the epoch, −1 when there is none; never orders anything. */
  readonly timestampMs: number;
};

export type ActorType = "user" | "service";
/** Owner of the event: who acted. Never to be confused with the ownership. */
export type Actor = {
  readonly id: string;
  readonly ip: string;
  readonly role: string;
  readonly type: ActorType;
};

/** What the producer says identifies the event. Parts of `fp` are empty: the fingerprint itself is the identity. */
export type EventIdentity = {
  readonly form: "ce" | "header" | "metadata" | "fp";
  readonly parts: readonly string[];
};

export const envelopeFlags = [
  "aliased", "lossy_numbers", "unknown_fields", "unknown_schema_version", "unknown_verb",
  "leap_second", "late", "clock_skew",
] as const; // biome-ignore format: a list
export type EnvelopeFlag = (typeof envelopeFlags)[number];

/** Bytes [start, end) of the value that are sealed in a part of their own: the JSON string token, quotes included. */
export type CutRange = { readonly start: number; readonly end: number; readonly class: "a" };

/** The parsed, normalised form of an event. */
export type Envelope = {
  /** Pointer of the envelope in the event, where refusals point: `/data` in a structured CloudEvent. */
  readonly base: string;
  readonly tenant: string;
  readonly producerService: string;
  readonly producerServiceId: string;
  /** 32 lower-case hex digits where the text is a UUID or a W3C trace id, else the text. */
  readonly traceId: string;
  /** The producer's text and its instant (ms since the epoch). */
  readonly timestamp: { readonly text: string; readonly ms: number };
  readonly eventType: string;
  readonly actor: Actor;
  readonly schemaVersion: string;
  readonly ownershipId: string | undefined;
  readonly identity: EventIdentity;
  readonly flags: readonly EnvelopeFlag[];
  readonly cuts: readonly CutRange[];
  readonly payload: JsonValue;
  /** Only with `lossy_numbers`: the payload with each number that parsing changes as {"\u0000n": its source text}. */
  readonly exactPayload?: JsonValue;
  /** All metadata, aliases replaced by `owner_*`. */
  readonly metadata: JsonObject;
  /** RFC 8785 text of the event as received (lossy numbers by their source text): what the fingerprint is made over. */
  readonly canonical: string;
};

export const actionTypes = ["new", "update", "delete", "disable", "enable"] as const;
export type ActionType = (typeof actionTypes)[number];
/** `change` records alter the entity; `activity` records (reads, logins) do not and are never active. */
export type StreamKind = "change" | "activity";
export type Action = { readonly kind: "change"; readonly action: ActionType } | { readonly kind: "activity" };

export const severities = ["LOW", "MEDIUM", "HIGH", "CRITICAL"] as const;
export type Severity = (typeof severities)[number];

export const statuses = ["SUCCESS", "FAILURE", "PENDING"] as const;
export type Status = (typeof statuses)[number];

/** The thing an event is about, and what the event does to it. */
export type Entity = {
  readonly namespace: string;
  readonly type: string;
  readonly id: string;
  /** RFC 6901 pointer into the event that gave the id, e.g. `/payload/public_id` or `/metadata/ownership_id`. */
  readonly idPointer: string;
  /** Every id the event offers for the entity, the chosen one first. */
  readonly candidateIds: readonly string[];
};

/** Why the data may be processed, and how long (LGPD): only the catalogue can say. */
export type Processing = {
  readonly legalBasis: string | undefined;
  readonly purpose: string | undefined;
  readonly retentionDays: number | undefined;
};

/** What the catalogue, or its defaults, say of an event. */
export type Classification = {
  readonly entity: Entity;
  readonly action: Action;
  /** Whether the payload is the entity's whole state or an RFC 7396 merge patch over the previous one. */
  readonly payloadIs: "state" | "merge";
  readonly severity: Severity;
  readonly resourceType: string | undefined;
  /** Clear copies of payload fields to search by: pointer → text. */
  readonly indexed: Readonly<Record<string, string>>;
  readonly processing: Processing | undefined;
  /** To be added to the envelope's flags. */
  readonly flags: readonly EnvelopeFlag[];
};
