/** Who owns the data that events are about. */
import { LastroError } from "../core/errors.ts";
import { holds, type ReadField } from "../core/filter-holds.ts";
import type { OwnershipKey } from "../core/ids.ts";
import { searchable } from "../core/projection.ts";
import type { OwnershipDocument } from "../ports/history-reader.ts";
import { type Caller, type QueryDeps, requireText, tenantOf } from "./deps.ts";
import { collectRows, type PageRequest, pager } from "./page.ts";
import { type Access, permit, requireReach, requireWhole, tellTold } from "./permit.ts";
import { onlyTenantOf } from "./switched-on.ts";

/** Masked: the id of the person was left out. */
export type ShownOwnership = OwnershipDocument & { readonly isMasked: boolean };
export type GetOwnershipRequest = { readonly tenant: string; readonly ownershipId: string };

export async function getOwnership(
  deps: QueryDeps,
  request: GetOwnershipRequest,
  caller: Caller,
  signal: AbortSignal,
): Promise<ShownOwnership> {
  const access = requireWhole(deps, permit(deps, caller, "GetOwnership"), "ownership_id");
  const tenant = tenantOf(request.tenant, "tenant");
  const ownershipId = requireText(request.ownershipId, "ownership_id");
  requireReach(deps, access, { tenant, ownership_id: searchable(ownershipId) });
  const document = await deps.history.ownership(deps.lookup.ownership(tenant, ownershipId), signal);
  if (document === undefined) {
    throw new LastroError("NOT_FOUND", "there is no ownership with this id", { field: "ownership_id" });
  }
  const answer = { ...document, isMasked: false };
  await tellOwnerships(deps, access, [answer], signal);
  return answer;
}

/** Of an erased or a masked one nobody is told who it was. */
async function tellOwnerships(
  deps: QueryDeps,
  access: Access,
  answer: readonly ShownOwnership[],
  signal: AbortSignal,
): Promise<void> {
  const named = answer.filter(({ ownershipId }) => ownershipId !== undefined);
  const tenants = [...new Set(named.map(({ tenant }) => tenant))];
  await tellTold(deps, access, { what: "ownerships", number: named.length, tenants }, signal);
}

/** What an ownership says of the fields that scopes may bound it by. Of an erased one the id is not known. */
const valuesOf =
  ({ tenant, ownershipId }: OwnershipDocument): ReadField =>
  (field) =>
    field === "tenant" ? tenant : field === "ownership_id" && ownershipId ? searchable(ownershipId) : "";

function shown({ seen, whole }: Access, document: OwnershipDocument): ShownOwnership | undefined {
  const read = valuesOf(document);
  if (seen !== undefined && holds(seen, read) !== true) return undefined;
  if (whole === undefined || holds(whole, read) === true) return { ...document, isMasked: false };
  return { ...document, ownershipId: undefined, isMasked: true };
}

/** An empty tenant: all of them. */
export type ListOwnershipsRequest = PageRequest & { readonly tenant: string };
export type OwnershipPage = {
  readonly ownerships: readonly ShownOwnership[];
  readonly nextPageToken: string;
};

export async function listOwnerships(
  deps: QueryDeps,
  request: ListOwnershipsRequest,
  caller: Caller,
  signal: AbortSignal,
): Promise<OwnershipPage> {
  const access = permit(deps, caller, "ListOwnerships");
  if (request.tenant !== "") requireReach(deps, access, { tenant: requireText(request.tenant, "tenant") });
  const tenant = request.tenant === "" ? onlyTenantOf(access) : request.tenant;
  const page = pager(deps, "ListOwnerships", [request.tenant], "ownership asc", caller, request);
  const start = page.after?.[0];
  const { rows, last } = await collectRows(
    page.size,
    documentBytes,
    (row, limit) => {
      const after = row?.ownership ?? (start === undefined ? undefined : (String(start) as OwnershipKey));
      return deps.history.ownerships({ tenant, after, limit }, signal);
    },
    (row) => shown(access, row) !== undefined,
  );
  const ownerships = rows.map((row) => shown(access, row)).filter((row) => row !== undefined);
  await tellOwnerships(deps, access, ownerships, signal);
  return {
    ownerships,
    nextPageToken: last === undefined ? "" : page.tokenAt([last.ownership]),
  };
}

const documentBytes = (document: OwnershipDocument): number =>
  256 + 4 * [...document.producers, ...document.legalBases, ...document.purposes].join().length;
