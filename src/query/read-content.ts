/** What an opened body says: the event to the byte, and the fields that answers name. */
import { messageForm } from "../core/cloudevents.ts";
import type { Actor, EventHeader } from "../core/event.ts";
import { normaliseIp } from "../core/ip-address.ts";
import { isJsonObject, type JsonValue, member } from "../core/json.ts";
import { resolvePointer } from "../core/json-pointer.ts";
import { memberSlices } from "../core/json-slice.ts";
import { replaceAliases } from "../core/owner.ts";
import { parseJson } from "../core/parse-json.ts";
import type { OpenedBody } from "../privacy/open-body.ts";
import type { SealedMeta } from "../privacy/sealed-meta.ts";
import type { RecordContent } from "./record-view.ts";

const decoder = new TextDecoder();
const parse = (bytes: Uint8Array): JsonValue => parseJson(decoder.decode(bytes));
const nothing = new Uint8Array();
const envelopeParts = ["payload", "metadata"];

const textOf = (json: JsonValue | undefined): string | undefined =>
  typeof json === "string" || typeof json === "number" ? String(json) : undefined;

function isStructured(meta: SealedMeta): boolean {
  if (meta.uid.form !== "ce") return false;
  const headers = meta.headers.map(
    ([key, value]): EventHeader => [key, value === null ? null : Buffer.from(value, "base64url")],
  );
  const form = messageForm(headers);
  return form.ok && form.mode === "structured";
}

function sliced(json: Uint8Array, name: string): Uint8Array {
  const slice = memberSlices(json, [name]).get(name);
  return slice === undefined ? nothing : json.subarray(slice.start, slice.end);
}

/** The JSON text that holds payload and metadata: the value itself, or the data of a structured CloudEvent. */
function envelopeOf(value: Uint8Array, meta: SealedMeta): Uint8Array {
  if (!isStructured(meta)) return value;
  const data = sliced(value, "data");
  if (data.length > 0) return data;
  const encoded = sliced(value, "data_base64");
  return encoded.length === 0 ? nothing : Buffer.from(String(parse(encoded)), "base64");
}

const toldStatusIn = (metadata: JsonValue): JsonValue | undefined =>
  isJsonObject(metadata) ? member(metadata, "status") : undefined;

/** An address is told as it is searched: in its normal form. */
function actorOf(metadata: JsonValue): Partial<Actor> {
  const owned = isJsonObject(metadata) ? replaceAliases(metadata, "") : undefined;
  if (owned === undefined || !owned.ok) return {};
  const [id, ip, role, type] = ["owner_id", "owner_ip", "owner_role", "owner_type"].map((name) =>
    textOf(member(owned.metadata, name)),
  );
  return {
    ...(id === undefined ? {} : { id }),
    ...(ip === undefined ? {} : { ip: normaliseIp(ip) ?? ip }),
    ...(role === undefined ? {} : { role }),
    ...(type === "user" || type === "service" ? { type } : {}),
  };
}

export function readContent(opened: NonNullable<OpenedBody["content"]>): RecordContent {
  const { value, meta, hidden } = opened;
  const envelope = envelopeOf(value, meta);
  const slices = memberSlices(envelope, envelopeParts);
  const part = (name: string): Uint8Array => {
    const slice = slices.get(name);
    return slice === undefined ? nothing : envelope.subarray(slice.start, slice.end);
  };
  const metadata = part("metadata");
  const told = metadata.length === 0 ? null : parse(metadata);
  const { entity } = meta;
  return {
    state: hidden.length === 0 ? "complete" : "partly_erased",
    identity: meta.uid,
    namespace: entity.namespace,
    entityType: entity.type,
    // An id that lies in a cut is told by the event itself.
    entityId: entity.id ?? textOf(resolvePointer(parse(value), entity.pointer)),
    actionAtMs: Date.parse(meta.action_at),
    producerServiceId: meta.producer_service_id,
    traceId: meta.trace_id,
    ownershipId: meta.ownership_id,
    actor: actorOf(told),
    toldStatus: toldStatusIn(told),
    event: value,
    payload: part("payload"),
    metadata,
  };
}
