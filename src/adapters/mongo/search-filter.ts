/** Conditions of a search as MongoDB filters: plain equality and ranges, nothing a caller writes becomes an operator or a field name. */
import type { Filter } from "mongodb";
import type { Condition, RecordSearch, SearchField, SearchValue } from "../../ports/history-reader.ts";
import { searchFields } from "../../ports/history-reader.ts";
import { dateOf, ridKey } from "./bson-values.ts";
import type { RecordDocument } from "./documents.ts";

const paths: Readonly<Record<SearchField, string>> = {
  tenant: "p.tenant", namespace: "p.namespace", entity_type: "p.entityType", entity_id: "p.entityId", kind: "kind",
  event_type: "p.eventType", action: "action", producer_service: "p.producerService", trace_id: "p.traceId",
  owner_id: "p.actor.id", ownership_id: "p.ownershipId", action_at: "p.actionAt", recorded_at: "recordedAt", active: "isActive",
}; // biome-ignore format: a table

const operators = { "=": "$eq", "<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte" } as const;

type Clause = Filter<RecordDocument>;

const bsonOf = (field: SearchField, value: SearchValue): SearchValue | Date =>
  searchFields[field] === "time" && typeof value === "number" ? dateOf(value) : value;

const clauseOf = ({ field, operator, value }: Condition): Clause => ({
  [paths[field]]: { [operators[operator]]: bsonOf(field, value) },
});

export function searchFilter({ conditions, order, after }: RecordSearch): Clause {
  const clauses = conditions.map(clauseOf);
  if (after !== undefined) clauses.push(...behind(order, after));
  return clauses.length === 0 ? {} : { $and: clauses };
}

/** The first clause bounds the index scan, the second breaks the tie. */
function behind(
  { field, direction }: RecordSearch["order"],
  after: NonNullable<RecordSearch["after"]>,
): readonly Clause[] {
  const [path, at] = [paths[field], dateOf(after.value)];
  const [beyond, orAt] = direction === "asc" ? ["$gt", "$gte"] : ["$lt", "$lte"];
  return [
    { [path]: { [orAt]: at } },
    { $or: [{ [path]: { [beyond]: at } }, { [path]: at, _id: { [beyond]: ridKey(after.rid) } }] },
  ];
}

export function searchSort({ field, direction }: RecordSearch["order"]): Record<string, 1 | -1> {
  const sign = direction === "asc" ? 1 : -1;
  return { [paths[field]]: sign, _id: sign };
}
