/** What a search may ask of a record: a closed list of fields, the form of their values, and what a row says of each. */
import { operationOf } from "./actions.ts";
import { normaliseTraceId } from "./envelope.ts";
import { actionTypes, envelopeFlags, severities, statuses } from "./event.ts";
import { normaliseIp } from "./ip-address.ts";
import { searchable } from "./projection.ts";
import type { RecordRow } from "./record.ts";

/** `word`: one of a list; `level`: one of a list in ascending order, compared by its place; `words`: any number out of a list; `terms`: any number of any. */
export type FieldForm =
  | { readonly type: "text"; read(text: string): string }
  | { readonly type: "word" | "level" | "words"; readonly words: readonly string[] }
  | { readonly type: "time" | "number" | "boolean" }
  | { readonly type: "terms" };

const text: FieldForm = { type: "text", read: searchable };
const time: FieldForm = { type: "time" };
const word = (...words: readonly string[]): FieldForm => ({ type: "word", words });

export const searchFields = {
  tenant: text,
  namespace: text,
  entity_type: text,
  entity_id: text,
  kind: word("change", "activity"),
  version: { type: "number" },
  event_type: text,
  action: word(...actionTypes, "none"),
  operation: text,
  active: { type: "boolean" },
  severity: { type: "level", words: severities },
  status: word(...statuses),
  resource_type: text,
  producer_service: text,
  trace_id: { type: "text", read: (given) => searchable(normaliseTraceId(given)) },
  owner_id: text,
  owner_ip: { type: "text", read: (given) => normaliseIp(given) ?? searchable(given) },
  owner_role: text,
  owner_type: word("user", "service"),
  ownership_id: text,
  flags: { type: "words", words: envelopeFlags },
  action_at: time,
  recorded_at: time,
  text: { type: "terms" },
} as const satisfies Readonly<Record<string, FieldForm>>;
export type SearchField = keyof typeof searchFields;
/** Of an event's JSON: an RFC 6901 pointer that the catalogue indexes. */
export type IndexedPath = `/${string}`;
export type FilterField = SearchField | IndexedPath;

export const isIndexedPath = (field: FilterField): field is IndexedPath => field.startsWith("/");
export const formOf = (field: FilterField): FieldForm => (isIndexedPath(field) ? text : searchFields[field]);

/** Levels as their place, times as ms since the epoch. What is absent is the empty text. */
export type FieldValue = string | number | boolean | readonly string[];

/** What the columns and the projection say; terms are in neither. */
export function valueOfRow(row: RecordRow, field: FilterField): FieldValue | undefined {
  const { projection } = row;
  if (isIndexedPath(field)) return projection.indexed[field] ?? "";
  switch (field) {
    case "tenant":
      return projection.tenant;
    case "namespace":
      return projection.namespace;
    case "entity_type":
      return projection.entityType;
    case "entity_id":
      return projection.entityId;
    case "kind":
      return row.kind;
    case "version":
      return row.version;
    case "event_type":
      return projection.eventType;
    case "action":
      return row.action;
    case "operation":
      return operationOf(projection.eventType);
    case "active":
      return row.isActive;
    case "severity":
      return severities.indexOf(projection.severity);
    case "status":
      return projection.status;
    case "resource_type":
      return projection.resourceType ?? "";
    case "producer_service":
      return projection.producerService;
    case "trace_id":
      return projection.traceId;
    case "owner_id":
      return projection.actor.id;
    case "owner_ip":
      return projection.actor.ip;
    case "owner_role":
      return projection.actor.role;
    case "owner_type":
      return projection.actor.type;
    case "ownership_id":
      return projection.ownershipId ?? "";
    case "flags":
      return projection.flags;
    case "action_at":
      return projection.actionAtMs;
    case "recorded_at":
      return row.recordedAtMs;
    case "text":
      return undefined;
  }
}
