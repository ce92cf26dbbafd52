/** Records that match a filter. The projection finds them; each is then held against the filter by what is sealed in it. */

import { allOf, type Comparison, type Filter, parseFilter } from "../core/filter.ts";
import { holds } from "../core/filter-holds.ts";
import type { Rid } from "../core/ids.ts";
import { searchable } from "../core/projection.ts";
import type { RecordRow } from "../core/record.ts";
import { orderFields, type RecordSearch, type SearchOrder } from "../core/search-walk.ts";
import { type Caller, invalid, type QueryDeps, requireText, tenantOf } from "./deps.ts";
import type { RecordPage } from "./get-history.ts";
import { type PageRequest, type Pager, pager } from "./page.ts";
import type { RecordView } from "./record-view.ts";
import { sealedValues } from "./sealed-values.ts";
import { collectMatches } from "./search-page.ts";
import { viewRecords } from "./view-records.ts";

export type SearchRequest = PageRequest & { readonly filter: string; readonly orderBy: string };
/** Of the walk that the page belongs to: the tree that was published when its first page was asked for, undefined where there was none. */
export type SearchPage = RecordPage & { readonly startTreeSize: number | undefined };
export type OwnedRequest = PageRequest & { readonly tenant: string; readonly ownershipId: string };

export async function searchRecords(
  deps: QueryDeps,
  request: SearchRequest,
  caller: Caller,
  signal: AbortSignal,
  treeSize: number | undefined,
): Promise<SearchPage> {
  const filter = filterOf(deps, request.filter);
  const order = parseOrder(request.orderBy);
  const page = pager(deps, "SearchRecords", [request.filter], orderText(order), caller, request);
  return search(deps, { filter, order }, page, signal, treeSize);
}

/** The records of an ownership, newest first. */
export async function listOwnedRecords(
  deps: QueryDeps,
  request: OwnedRequest,
  caller: Caller,
  signal: AbortSignal,
  treeSize: number | undefined,
): Promise<SearchPage> {
  const tenant = tenantOf(request.tenant, "tenant");
  const ownershipId = requireText(request.ownershipId, "ownership_id");
  const filter = allOf([equal("tenant", tenant), equal("ownership_id", searchable(ownershipId))]);
  const page = pager(
    deps,
    "ListOwnedRecords",
    [tenant, ownershipId],
    orderText(newestFirst),
    caller,
    request,
  );
  return search(deps, { filter, order: newestFirst }, page, signal, treeSize);
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

const equal = (field: Comparison["field"], value: string): Filter => ({
  kind: "compare",
  field,
  operator: "=",
  value,
});

/** A path may be one that some rule indexes. */
export const filterOf = ({ catalogue: { rules } }: Pick<QueryDeps, "catalogue">, text: string): Filter =>
  parseFilter(text, new Set([...rules.values()].flatMap(({ index }) => index)));

async function search(
  deps: QueryDeps,
  { filter, order }: Pick<RecordSearch, "filter" | "order">,
  page: Pager,
  signal: AbortSignal,
  treeSize: number | undefined,
): Promise<SearchPage> {
  const { after, startTreeSize } = startOf(page, treeSize);
  const { rows, next } = await collectMatches(deps.history, { filter, order, after }, page.size, signal);
  const views = await viewRecords(deps, rows, signal);
  const judged = rows.map((row, i) => judge(filter, row, views[i]));
  return {
    records: judged.map(({ matching }) => matching).filter((view) => view !== undefined),
    alteredRids: judged.filter(({ isAltered }) => isAltered).map(({ rid }) => rid),
    nextPageToken: next === undefined ? "" : page.tokenAt([next.value, next.rid, startTreeSize ?? noTree]),
    startTreeSize,
  };
}

/** In a token, which has no place for what is absent. */
const noTree = -1;

function startOf({ after }: Pager, treeSize: number | undefined) {
  if (after === undefined) return { after, startTreeSize: treeSize };
  const [value, rid, size] = after;
  return {
    after: { value: Number(value), rid: String(rid) as Rid },
    startTreeSize: typeof size === "number" && size !== noTree ? size : undefined,
  };
}

/** What is sealed decides; what was erased cannot contradict. */
export function judge(filter: Filter, row: RecordRow, view: RecordView | undefined) {
  const { rid } = row;
  if (view === undefined) return { rid, isAltered: true, matching: undefined };
  const sealed = sealedValues(row, view);
  // Whether a record is active changes while one reads: such a row was not altered, it only no longer matches.
  const isAltered = holds(filter, (field) => (field === "active" ? undefined : sealed(field))) === false;
  return { rid, isAltered, matching: holds(filter, sealed) === false ? undefined : view };
}
