/** Calls that last longer than tokens and grants may: what they give is given while the caller may still see what was chosen for it when they began. */
import { scopesFor } from "../access/policy.ts";
import type { Caller, Scope } from "../core/caller.ts";
import { LastroError } from "../core/errors.ts";
import { isWithin } from "../core/scope.ts";
import type { QueryDeps } from "./deps.ts";

type Deps = Pick<QueryDeps, "guard">;
type LastingDeps = Pick<QueryDeps, "guard" | "now">;
/** Where the caller may do it, each scope as `permit` shows it. */
type Rights = readonly Scope[];

export const rightsTo = (caller: Caller, method: string, isOpened: boolean): Rights =>
  scopesFor(caller, method).map((scope) => (isOpened ? { ...scope, personal: true } : scope));

const lost = (): LastroError =>
  new LastroError(
    "PERMISSION_DENIED",
    "grants of yours that this began with are gone; begin it again with those you have",
  );

/** Throws PERMISSION_DENIED where the caller may no longer do all of that. Of grants that add up to what one was, it does not know: then, too, one has to begin again. */
export function requireRights({ guard }: Deps, caller: Caller, method: string, began: Rights): void {
  const grants = caller.grantsNow?.() ?? caller.grants;
  const now = rightsTo({ ...caller, grants }, method, guard.personal.isOpened(caller));
  if (now.length > 0 && began.every((scope) => now.some((one) => isWithin(scope, one)))) return;
  guard.watch.denied(caller, method);
  throw lost();
}

export const expired = (): LastroError =>
  new LastroError(
    "UNAUTHENTICATED",
    "the token or certificate has expired; go on from the last position with a new one",
  );

/** To be asked before each part of an answer is given. Throws UNAUTHENTICATED once the caller's token or certificate has expired. */
export function lasting({ guard, now }: LastingDeps, caller: Caller, method: string): () => void {
  const isOpened = guard.personal.isOpened(caller);
  const began = rightsTo(caller, method, isOpened);
  return () => {
    if (caller.untilMs !== undefined && now() >= caller.untilMs) throw expired();
    const isSame = caller.grantsNow === undefined || caller.grantsNow() === caller.grants;
    if (!isSame || isOpened !== guard.personal.isOpened(caller))
      requireRights({ guard }, caller, method, began);
  };
}
