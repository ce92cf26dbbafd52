/** The walk of a search as a MongoDB query: one equality and a range of times. Nothing a caller writes becomes an operator or a field name. */
import type { Filter as MongoFilter, Sort } from "mongodb";
import { operationOf } from "../../core/actions.ts";
import { severities } from "../../core/event.ts";
import type { Comparison } from "../../core/filter.ts";
import type { ReadField } from "../../core/filter-holds.ts";
import {
  type FieldValue,
  type FilterField,
  isIndexedPath,
  type SearchField,
} from "../../core/search-fields.ts";
import type { SearchOrder, Walk } from "../../core/search-walk.ts";
import { dateOf, ridKey } from "./bson-values.ts";
import type { TextDocument } from "./collections.ts";
import type { RecordDocument } from "./documents.ts";

/** Of a record's document; its terms lie in another. */
type DocumentField = Exclude<SearchField, "text">;
const paths: Readonly<Record<DocumentField, string>> = {
  tenant: "p.tenant", namespace: "p.namespace", entity_type: "p.entityType", entity_id: "p.entityId", kind: "kind",
  version: "version", event_type: "p.eventType", action: "action", operation: "p.eventType", active: "isActive", severity: "p.severity", status: "p.status",
  resource_type: "p.resourceType", producer_service: "p.producerService", trace_id: "p.traceId", owner_id: "p.actor.id", owner_ip: "p.actor.ip",
  owner_role: "p.actor.role", owner_type: "p.actor.type", ownership_id: "p.ownershipId", flags: "p.flags",
  action_at: "p.actionAt", recorded_at: "recordedAt",
}; // biome-ignore format: a table
const pathOf = (field: FilterField): string =>
  isIndexedPath(field) ? "p.indexed" : field === "text" ? "_id" : paths[field];

/** What is read of each document on the walk. */
export const walkProjection = (fields: readonly FilterField[]): Readonly<Record<string, 1>> =>
  Object.fromEntries(["_id", "recordedAt", "p.actionAt", ...fields.map(pathOf)].map((path) => [path, 1]));

/** A document with at least the fields of the projection. */
export const valuesOf =
  (document: RecordDocument): ReadField =>
  (field) => {
    if (isIndexedPath(field)) return document.p.indexed.find(({ k }) => k === field)?.v ?? "";
    return field === "text" ? undefined : readers[field](document);
  };

const readers: Readonly<Record<DocumentField, (document: RecordDocument) => FieldValue>> = {
  tenant: ({ p }) => p.tenant,
  namespace: ({ p }) => p.namespace,
  entity_type: ({ p }) => p.entityType,
  entity_id: ({ p }) => p.entityId,
  kind: ({ kind }) => kind,
  version: ({ version }) => version,
  event_type: ({ p }) => p.eventType,
  action: ({ action }) => action,
  operation: ({ p }) => operationOf(p.eventType),
  active: ({ isActive }) => isActive,
  severity: ({ p }) => severities.indexOf(p.severity),
  status: ({ p }) => p.status ?? "",
  resource_type: ({ p }) => p.resourceType ?? "",
  producer_service: ({ p }) => p.producerService,
  trace_id: ({ p }) => p.traceId,
  owner_id: ({ p }) => p.actor.id,
  owner_ip: ({ p }) => p.actor.ip ?? "",
  owner_role: ({ p }) => p.actor.role,
  owner_type: ({ p }) => p.actor.type,
  ownership_id: ({ p }) => p.ownershipId ?? "",
  flags: ({ p }) => p.flags,
  action_at: ({ p }) => p.actionAt.getTime(),
  recorded_at: ({ recordedAt }) => recordedAt.getTime(),
};

type Clause = MongoFilter<RecordDocument>;

export function walkFilter({ driver, order, min, max, after }: Walk): Clause {
  const path = paths[order.field];
  const clauses: Clause[] = [];
  if (driver !== undefined && driver.field !== "text")
    clauses.push({ [paths[driver.field]]: { $eq: driver.value } });
  if (Number.isFinite(min)) clauses.push({ [path]: { $gte: dateOf(min) } });
  if (Number.isFinite(max)) clauses.push({ [path]: { $lte: dateOf(max) } });
  if (after !== undefined) clauses.push(...behind(order, after));
  return clauses.length === 0 ? {} : { $and: clauses };
}

/** The first clause bounds the index scan, the second breaks the tie. */
function behind({ field, direction }: SearchOrder, after: NonNullable<Walk["after"]>): readonly Clause[] {
  const [path, at] = [paths[field], dateOf(after.value)];
  const [beyond, orAt] = direction === "asc" ? ["$gt", "$gte"] : ["$lt", "$lte"];
  return [
    { [path]: { [orAt]: at } },
    { $or: [{ [path]: { [beyond]: at } }, { [path]: at, _id: { [beyond]: ridKey(after.rid) } }] },
  ];
}

export function walkSort({ field, direction }: SearchOrder): Record<string, 1 | -1> {
  const sign = direction === "asc" ? 1 : -1;
  return { [paths[field]]: sign, _id: sign };
}

/** Behind every text that begins with another. */
const lastCharacter = "\u{10ffff}";

export const termClause = ({
  operator,
  value,
}: Pick<Comparison, "operator" | "value">): MongoFilter<TextDocument> =>
  operator === "prefix"
    ? { terms: { $elemMatch: { $gte: String(value), $lt: String(value) + lastCharacter } } }
    : { terms: String(value) };

/** The texts of a term on the walk; their times are those of the records. */
export function textFilter({ driver, order, min, max, after }: Walk): MongoFilter<TextDocument> {
  const operator = driver?.isPrefix ? "prefix" : "has";
  const clauses = [termClause({ operator, value: driver?.value ?? "" })];
  if (Number.isFinite(min)) clauses.push({ at: { $gte: dateOf(min) } });
  if (Number.isFinite(max)) clauses.push({ at: { $lte: dateOf(max) } });
  if (after !== undefined) {
    const at = dateOf(after.value);
    const [beyond, orAt] = order.direction === "asc" ? ["$gt", "$gte"] : ["$lt", "$lte"];
    clauses.push({ at: { [orAt]: at } });
    clauses.push({ $or: [{ at: { [beyond]: at } }, { at, _id: { [beyond]: ridKey(after.rid) } }] });
  }
  return { $and: clauses };
}

export const textSort = ({ direction }: SearchOrder): Sort => {
  const sign = direction === "asc" ? 1 : -1;
  return { at: sign, _id: sign };
};
