/** What a caller may see of an answer. Every question begins with `permit`, before anything is read, and shows records through `show`. */
import { type Method, needsNoGrant, scopesFor } from "../access/policy.ts";
import { filterOfScopes } from "../access/scope.ts";
import type { Read, Told } from "../access/watch.ts";
import type { Caller, Scope } from "../core/caller.ts";
import { emptyCatalogue } from "../core/catalogue.ts";
import { LastroError } from "../core/errors.ts";
import { allOf, type Filter } from "../core/filter.ts";
import { holds, type ReadField } from "../core/filter-holds.ts";
import type { RecordRow } from "../core/record.ts";
import { type FieldValue, type SearchField, valueOfRow } from "../core/search-fields.ts";
import type { QueryDeps } from "./deps.ts";
import { asksPersonal, masked, showsBody } from "./mask.ts";
import type { RecordView } from "./record-view.ts";
import { sealedValues } from "./sealed-values.ts";

export type Access = {
  readonly caller: Caller;
  readonly method: Method;
  /** The records that may be seen; undefined: all. */
  readonly seen: Filter | undefined;
  /** Those of them that are shown whole; undefined: all. */
  readonly whole: Filter | undefined;
};
type Deps = Pick<QueryDeps, "guard">;

export function permit({ guard }: Deps, caller: Caller, method: Method): Access {
  const scopes = requireScopes({ guard }, caller, method);
  const isWhole = ({ personal }: Scope): boolean => personal;
  const whole = scopes.every(isWhole) || guard.personal.isOpened(caller) ? scopes : scopes.filter(isWhole);
  return { caller, method, seen: filterOfScopes(scopes), whole: filterOfScopes(whole) };
}

/** Before a transport looks at a request: whether the caller asks too much, and whether any grant allows it. What it gives is called when the call has ended. */
export function admit({ guard }: Deps, caller: Caller, method: string): () => void {
  const leave = guard.limits.enter(caller);
  try {
    requireScopes({ guard }, caller, method);
  } catch (denied) {
    leave();
    throw denied;
  }
  return leave;
}

/** Throws PERMISSION_DENIED for a caller without any grant for the method, and for a method that the policy does not know. */
function requireScopes({ guard }: Deps, caller: Caller, method: string): readonly Scope[] {
  const scopes = scopesFor(caller, method);
  if (scopes.length > 0 || needsNoGrant(method)) return scopes;
  guard.watch.denied(caller, method);
  throw new LastroError("PERMISSION_DENIED", `no grant of yours allows ${method}`);
}

/** For questions that name more than a record id: what they name must be within reach, whatever is there. */
export function requireReach(
  { guard }: Deps,
  { caller, method, seen }: Pick<Access, "caller" | "method" | "seen">,
  named: Readonly<Partial<Record<SearchField, FieldValue>>>,
): void {
  const read: ReadField = (field) => named[field as SearchField];
  if (seen === undefined || holds(seen, read) !== false) return;
  guard.watch.denied(caller, method);
  throw new LastroError("PERMISSION_DENIED", `no grant of yours reaches what ${method} was asked for`);
}

const nothingHolds = (filter: Filter | undefined): boolean =>
  filter?.kind === "any" && filter.of.length === 0;

/** The access of a question that itself tells of persons: to records that are shown whole. */
export function requireWhole({ guard }: Deps, access: Access, field: string): Access {
  if (!nothingHolds(access.whole)) return { ...access, seen: access.whole };
  const { caller, method } = access;
  guard.watch.denied(caller, method);
  throw new LastroError("PERMISSION_DENIED", `no grant of yours shows whom ${field} asks for`, { field });
}

/** The filter within the caller's reach. */
export function narrowed(deps: Deps, access: Access, filter: Filter): Filter {
  const { seen } = asksPersonal(filter) ? requireWhole(deps, access, "filter") : access;
  return seen === undefined ? filter : allOf([filter, seen]);
}

/** By what columns say: of what is not in sight nothing is looked at further. */
export const isInSight = ({ seen }: Access, row: RecordRow): boolean =>
  seen === undefined || holds(seen, (field) => valueOfRow(row, field)) === true;

/** The record as the caller may see it; undefined: not at all. What was erased is as its columns say. */
export function show({ seen, whole }: Access, row: RecordRow, view: RecordView): RecordView | undefined {
  if (seen === undefined && whole === undefined) return view;
  // No scope asks for words, which a catalogue names.
  const sealed = sealedValues(emptyCatalogue, row, view);
  const read: ReadField = (field) => sealed(field) ?? valueOfRow(row, field);
  if (seen !== undefined && holds(seen, read) !== true) return undefined;
  return whole === undefined || holds(whole, read) === true ? view : masked(view);
}

/** Those that are shown whole. */
export const readsOf = (views: readonly RecordView[]): readonly Read[] =>
  views.filter(showsBody).map(({ tenant, producerService }) => ({ tenant, producerService }));

/** Tells that bodies were read, once a call. Resolves at once, unless the service is to answer nothing that was not told. */
export async function tellReads(
  { guard }: Deps,
  { caller, method }: Access,
  reads: readonly Read[],
  signal: AbortSignal,
): Promise<void> {
  if (guard.watch.isOn) await guard.watch.read(caller, method, reads, signal);
}

/** Likewise, that persons were told of without their records. */
export async function tellTold(
  { guard }: Deps,
  { caller, method }: Access,
  told: Told,
  signal: AbortSignal,
): Promise<void> {
  if (guard.watch.isOn) await guard.watch.told(caller, method, told, signal);
}

export async function tellRead(
  deps: Deps,
  access: Access,
  views: readonly RecordView[],
  signal: AbortSignal,
): Promise<void> {
  if (deps.guard.watch.isOn) await tellReads(deps, access, readsOf(views), signal);
}
