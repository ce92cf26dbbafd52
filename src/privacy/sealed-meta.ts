/** What part 0 of a sealed body says of its event. Read by hand: a schema library takes three times as long, for every record of every answer. */
import type { Classification, Envelope, EventIdentity, SourceEvent } from "../core/event.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../core/json.ts";
import { isoTime } from "../core/leaf.ts";
import { b64 } from "./sealed-format.ts";

/** Members are in RFC 8785 order: sealing writes them so. */
export type SealedMeta = {
  readonly action_at: string;
  readonly catalogue: string;
  /** [position in the original, length, part], ascending. */
  readonly cuts: readonly (readonly [position: number, length: number, part: number])[];
  readonly entity: {
    /** Absent when it lies in a cut. */
    readonly id?: string | undefined;
    readonly namespace: string;
    readonly pointer: string;
    readonly type: string;
  };
  /** Values as base64url. */
  readonly headers: readonly (readonly [key: string, value: string | null])[];
  /** Kafka's own number, ms since the epoch or −1. */
  readonly kafka_ts: number;
  readonly key: string | null;
  readonly ownership_id?: string | undefined;
  readonly producer_service_id: string;
  readonly tenant: string;
  readonly trace_id: string;
  readonly uid: EventIdentity;
};

/** The names whose tokens are cut out of the value. */
const cutPointer = /^\/metadata\/(owner|user)_(id|ip)$/;

/** The description of an event, as its sealed body holds it. */
export function sealedMetaText(
  event: SourceEvent,
  envelope: Envelope,
  classification: Classification,
  catalogueDigest: string,
): string {
  const { id, namespace, idPointer, type } = classification.entity;
  // In the order in which RFC 8785 sorts keys; JSON.stringify leaves out what is undefined.
  const meta: SealedMeta = {
    action_at: isoTime(envelope.timestamp.ms),
    catalogue: catalogueDigest,
    cuts: envelope.cuts.map(({ start, end }) => [start, end - start, 1]),
    entity: {
      id: cutPointer.test(idPointer) ? undefined : id,
      namespace,
      pointer: idPointer,
      type,
    },
    headers: event.headers.map(([key, bytes]) => [key, bytes === null ? null : b64(bytes)]),
    kafka_ts: event.timestampMs,
    key: event.key === null ? null : b64(event.key),
    ownership_id: envelope.ownershipId,
    producer_service_id: envelope.producerServiceId,
    tenant: envelope.tenant,
    trace_id: envelope.traceId,
    uid: { form: envelope.identity.form, parts: envelope.identity.parts },
  };
  return JSON.stringify(meta);
}

type Members = { readonly [name: string]: (value: JsonValue) => boolean };

const isText = (value: JsonValue): boolean => typeof value === "string";
const isCount = (value: JsonValue | undefined): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
const base64url = /^[\w-]*$/;
const isBytes = (value: JsonValue | undefined): boolean =>
  value === null || (typeof value === "string" && value.length % 4 !== 1 && base64url.test(value));
const isArrayOf = (value: JsonValue, isItem: (item: JsonValue) => boolean): boolean =>
  Array.isArray(value) && value.every(isItem);
const isPair = (value: JsonValue): boolean =>
  Array.isArray(value) && value.length === 2 && typeof value[0] === "string" && isBytes(value[1]);
const isCut = (value: JsonValue): boolean =>
  Array.isArray(value) && value.length === 3 && isCount(value[0]) && isCount(value[1]) && isCount(value[2]);

const forms: ReadonlySet<JsonValue | undefined> = new Set(["ce", "header", "metadata", "fp"]);

const ofEntity: Members = { id: isText, namespace: isText, pointer: isText, type: isText };
const ofUid: Members = {
  form: (value) => forms.has(value),
  parts: (value) => isArrayOf(value, isText),
};
const ofMeta: Members = {
  action_at: isText,
  catalogue: isText,
  cuts: (value) => isArrayOf(value, isCut),
  entity: (value) => isObjectOf(value, ofEntity, "id"),
  headers: (value) => isArrayOf(value, isPair),
  kafka_ts: Number.isSafeInteger,
  key: isBytes,
  ownership_id: isText,
  producer_service_id: isText,
  tenant: isText,
  trace_id: isText,
  uid: (value) => isObjectOf(value, ofUid),
};

/** All of these members, but for the one that may be absent, and no other. */
function isObjectOf(value: JsonValue, members: Members, optional?: string): value is JsonObject {
  if (!isJsonObject(value)) return false;
  let known = 0;
  for (const name in members) {
    if (Object.hasOwn(value, name)) {
      if (members[name]?.(value[name] as JsonValue) !== true) return false;
      known++;
    } else if (name !== optional) return false;
  }
  return Object.keys(value).length === known;
}

/** Whether parsed JSON is a description of this form, to the last member. */
export const isSealedMeta = (json: JsonValue): json is JsonValue & SealedMeta =>
  isObjectOf(json, ofMeta, "ownership_id");
