/** Records that match a filter. The projection finds them; each is then held against the filter by what is sealed in it. */

import type { Catalogue } from "../core/catalogue.ts";
import { allOf, type Comparison, type Filter, parseFilter } from "../core/filter.ts";
import { fieldsOf, holds } from "../core/filter-holds.ts";
import type { Rid } from "../core/ids.ts";
import { leafHash } from "../core/leaf.ts";
import { searchable } from "../core/projection.ts";
import type { RecordRow } from "../core/record.ts";
import { orderFields, type RecordSearch, type SearchOrder } from "../core/search-walk.ts";
import { sha256 } from "../lib/sha256.ts";
import { checkAsOf, heldBy, textTree } from "./as-of.ts";
import { type Caller, invalid, type QueryDeps, requireText, tenantOf } from "./deps.ts";
import type { RecordPage } from "./get-history.ts";
import { type PageRequest, type Pager, pager } from "./page.ts";
import type { RecordView } from "./record-view.ts";
import { sealedValues } from "./sealed-values.ts";
import { collectMatches } from "./search-page.ts";
import { viewRecords } from "./view-records.ts";

export type SearchRequest = PageRequest & {
  readonly filter: string;
  readonly orderBy: string;
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
  const filter = parseFilter(request.filter, indexedPaths(deps.catalogue));
  const order = parseOrder(request.orderBy);
  const { asOfTreeSize: asOf } = request;
  checkAsOf(asOf, treeSize);
  // Whether a record is active changes without an entry: no tree tells of it.
  if (asOf !== undefined && fieldsOf(filter).includes("active"))
    throw invalid("filter", "cannot ask for active together with as_of_tree_size");
  const question = asOf === undefined ? [request.filter] : [request.filter, asOf];
  const page = pager(deps, "SearchRecords", question, orderText(order), caller, request);
  const start = (await textTree(deps, filter, { asOf, treeSize }, signal)) ?? asOf ?? treeSize;
  return search(deps, { filter, order, asOf }, page, signal, start);
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

/** Every pointer that some rule indexes. */
export const indexedPaths = ({ rules }: Catalogue): ReadonlySet<string> =>
  new Set([...rules.values()].flatMap(({ index }) => index));

async function search(
  deps: QueryDeps,
  { filter, order, asOf }: Pick<RecordSearch, "filter" | "order"> & { readonly asOf?: number | undefined },
  page: Pager,
  signal: AbortSignal,
  treeSize: number | undefined,
): Promise<SearchPage> {
  const { after, startTreeSize, digest } = startOf(page, treeSize);
  const found = await collectMatches(deps.history, { filter, order, after }, page.size, signal);
  const isHeld = await heldBy(
    deps,
    found.rows.map(({ rid }) => rid),
    asOf,
    signal,
  );
  const rows = found.rows.filter(({ rid }) => isHeld(rid));
  const views = await viewRecords(deps, rows, signal);
  const judged = rows.map((row, i) => judge(deps.catalogue, filter, row, views[i]));
  const records = judged.map(({ matching }) => matching).filter((view) => view !== undefined);
  const listDigest = records.reduce<Uint8Array>((before, { entry }) => listed(before, entry), digest);
  const { next } = found;
  const token = [startTreeSize ?? noTree, Buffer.from(listDigest).toString("base64url")];
  return {
    records,
    alteredRids: judged.filter(({ isAltered }) => isAltered).map(({ rid }) => rid),
    nextPageToken: next === undefined ? "" : page.tokenAt([next.value, next.rid, ...token]),
    startTreeSize,
    listDigest,
  };
}

/** The digest of a list with one entry more: SHA-256(digest of the list before ‖ SHA-256(0x00 ‖ entry)). */
const listed = (before: Uint8Array, entry: string): Uint8Array =>
  sha256(Buffer.concat([before, leafHash(sha256, entry)]));
/** Of a list without entries. */
const emptyList = new Uint8Array(32);

/** In a token, which has no place for what is absent. */
const noTree = -1;

function startOf({ after }: Pager, treeSize: number | undefined) {
  if (after === undefined) return { after, startTreeSize: treeSize, digest: emptyList };
  const [value, rid, size, digest] = after;
  return {
    after: { value: Number(value), rid: String(rid) as Rid },
    startTreeSize: typeof size === "number" && size !== noTree ? size : undefined,
    digest: Buffer.from(String(digest), "base64url"),
  };
}

/** What is sealed decides; what was erased cannot contradict. */
function judge(catalogue: Catalogue, filter: Filter, row: RecordRow, view: RecordView | undefined) {
  const { rid } = row;
  if (view === undefined) return { rid, isAltered: true, matching: undefined };
  const sealed = sealedValues(catalogue, row, view);
  // Whether a record is active changes while one reads, and one that is not indexed yet may only match: such a row was not altered.
  const isAltered =
    holds(filter, (field) => (field === "active" || field === "text" ? undefined : sealed(field))) === false;
  return { rid, isAltered, matching: holds(filter, sealed) === false ? undefined : view };
}
