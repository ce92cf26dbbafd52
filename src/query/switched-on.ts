/** Whether what a question asks for is switched on: asked once a question, behind `permit`, whatever the transport. */
import { scopesFor } from "../access/policy.ts";
import { LastroError } from "../core/errors.ts";
import type { Filter } from "../core/filter.ts";
import { fieldsOf } from "../core/filter-holds.ts";
import type { SwitchName } from "../core/switches.ts";
import type { QueryDeps } from "./deps.ts";
import type { Access } from "./permit.ts";

type Deps = Pick<QueryDeps, "guard">;

/** For clients that try again by themselves. */
const retryAfterMs = 30_000;

/** Throws SWITCHED_OFF. */
export async function requireOn({ guard }: Deps, access: Access, name: SwitchName): Promise<void> {
  const { caller, method } = access;
  const context = { method, callerKind: caller.kind, tenant: onlyTenantOf(access) };
  if (await guard.switches.isOn(name, context)) return;
  guard.switchedOff(name);
  throw new LastroError(
    "SWITCHED_OFF",
    `an operator has switched ${name} off for now; try again later, or ask whoever runs this service`,
    { retryAfterMs },
  );
}

/** Words cost an index of their own or opened records, whoever asks for them. */
export const requireTextOn = async (deps: Deps, access: Access, filter: Filter): Promise<void> =>
  fieldsOf(filter).includes("text") ? requireOn(deps, access, "full_text_search") : undefined;

/** Undefined where a grant is not bound to tenants, or they are bound to several. */
export function onlyTenantOf({ caller, method }: Pick<Access, "caller" | "method">): string | undefined {
  const [first, ...others] = new Set<string | undefined>(
    scopesFor(caller, method).flatMap<string | undefined>(({ tenants }) => tenants ?? [undefined]),
  );
  return others.length === 0 ? first : undefined;
}
