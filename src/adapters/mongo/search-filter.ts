/** The walk of a search as a MongoDB query: one equality and a range of what orders. Nothing a caller writes becomes an operator or a field name. */
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
import { isTextField, type SearchOrder, type SearchPlace, type Walk } from "../../core/search-walk.ts";
import { firstBehind } from "../../core/text-order.ts";
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

export function walkFilter(walk: Walk): Clause {
  const { driver, order, after } = walk;
  const clauses: Clause[] = [];
  if (driver !== undefined && driver.field !== "text")
    clauses.push({
      [paths[driver.field]]: driver.value === "" ? { $in: [null, ""] } : { $eq: driver.value },
    });
  clauses.push(...boundsOf(walk));
  if (after !== undefined) clauses.push(...behind(order, after));
  return clauses.length === 0 ? {} : { $and: clauses };
}

function boundsOf({ order: { field }, min, max, prefix }: Walk): readonly Clause[] {
  const path = paths[field];
  if (!isTextField(field))
    return [
      ...(Number.isFinite(min) ? [{ [path]: { $gte: dateOf(min) } }] : []),
      ...(Number.isFinite(max) ? [{ [path]: { $lte: dateOf(max) } }] : []),
    ];
  const end = firstBehind(prefix);
  return [
    { [path]: prefix === "" ? { $gt: "" } : { $gte: prefix } },
    ...(end === undefined ? [] : [{ [path]: { $lt: end } }]),
  ];
}

/** The first clause bounds the index scan, the second breaks the ties: each part beyond its own, and all before it equal. */
function behind({ field, direction }: SearchOrder, { value, at, rid }: SearchPlace): readonly Clause[] {
  const [beyond, orAt] = direction === "asc" ? ["$gt", "$gte"] : ["$lt", "$lte"];
  const time = isTextField(field) ? "recorded_at" : field;
  const parts = [
    ...(isTextField(field) ? [[paths[field], value] as const] : []),
    [paths[time], dateOf(at)] as const,
    ["_id", ridKey(rid)] as const,
  ];
  const [first] = parts;
  const alternatives = parts.map(([path, part], i) =>
    Object.fromEntries([...parts.slice(0, i).map(([p, v]) => [p, { $eq: v }]), [path, { [beyond]: part }]]),
  );
  return [...(first === undefined ? [] : [{ [first[0]]: { [orAt]: first[1] } }]), { $or: alternatives }];
}

/** What the walk's index holds behind its driver. */
const along = ({ field }: SearchOrder): readonly string[] =>
  isTextField(field) ? [paths[field], paths.recorded_at, "_id"] : [paths[field], "_id"];

export function walkSort(order: SearchOrder): Record<string, 1 | -1> {
  const sign = order.direction === "asc" ? 1 : -1;
  return Object.fromEntries(along(order).map((path) => [path, sign]));
}

/** The keys of the index to walk, chosen here and not by the server's planner, which goes by samples. */
export function walkIndex({ driver, order }: Walk): Record<string, 1> {
  const by = driver === undefined || driver.field === "text" ? [] : [paths[driver.field]];
  return Object.fromEntries([...by, ...along(order)].map((path) => [path, 1]));
}

export function termClause({
  operator,
  value,
}: Pick<Comparison, "operator" | "value">): MongoFilter<TextDocument> {
  const term = String(value);
  if (operator !== "prefix") return { terms: term };
  const end = firstBehind(term);
  return { terms: { $elemMatch: { $gte: term, ...(end !== undefined && { $lt: end }) } } };
}

/** The texts of a term on the walk; their times are those of the records. */
export function textFilter({ driver, order, min, max, after }: Walk): MongoFilter<TextDocument> {
  const operator = driver?.isPrefix ? "prefix" : "has";
  const clauses = [termClause({ operator, value: driver?.value ?? "" })];
  if (Number.isFinite(min)) clauses.push({ at: { $gte: dateOf(min) } });
  if (Number.isFinite(max)) clauses.push({ at: { $lte: dateOf(max) } });
  if (after !== undefined) {
    const at = dateOf(after.at);
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
