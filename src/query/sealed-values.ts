/** What entry and body say of the fields that a search asks for, so that no altered column passes a record off as what it is not. */
import { operationOf, statusOf } from "../core/actions.ts";
import { parseExactly } from "../core/canonical.ts";
import type { Catalogue } from "../core/catalogue.ts";
import { indexedText } from "../core/entity.ts";
import type { ReadField } from "../core/filter-holds.ts";
import { resolvePointer } from "../core/json-pointer.ts";
import { searchable } from "../core/projection.ts";
import type { RecordRow } from "../core/record.ts";
import {
  type FieldValue,
  type FilterField,
  type IndexedPath,
  isIndexedPath,
  type SearchField,
  valueOfRow,
} from "../core/search-fields.ts";
import { contentTerms } from "./content-terms.ts";
import { contentOf, type RecordContent, type RecordView } from "./record-view.ts";

/** Undefined where it was erased. */
export const sealedValues =
  (catalogue: Catalogue, row: RecordRow, view: RecordView): ReadField =>
  (field: FilterField) => {
    if (isIndexedPath(field)) return sealedPath(row, contentOf(view), field);
    const value = sealedValue(catalogue, row, view, field);
    return typeof value === "string" ? searchable(value) : value;
  };

function sealedValue(
  catalogue: Catalogue,
  row: RecordRow,
  view: RecordView,
  field: SearchField,
): FieldValue | undefined {
  const content = contentOf(view);
  switch (field) {
    case "tenant":
      return view.tenant;
    case "namespace":
      return content?.namespace;
    case "entity_type":
      return content?.entityType;
    case "entity_id":
      return content?.entityId;
    case "kind":
      return view.kind;
    case "version":
      return view.version;
    case "event_type":
      return view.eventType;
    case "action":
      return view.action;
    case "operation":
      return operationOf(view.eventType);
    case "status":
      return content === undefined ? undefined : statusOf(view.eventType, content.toldStatus);
    case "producer_service":
      return view.producerService;
    case "trace_id":
      return content?.traceId;
    case "owner_id":
      return content?.actor.id;
    case "owner_ip":
      return content?.actor.ip;
    case "owner_role":
      return content?.actor.role;
    case "owner_type":
      return content?.actor.type;
    case "ownership_id":
      // An opened record without ownership contradicts; a closed one cannot.
      return content === undefined ? undefined : (content.ownershipId ?? "");
    case "action_at":
      return content?.actionAtMs;
    case "recorded_at":
      return view.recordedAtMs;
    case "active":
      return view.isActive;
    case "severity":
    case "resource_type":
    case "flags":
      // The catalogue said so when the record was stored; nothing sealed does.
      return valueOfRow(row, field);
    case "text":
      return content?.state === "complete" ? contentTerms(catalogue, view.eventType, content) : undefined;
  }
}

const payloadPointer = "/payload";

/** What was not indexed when the record was stored cannot be found by; of what was, the payload is held against it. */
function sealedPath(
  row: RecordRow,
  content: RecordContent | undefined,
  path: IndexedPath,
): FieldValue | undefined {
  const stored = valueOfRow(row, path);
  if (stored === "" || !path.startsWith(`${payloadPointer}/`)) return stored;
  if (content?.state !== "complete" || content.payload.length === 0) return undefined;
  const payload = parseExactly(new TextDecoder().decode(content.payload));
  return searchable(indexedText(resolvePointer(payload, path.slice(payloadPointer.length))) ?? "");
}
