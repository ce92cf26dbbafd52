/** ③ What an event is about and what it does to it: names in the event type, ids in the payload, and what the catalogue declares. */
import { verbMeaning } from "./actions.ts";
import { type Catalogue, type CatalogueRule, ruleFor } from "./catalogue.ts";
import type { Classification, Entity, Envelope, EnvelopeFlag } from "./event.ts";
import { lossyNumber } from "./exact-json.ts";
import type { JsonObject, JsonValue } from "./json.ts";
import { isWithin, resolvePointer } from "./json-pointer.ts";
import { type Refused, refuse } from "./outcome.ts";
import { isIdText } from "./parse-options.ts";

type Classified = { readonly ok: true; readonly classification: Classification };

export function classify(envelope: Envelope, catalogue: Catalogue): Classified | Refused {
  const dot = envelope.eventType.lastIndexOf(".");
  const type = envelope.eventType.slice(0, dot);
  const rule = ruleFor(catalogue, envelope.eventType);
  const version = rule === undefined ? accepted : checkPayload(envelope, rule, catalogue.unknownMajor);
  if (!version.ok) return version;
  const found = entityId(envelope, type, rule);
  if (!found.ok) return found;
  const verb = verbMeaning(envelope.eventType.slice(dot + 1));
  return {
    ok: true,
    classification: {
      entity: {
        namespace: rule?.namespace ?? envelope.producerService,
        type,
        id: found.id,
        idPointer: found.pointer,
        candidateIds: found.candidates,
      },
      action: rule?.action ?? verb.action,
      payloadIs: rule?.payloadIs ?? "state",
      severity: rule?.severity ?? verb.severity,
      resourceType: rule?.resourceType,
      indexed: rule === undefined ? {} : indexedFields(envelope, rule),
      processing: rule?.processing,
      flags: newFlags(envelope, version.flags, rule?.action === undefined ? verb.flags : noFlags),
    },
  };
}

const noFlags: readonly EnvelopeFlag[] = [];

function newFlags(
  envelope: Envelope,
  version: readonly EnvelopeFlag[],
  verb: readonly EnvelopeFlag[],
): readonly EnvelopeFlag[] {
  if (version.length + verb.length === 0) return noFlags;
  return [...version, ...verb].filter((flag) => !envelope.flags.includes(flag));
}

type VersionCheck = { readonly ok: true; readonly flags: readonly EnvelopeFlag[] };
const accepted: VersionCheck = { ok: true, flags: [] };
const unknownVersion: VersionCheck = { ok: true, flags: ["unknown_schema_version"] };

/** A declared major.minor is validated; another minor of a declared major is accepted; another major as the catalogue says. */
function checkPayload(
  envelope: Envelope,
  rule: CatalogueRule,
  unknownMajor: Catalogue["unknownMajor"],
): VersionCheck | Refused {
  if (rule.schemas.size === 0) return accepted;
  const [major = "", minor = "0"] = envelope.schemaVersion.split(".");
  const faultOf = rule.schemas.get(`${major}.${minor}`);
  if (faultOf !== undefined) {
    const fault = faultOf(envelope.payload);
    if (fault === undefined) return accepted;
    const pointer = `${envelope.base}/payload${fault.pointer}`;
    return refuse(
      "PAYLOAD_SCHEMA",
      pointer,
      `Correct the payload for schema ${major}.${minor}: ${pointer} ${fault.message}.`,
    );
  }
  const knownMajor = [...rule.schemas.keys()].some((known) => known.startsWith(`${major}.`));
  if (knownMajor || unknownMajor === "accept") return unknownVersion;
  return refuse(
    "SCHEMA_VERSION",
    `${envelope.base}/metadata/event_schema_version`,
    `The catalogue declares ${[...rule.schemas.keys()].join(", ")} for this event type: send one of them, or declare the new major.`,
  );
}

type FoundId = {
  readonly ok: true;
  readonly id: Entity["id"];
  readonly pointer: Entity["idPointer"];
  readonly candidates: Entity["candidateIds"];
};

function entityId(envelope: Envelope, type: string, rule: CatalogueRule | undefined): FoundId | Refused {
  const fields = eventFields(envelope);
  const pinned = rule?.entityId;
  const offered: { readonly pointer: string; readonly value: JsonValue | undefined }[] = [];
  if (pinned !== undefined) offered.push({ pointer: pinned, value: resolvePointer(fields, pinned) });
  for (const pointer of candidatePointers(type)) {
    const value = pointer === pinned ? undefined : resolvePointer(fields, pointer);
    if (value !== undefined && value !== null) offered.push({ pointer, value });
  }
  const first = offered[0];
  if (first === undefined) return fallbackId(envelope);
  const id = idText(first.value);
  if (id === undefined) {
    const pointer = `${envelope.base}${first.pointer}`;
    return refuse(
      "INVALID_ENTITY_ID",
      pointer,
      `${pointer} gives the entity's id: it must be text of 1 to 256 characters without NUL, or an integer.`,
    );
  }
  const candidates = [id];
  for (const { pointer, value } of offered) {
    if (rule?.neverIndex.some((never) => isWithin(pointer, never))) continue;
    const text = idText(value);
    if (text !== undefined && !candidates.includes(text)) candidates.push(text);
  }
  return { ok: true, id, pointer: first.pointer, candidates };
}

/** For the type `team.line-item`: public_id, id, team_line_item_id, line_item_id. */
function candidatePointers(type: string): readonly string[] {
  const known = pointersOfType.get(type);
  if (known !== undefined) return known;
  const names = [type, type.slice(type.lastIndexOf(".") + 1)].map(
    (name) => `${name.replace(/[.-]/g, "_")}_id`,
  );
  const pointers = ["/payload/public_id", "/payload/id", ...new Set(names.map((name) => `/payload/${name}`))];
  if (pointersOfType.size < typesRememberedMax) pointersOfType.set(type, pointers);
  return pointers;
}

const typesRememberedMax = 1_000;
const pointersOfType = new Map<string, readonly string[]>();

/** Without an id of its own an event is about the data owner; without that, about the producer as a whole. */
function fallbackId(envelope: Envelope): FoundId {
  const { ownershipId, producerService } = envelope;
  const id = ownershipId ?? producerService;
  const pointer = ownershipId === undefined ? "/producer_service" : "/metadata/ownership_id";
  return { ok: true, id, pointer, candidates: [id] };
}

const integer = /^-?(?:0|[1-9]\d*)$/;

/** Ids are text: integers keep their digits, so 123 and "123" are one id. Undefined: no id. */
function idText(value: JsonValue | undefined): string | undefined {
  if (typeof value === "string") return isIdText(value) ? value : undefined;
  const digits = numberText(value);
  return digits !== undefined && integer.test(digits) ? digits : undefined;
}

const numberText = (value: JsonValue | undefined): string | undefined =>
  typeof value === "number" ? String(value) : lossyNumber(value);

/** Payload and metadata under their pointers' names, with exact numbers. */
const eventFields = (envelope: Envelope): JsonObject => ({
  payload: envelope.exactPayload ?? envelope.payload,
  metadata: envelope.metadata,
});

function indexedFields(envelope: Envelope, rule: CatalogueRule): Readonly<Record<string, string>> {
  const fields = eventFields(envelope);
  const found: [string, string][] = [];
  for (const pointer of rule.index) {
    if (rule.neverIndex.some((never) => isWithin(pointer, never))) continue;
    const text = indexedText(resolvePointer(fields, pointer));
    if (text !== undefined) found.push([pointer, text]);
  }
  return Object.fromEntries(found);
}

/** Undefined for what has no text of its own: null, objects, arrays. */
export const indexedText = (value: JsonValue | undefined): string | undefined =>
  typeof value === "string" || typeof value === "boolean" ? String(value) : numberText(value);
