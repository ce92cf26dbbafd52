/** Records that match a filter. The projection finds them; each is then held against the filter by what is sealed in it. */

import type { Catalogue } from "../core/catalogue.ts";
import { allOf, compare, type Filter, parseFilter } from "../core/filter.ts";
import { fieldsOf, holds } from "../core/filter-holds.ts";
import { leafHash } from "../core/leaf.ts";
import { searchable } from "../core/projection.ts";
import type { RecordRow } from "../core/record.ts";
import { orderFields, type RecordSearch, type SearchOrder } from "../core/search-walk.ts";
import { sha256 } from "../lib/sha256.ts";
import { checkAsOf, heldBy, requireIndexed, textTree } from "./as-of.ts";
import { type Caller, invalid, type QueryDeps, requireText, tenantOf } from "./deps.ts";
import type { RecordPage } from "./get-history.ts";
import { type ListPosition, positionOfParts, positionParts } from "./list-position.ts";
import { isPersonal } from "./mask.ts";
import { chunkRowsMax, type PageRequest, type Pager, pager } from "./page.ts";
import { type Access, narrowed, permit, requireReach, requireWhole, show, tellRead } from "./permit.ts";
import type { RecordView } from "./record-view.ts";
import { sealedValues } from "./sealed-values.ts";
import { collectMatches } from "./search-page.ts";
import { requireTextOn } from "./switched-on.ts";
import { viewRecords } from "./view-records.ts";

export type SearchRequest = PageRequest & {
  readonly filter: string;
  readonly orderBy: string;
  /** Must hold beside the filter. */
  readonly also?: Filter;
  /** Matches to pass over before the first that is given; with a page token what the token says. */
  readonly skip?: number;
  /** Only records that the tree of this size holds. */
  readonly asOfTreeSize?: number | undefined;
};
export type SearchPage = RecordPage & {
  /**
   * Of the walk that the page belongs to: the tree that it is read as of, or, of full text, the tree that the index held when its first page
   * was asked for, else the tree that was published then. Undefined where there was none.
   */
  readonly startTreeSize: number | undefined;
  /** Of all records given so far (docs/search.md). */
  readonly listDigest: Uint8Array;
};
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
  await requireTextOn(deps, access, filter);
  const { asOfTreeSize: asOf, also } = request;
  checkAsOf(asOf, treeSize);
  // Whether a record is active changes without an entry: no tree tells of it.
  if (asOf !== undefined && fieldsOf(filter).includes("active"))
    throw invalid("filter", "cannot ask for active together with as_of_tree_size");
  const question = [
    request.filter,
    ...(also === undefined ? [] : [also]),
    ...(asOf === undefined ? [] : [asOf]),
  ];
  const page = pager(deps, "SearchRecords", question, orderText(order), caller, request);
  // The index may have been taken away between two pages: then it misses what the walk has promised.
  const began = page.after && positionOfParts(page.after).startTreeSize;
  const start = (await textTree(deps, filter, { asOf: asOf ?? began, treeSize }, signal)) ?? asOf ?? treeSize;
  return search(deps, { filter, order, asOf }, access, page, signal, start, request.skip);
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
  await requireTextOn(deps, access, filter);
  await requireIndexed(deps, filter, signal);
  for (let after: RecordSearch["after"]; ; ) {
    const found = await collectMatches(deps.history, { filter, order, after, skip: 0 }, chunkRowsMax, signal);
    const judged = await judgeAll(deps, filter, found.rows, access, signal);
    yield { records: matchingOf(judged), scanned: found.scanned };
    if (found.next === undefined) return;
    after = found.next;
  }
}

function searchOf(deps: QueryDeps, access: Access, { filter, orderBy, also }: WalkRequest) {
  const order = parseOrder(orderBy);
  // A place in an order tells of the value as a condition on it does.
  const reach = isPersonal(order.field) ? requireWhole(deps, access, "order_by") : access;
  return { filter: reachedFilter(deps, reach, filter, also), order };
}

/** What is asked for, within the caller's reach. */
export function reachedFilter(deps: QueryDeps, access: Access, text: string, also?: Filter): Filter {
  const asked = parseFilter(text, indexedPaths(deps.catalogue));
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
  const owned = allOf([
    compare("tenant", "=", tenant),
    compare("ownership_id", "=", searchable(ownershipId)),
  ]);
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

/** Every pointer that some rule indexes. */
export const indexedPaths = ({ rules }: Catalogue): ReadonlySet<string> =>
  new Set([...rules.values()].flatMap(({ index }) => index));

async function search(
  deps: QueryDeps,
  { filter, order, asOf }: Pick<RecordSearch, "filter" | "order"> & { readonly asOf?: number | undefined },
  access: Access,
  page: Pager,
  signal: AbortSignal,
  treeSize: number | undefined,
  skipAtStart = 0,
): Promise<SearchPage> {
  const { startTreeSize, digest, after, skip } = startOf(page, treeSize, skipAtStart);
  const found = await collectMatches(deps.history, { filter, order, after, skip }, page.size, signal);
  const isHeld = await heldBy(
    deps,
    found.rows.map(({ rid }) => rid),
    asOf,
    signal,
  );
  const rows = found.rows.filter(({ rid }) => isHeld(rid));
  const judged = await judgeAll(deps, filter, rows, access, signal);
  const { next } = found;
  const records = matchingOf(judged);
  const listDigest = records.reduce<Uint8Array>((before, { entry }) => listed(before, entry), digest);
  await tellRead(deps, access, records, signal);
  return {
    records,
    alteredRids: judged.filter(({ isAltered }) => isAltered).map(({ rid }) => rid),
    nextPageToken:
      next === undefined
        ? ""
        : page.tokenAt(
            positionParts(order, { after: next, skip: found.skip, startTreeSize, digest: listDigest }),
          ),
    startTreeSize,
    listDigest,
  };
}

/** The digest of a list with one entry more: SHA-256(digest of the list before ‖ SHA-256(0x00 ‖ entry)). */
const listed = (before: Uint8Array, entry: string): Uint8Array =>
  sha256(Buffer.concat([before, leafHash(sha256, entry)]));
/** Of a list without entries. */
const emptyList = new Uint8Array(32);

const startOf = ({ after }: Pager, treeSize: number | undefined, skip: number): ListPosition =>
  after === undefined ? { after, skip, startTreeSize: treeSize, digest: emptyList } : positionOfParts(after);

async function judgeAll(
  deps: QueryDeps,
  filter: Filter,
  rows: readonly RecordRow[],
  access: Access,
  signal: AbortSignal,
): Promise<readonly Judged[]> {
  const views = await viewRecords(deps, rows, signal);
  return rows.map((row, i) => judge(deps, filter, row, views[i], access));
}

type Judged = ReturnType<typeof judge>;
const matchingOf = (judged: readonly Judged[]): readonly RecordView[] =>
  judged.map(({ matching }) => matching).filter((view) => view !== undefined);

/** What is sealed decides; what was erased cannot contradict. */
export function judge(
  deps: Pick<QueryDeps, "catalogue">,
  filter: Filter,
  row: RecordRow,
  view: RecordView | undefined,
  access: Access,
) {
  const { rid } = row;
  if (view === undefined) return { rid, isAltered: true, matching: undefined };
  const sealed = sealedValues(deps.catalogue, row, view);
  // Whether a record is active changes while one reads, and one that is not indexed yet may only match: such a row was not altered.
  const isAltered =
    holds(filter, (field) => (field === "active" || field === "text" ? undefined : sealed(field))) === false;
  return { rid, isAltered, matching: holds(filter, sealed) === false ? undefined : show(access, row, view) };
}
