/** Records that match a filter. The projection finds them; each is then held against the filter by what is sealed in it. */

import { allOf, type Comparison, type Filter, parseFilter } from "../core/filter.ts";
import { holds } from "../core/filter-holds.ts";
import type { Rid } from "../core/ids.ts";
import { searchable } from "../core/projection.ts";
import type { RecordRow } from "../core/record.ts";
import { orderFields, type RecordSearch, type SearchOrder } from "../core/search-walk.ts";
import { type Caller, invalid, type QueryDeps, requireText, tenantOf } from "./deps.ts";
import type { RecordPage } from "./get-history.ts";
import { chunkRowsMax, type PageRequest, type Pager, pager } from "./page.ts";
import { type Access, narrowed, permit, requireReach, requireWhole, show, tellRead } from "./permit.ts";
import type { RecordView } from "./record-view.ts";
import { sealedValues } from "./sealed-values.ts";
import { collectMatches } from "./search-page.ts";
import { viewRecords } from "./view-records.ts";

export type SearchRequest = PageRequest & {
  readonly filter: string;
  readonly orderBy: string;
  /** Must hold beside the filter. */
  readonly also?: Filter;
  /** Matches to pass over before the first that is given; with a page token what the token says. */
  readonly skip?: number;
};
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
  const access = permit(deps, caller, "SearchRecords");
  const { filter, order } = searchOf(deps, access, request);
  const question = request.also === undefined ? [request.filter] : [request.filter, request.also];
  const page = pager(deps, "SearchRecords", question, orderText(order), caller, request);
  return search(deps, { filter, order }, access, page, signal, treeSize, request.skip);
}

export type WalkRequest = Pick<SearchRequest, "filter" | "orderBy" | "also">;
type Walked = { readonly records: readonly RecordView[]; readonly scanned: number };

/** All that matches and may be seen, in order, a few at a time: for answers that are made of many records, or too many to hold. */
export async function* walkRecords(
  deps: QueryDeps,
  request: WalkRequest,
  access: Access,
  signal: AbortSignal,
): AsyncGenerator<Walked> {
  const { filter, order } = searchOf(deps, access, request);
  for (let after: RecordSearch["after"]; ; ) {
    const found = await collectMatches(deps.history, { filter, order, after, skip: 0 }, chunkRowsMax, signal);
    const judged = await judgeAll(deps, filter, found.rows, access, signal);
    yield { records: matchingOf(judged), scanned: found.scanned };
    if (found.next === undefined) return;
    after = found.next;
  }
}

function searchOf(deps: QueryDeps, access: Access, { filter, orderBy, also }: WalkRequest) {
  return { filter: reachedFilter(deps, access, filter, also), order: parseOrder(orderBy) };
}

/** What is asked for, within the caller's reach. */
export function reachedFilter(deps: QueryDeps, access: Access, text: string, also?: Filter): Filter {
  const asked = filterOf(deps, text);
  return narrowed(deps, access, also === undefined ? asked : allOf([asked, also]));
}

/** The records of an ownership, newest first. */
export async function listOwnedRecords(
  deps: QueryDeps,
  request: OwnedRequest,
  caller: Caller,
  signal: AbortSignal,
  treeSize: number | undefined,
): Promise<SearchPage> {
  const access = requireWhole(deps, permit(deps, caller, "ListOwnedRecords"), "ownership_id");
  const tenant = tenantOf(request.tenant, "tenant");
  const ownershipId = requireText(request.ownershipId, "ownership_id");
  requireReach(deps, access, { tenant, ownership_id: searchable(ownershipId) });
  const owned = allOf([equal("tenant", tenant), equal("ownership_id", searchable(ownershipId))]);
  const filter = narrowed(deps, access, owned);
  const page = pager(
    deps,
    "ListOwnedRecords",
    [tenant, ownershipId],
    orderText(newestFirst),
    caller,
    request,
  );
  return search(deps, { filter, order: newestFirst }, access, page, signal, treeSize);
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
  access: Access,
  page: Pager,
  signal: AbortSignal,
  treeSize: number | undefined,
  skipAtStart = 0,
): Promise<SearchPage> {
  const { startTreeSize, ...start } = startOf(page, treeSize, skipAtStart);
  const found = await collectMatches(deps.history, { filter, order, ...start }, page.size, signal);
  const judged = await judgeAll(deps, filter, found.rows, access, signal);
  const { next, skip } = found;
  const tree = startTreeSize ?? noTree;
  const records = matchingOf(judged);
  await tellRead(deps, access, records, signal);
  return {
    records,
    alteredRids: judged.filter(({ isAltered }) => isAltered).map(({ rid }) => rid),
    nextPageToken:
      next === undefined ? "" : page.tokenAt([next.value, next.rid, tree, ...(skip === 0 ? [] : [skip])]),
    startTreeSize,
  };
}

/** In a token, which has no place for what is absent. */
const noTree = -1;

function startOf({ after }: Pager, treeSize: number | undefined, skip: number) {
  if (after === undefined) return { after, skip, startTreeSize: treeSize };
  const [value, rid, size, left = 0] = after;
  return {
    after: { value: Number(value), rid: String(rid) as Rid },
    skip: Number(left),
    startTreeSize: typeof size === "number" && size !== noTree ? size : undefined,
  };
}

async function judgeAll(
  deps: QueryDeps,
  filter: Filter,
  rows: readonly RecordRow[],
  access: Access,
  signal: AbortSignal,
): Promise<readonly Judged[]> {
  const views = await viewRecords(deps, rows, signal);
  return rows.map((row, i) => judge(filter, row, views[i], access));
}

type Judged = ReturnType<typeof judge>;
const matchingOf = (judged: readonly Judged[]): readonly RecordView[] =>
  judged.map(({ matching }) => matching).filter((view) => view !== undefined);

/** What is sealed decides; what was erased cannot contradict. */
export function judge(filter: Filter, row: RecordRow, view: RecordView | undefined, access: Access) {
  const { rid } = row;
  if (view === undefined) return { rid, isAltered: true, matching: undefined };
  const sealed = sealedValues(row, view);
  // Whether a record is active changes while one reads: such a row was not altered, it only no longer matches.
  const isAltered = holds(filter, (field) => (field === "active" ? undefined : sealed(field))) === false;
  return { rid, isAltered, matching: holds(filter, sealed) === false ? undefined : show(access, row, view) };
}
