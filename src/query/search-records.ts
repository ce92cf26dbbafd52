/** Records that match a filter. The projection finds them; each is then held against the filter by what is sealed in it. */

import { normaliseTraceId } from "../core/envelope.ts";
import { actionTypes } from "../core/event.ts";
import { parseFilter } from "../core/filter.ts";
import type { Rid } from "../core/ids.ts";
import { searchable } from "../core/projection.ts";
import {
  type Condition,
  orderFields,
  type SearchField,
  type SearchOrder,
  type SearchValue,
  searchFields,
} from "../ports/history-reader.ts";
import { type Caller, invalid, type QueryDeps, requireText, tenantOf } from "./deps.ts";
import { answerBytes, type RecordPage } from "./get-history.ts";
import { collectRows, type PageRequest, type Pager, pager } from "./page.ts";
import { contentOf, type RecordView } from "./record-view.ts";
import { viewRecords } from "./view-records.ts";

export type SearchRequest = PageRequest & { readonly filter: string; readonly orderBy: string };
export type OwnedRequest = PageRequest & { readonly tenant: string; readonly ownershipId: string };

export async function searchRecords(
  deps: QueryDeps,
  request: SearchRequest,
  caller: Caller,
  signal: AbortSignal,
): Promise<RecordPage> {
  const conditions = parseFilter<SearchField>(request.filter, searchFields).map(checked);
  const order = parseOrder(request.orderBy);
  const page = pager(deps, "SearchRecords", [request.filter], orderText(order), caller, request);
  return search(deps, conditions, order, page, signal);
}

/** The records of an ownership, newest first. */
export async function listOwnedRecords(
  deps: QueryDeps,
  request: OwnedRequest,
  caller: Caller,
  signal: AbortSignal,
): Promise<RecordPage> {
  const tenant = tenantOf(request.tenant, "tenant");
  const ownershipId = requireText(request.ownershipId, "ownership_id");
  const conditions: readonly Condition[] = [
    { field: "tenant", operator: "=", value: tenant },
    { field: "ownership_id", operator: "=", value: searchable(ownershipId) },
  ];
  const page = pager(
    deps,
    "ListOwnedRecords",
    [tenant, ownershipId],
    orderText(newestFirst),
    caller,
    request,
  );
  return search(deps, conditions, newestFirst, page, signal);
}

const newestFirst: SearchOrder = { field: "recorded_at", direction: "desc" };
const orderText = (order: SearchOrder): string => `${order.field} ${order.direction}`;

function parseOrder(text: string): SearchOrder {
  const [name, direction = "asc", ...more] = text.trim().split(/\s+/);
  if (name === "" || name === undefined) return newestFirst;
  const field = orderFields.find((known) => known === name);
  if (field === undefined || more.length > 0 || (direction !== "asc" && direction !== "desc")) {
    throw invalid("order_by", `is one of ${orderFields.flatMap((f) => [f, `${f} desc`]).join(", ")}`);
  }
  return { field, direction };
}

const kinds = ["change", "activity"];
const actions = [...actionTypes, "none"];
const closedValues: Partial<Record<SearchField, readonly string[]>> = { kind: kinds, action: actions };

/** Values in the form in which the projection keeps them. */
function checked(condition: Condition): Condition {
  const { field, value } = condition;
  const closed = closedValues[field];
  if (closed !== undefined && !closed.includes(String(value))) {
    throw invalid("filter", `compares ${field} with something else than ${closed.join(", ")}`);
  }
  if (typeof value !== "string") return condition;
  return { ...condition, value: searchable(field === "trace_id" ? normaliseTraceId(value) : value) };
}

async function search(
  deps: QueryDeps,
  conditions: readonly Condition[],
  order: SearchOrder,
  page: Pager,
  signal: AbortSignal,
): Promise<RecordPage> {
  const start =
    page.after === undefined
      ? undefined
      : { value: Number(page.after[0]), rid: String(page.after[1]) as Rid };
  const { rows, isLast } = await collectRows(page.size, answerBytes, (row, limit) => {
    const after = row === undefined ? start : { value: sortValue(row, order), rid: row.rid };
    return deps.history.search({ conditions, order, after, limit }, signal);
  });
  const views = await viewRecords(deps, rows, signal);
  const matches = (view: RecordView | undefined): view is RecordView =>
    view !== undefined && conditions.every((condition) => holds(condition, view));
  // Whether a record is active changes while one reads: such a row was not altered, it only no longer matches.
  const isAltered = (view: RecordView | undefined): boolean =>
    view === undefined || !conditions.every((c) => c.field === "active" || holds(c, view));
  const last = rows.at(-1);
  return {
    records: views.filter(matches),
    alteredRids: rows.filter((_, i) => isAltered(views[i])).map((row) => row.rid),
    nextPageToken: isLast || last === undefined ? "" : page.tokenAt([sortValue(last, order), last.rid]),
  };
}

const sortValue = (
  row: { readonly recordedAtMs: number; readonly projection: { readonly actionAtMs: number } },
  order: SearchOrder,
): number => (order.field === "recorded_at" ? row.recordedAtMs : row.projection.actionAtMs);

/** What is sealed says so; what was erased cannot contradict. */
function holds(condition: Condition, view: RecordView): boolean {
  const truth = sealedValue(condition.field, view);
  if (truth === undefined) return true;
  const value = condition.value;
  switch (condition.operator) {
    case "=":
      return (typeof truth === "string" ? searchable(truth) : truth) === value;
    case "<":
      return truth < value;
    case "<=":
      return truth <= value;
    case ">":
      return truth > value;
    case ">=":
      return truth >= value;
  }
}

/** Undefined where it was erased. */
function sealedValue(field: SearchField, view: RecordView): SearchValue | undefined {
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
    case "event_type":
      return view.eventType;
    case "action":
      return view.action;
    case "producer_service":
      return view.producerService;
    case "trace_id":
      return content?.traceId;
    case "owner_id":
      return content?.actor.id;
    case "ownership_id":
      // An opened record without ownership contradicts; a closed one cannot.
      return content === undefined ? undefined : (content.ownershipId ?? "");
    case "action_at":
      return content?.actionAtMs;
    case "recorded_at":
      return view.recordedAtMs;
    case "active":
      return view.isActive;
  }
}
