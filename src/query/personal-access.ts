/** Personal access, as callers ask for it, approve it and see it. */
import { accessMsDefault, accessMsMax } from "../access/personal-access.ts";
import type { PersonalAccess } from "../ports/store-state.ts";
import { type Caller, invalid, type QueryDeps, requireText } from "./deps.ts";
import { permit } from "./permit.ts";

export type PersonalAccessRequest = {
  readonly reason: string;
  /** Undefined: an hour. */
  readonly forMs: number | undefined;
};

export async function askPersonalAccess(
  deps: QueryDeps,
  request: PersonalAccessRequest,
  caller: Caller,
  signal: AbortSignal,
): Promise<PersonalAccess> {
  permit(deps, caller, "AskPersonalAccess");
  const reason = requireText(request.reason, "reason");
  const { forMs = accessMsDefault } = request;
  if (!(forMs > 0 && forMs <= accessMsMax)) throw invalid("duration", "must be above 0 and at most 8 h");
  return deps.guard.personal.ask(caller, reason, forMs, signal);
}

export async function approvePersonalAccess(
  deps: QueryDeps,
  id: string,
  caller: Caller,
  signal: AbortSignal,
): Promise<PersonalAccess> {
  permit(deps, caller, "ApprovePersonalAccess");
  return deps.guard.personal.approve(caller, requireText(id, "id"), signal);
}

export async function listPersonalAccess(
  deps: QueryDeps,
  caller: Caller,
  signal: AbortSignal,
): Promise<readonly PersonalAccess[]> {
  permit(deps, caller, "ListPersonalAccess");
  return deps.guard.personal.list(signal);
}
