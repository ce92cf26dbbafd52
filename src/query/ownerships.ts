/** Who owns the data that events are about. */
import { LastroError } from "../core/errors.ts";
import type { OwnershipKey } from "../core/ids.ts";
import type { OwnershipDocument } from "../ports/history-reader.ts";
import { type Caller, type QueryDeps, requireText, tenantOf } from "./deps.ts";
import { collectRows, type PageRequest, pager } from "./page.ts";

export type GetOwnershipRequest = { readonly tenant: string; readonly ownershipId: string };

export async function getOwnership(
  deps: QueryDeps,
  request: GetOwnershipRequest,
  _caller: Caller,
  signal: AbortSignal,
): Promise<OwnershipDocument> {
  const tenant = tenantOf(request.tenant, "tenant");
  const key = deps.lookup.ownership(tenant, requireText(request.ownershipId, "ownership_id"));
  const document = await deps.history.ownership(key, signal);
  if (document === undefined) {
    throw new LastroError("NOT_FOUND", "there is no ownership with this id", { field: "ownership_id" });
  }
  return document;
}

/** An empty tenant: all of them. */
export type ListOwnershipsRequest = PageRequest & { readonly tenant: string };
export type OwnershipPage = {
  readonly ownerships: readonly OwnershipDocument[];
  readonly nextPageToken: string;
};

export async function listOwnerships(
  deps: QueryDeps,
  request: ListOwnershipsRequest,
  caller: Caller,
  signal: AbortSignal,
): Promise<OwnershipPage> {
  const tenant = request.tenant === "" ? undefined : requireText(request.tenant, "tenant");
  const page = pager(deps, "ListOwnerships", [request.tenant], "ownership asc", caller, request);
  const start = page.after?.[0];
  const { rows, isLast } = await collectRows(page.size, documentBytes, (row, limit) => {
    const after = row?.ownership ?? (start === undefined ? undefined : (String(start) as OwnershipKey));
    return deps.history.ownerships({ tenant, after, limit }, signal);
  });
  const last = rows.at(-1);
  return {
    ownerships: rows,
    nextPageToken: isLast || last === undefined ? "" : page.tokenAt([last.ownership]),
  };
}

const documentBytes = (document: OwnershipDocument): number =>
  256 + 4 * [...document.producers, ...document.legalBases, ...document.purposes].join().length;
