/** The state of an entity: now, at a version, or as of a moment; folded from its change records. */
import { parseExactly } from "../core/canonical.ts";
import { ruleFor } from "../core/catalogue.ts";
import { LastroError } from "../core/errors.ts";
import { exactText } from "../core/exact-json.ts";
import type { Rid, StreamId } from "../core/ids.ts";
import type { JsonValue } from "../core/json.ts";
import type { RecordRow } from "../core/record.ts";
import { type EntityState, foldState, isBase, noState, type StateStep } from "../core/state.ts";
import type { AsOf } from "../ports/history-reader.ts";
import {
  type Caller,
  checkEntity,
  type EntityName,
  type QueryDeps,
  requireVersion,
  streamOf,
} from "./deps.ts";
import { type Access, isInSight, permit, requireReach, show, tellRead } from "./permit.ts";
import { contentOf, type RecordView } from "./record-view.ts";
import { viewRecord, viewRecords } from "./view-records.ts";

/** How many records one state may be folded from. */
export const foldRecordsMax = 1000;
/** Payloads held at once while a state is folded. */
const foldBytesMax = 32 * 1024 * 1024;
const foldChunkRows = 32;

export type GetStateRequest = { readonly entity: EntityName; readonly asOf: AsOf };

/** `masked`: it is made of a record that is not shown whole. */
type ShownState = EntityState | { readonly kind: "masked"; readonly deleted: boolean };
type Found<State> = {
  readonly found: true;
  readonly state: State;
  /** The state's JSON text; of a single whole state to the byte what was received. */
  readonly text: Uint8Array | undefined;
  readonly record: RecordView;
};
export type StateAnswer = { readonly found: false } | Found<ShownState>;
/** Not for callers: `isWhole` says whether they may be told the state. */
export type FoldedState = { readonly found: false } | (Found<EntityState> & { readonly isWhole: boolean });

export async function getState(
  deps: QueryDeps,
  request: GetStateRequest,
  caller: Caller,
  signal: AbortSignal,
): Promise<StateAnswer> {
  const access = permit(deps, caller, "GetState");
  const folded = await foldedState(deps, request, access, signal);
  if (!folded.found) return folded;
  const { state, text, record, isWhole } = folded;
  await tellRead(deps, access, [record], signal);
  if (isWhole) return { found: true, state, text, record };
  return { found: true, state: { kind: "masked", deleted: state.deleted }, text: undefined, record };
}

export async function foldedState(
  deps: QueryDeps,
  request: GetStateRequest,
  access: Access,
  signal: AbortSignal,
): Promise<FoldedState> {
  const entity = checkEntity(request.entity);
  requireReach(deps, access, { tenant: entity.tenant, entity_type: entity.entityType });
  const bound = request.asOf;
  if (bound !== undefined && "version" in bound) requireVersion(bound.version, "version");
  const stream = streamOf(deps, entity);
  const row = await deps.history.asOf(stream, "change", bound, signal);
  // A version that is not there yet has no state.
  const isThere = bound === undefined || !("version" in bound) || row?.version === bound.version;
  if (row === undefined || !isThere || !isInSight(access, row)) return { found: false };
  const newest = await viewRecord(deps, row, signal);
  requireSealed(newest, row.rid, entity, row.version);
  if (bound !== undefined && "recordedAtMs" in bound && newest.recordedAtMs > bound.recordedAtMs) {
    throw unreadable(`record ${row.rid} was found as of a moment, but says it is newer`);
  }
  const record = show(access, row, newest);
  if (record === undefined) return { found: false };
  const { steps, state, isWhole } = await foldBack({ deps, stream, entity, access, signal }, row, newest);
  const text = state.kind === "known" ? textOf(state.state, steps) : undefined;
  return { found: true, state, text, record, isWhole };
}

/** Of a single whole state as it was received. */
function textOf(state: JsonValue, steps: readonly Step[]): Uint8Array {
  const [only, ...others] = steps.filter((step) => step.action !== "delete");
  const received = only !== undefined && isBase(only) && others.length === 0 ? only.text : undefined;
  return received ?? new TextEncoder().encode(exactText(state));
}

type Step = StateStep & {
  readonly version: number;
  readonly text: Uint8Array | undefined;
  /** Whether the caller is shown this record whole. */
  readonly isWhole: boolean;
};
export type Fold = {
  readonly deps: QueryDeps;
  readonly stream: StreamId;
  readonly entity: EntityName;
  readonly access: Access;
  readonly signal: AbortSignal;
};

/** A state, and whether all that it is made of is shown whole. */
export type Told = { readonly state: EntityState; readonly isWhole: boolean };
/** That of an earlier version. */
export type Known = Told & { readonly version: number };

/** The state at the record, folded from what was before it; where that of an earlier version is known, from there. */
export async function foldBack(
  fold: Fold,
  row: RecordRow,
  newest: RecordView,
  known: Known = { version: 0, state: noState, isWhole: true },
): Promise<Told & { readonly steps: readonly Step[] }> {
  const steps = await stepsBack(fold, row, newest, known.version);
  const isFromKnown = steps[0] !== undefined && !isBase(steps[0]);
  return {
    steps,
    state: foldState(steps, known.state),
    isWhole: steps.every(({ isWhole }) => isWhole) && (!isFromKnown || known.isWhole),
  };
}

/** What the state is folded from, ascending: back to the last whole state or to the version behind the known one. */
async function stepsBack(
  fold: Fold,
  row: RecordRow,
  newest: RecordView,
  known: number,
): Promise<readonly Step[]> {
  const { deps, stream, entity, signal } = fold;
  let oldest = stepOf(fold, row, newest);
  const back = [oldest];
  let bytes = 0;
  while (!isBase(oldest) && oldest.version > known + 1) {
    if (back.length >= foldRecordsMax || bytes > foldBytesMax) {
      throw new LastroError(
        "FAILED_PRECONDITION",
        `this state is folded from more than ${foldRecordsMax} records or ${foldBytesMax} bytes; let the producer send a whole state now and then`,
      );
    }
    const to = oldest.version - 1;
    const rows = await deps.history.versions(
      { stream, kind: "change", from: known + 1, to, order: "desc", limit: foldChunkRows },
      signal,
    );
    if (rows.length === 0) throw unreadable(`version ${to} is missing`);
    const views = await viewRecords(deps, rows, signal);
    for (const [i, earlier] of rows.entries()) {
      const view = views[i];
      requireSealed(view, earlier.rid, entity, oldest.version - 1);
      oldest = stepOf(fold, earlier, view);
      bytes += oldest.text?.length ?? 0;
      back.push(oldest);
      if (isBase(oldest)) break;
    }
  }
  return back.reverse();
}

export const unreadable = (why: string): LastroError =>
  new LastroError(
    "BODY_UNREADABLE",
    `the state cannot be told: ${why}; compare the entity's records with the log`,
  );

/** A state is only made of records whose sealed part says that they are that version of that entity. */
export function requireSealed(
  view: RecordView | undefined,
  rid: Rid,
  entity: EntityName,
  version: number,
): asserts view is RecordView {
  if (view === undefined || view.content.state === "broken")
    throw unreadable(`record ${rid} is not what was written`);
  const content = contentOf(view);
  const isEntity =
    content === undefined ||
    (content.namespace === entity.namespace &&
      content.entityType === entity.entityType &&
      (content.entityId ?? entity.entityId) === entity.entityId);
  if (view.tenant !== entity.tenant || view.kind !== "change" || view.version !== version || !isEntity) {
    throw unreadable(`record ${rid} was found in the place of version ${version}, but says it is another`);
  }
}

export function stepOf(
  { deps, access }: Pick<Fold, "deps" | "access">,
  row: RecordRow,
  view: RecordView,
): Step {
  const text = contentOf(view)?.payload;
  const payload = text === undefined ? undefined : parseExactly(new TextDecoder().decode(text));
  return {
    version: view.version,
    action: view.action === "none" ? "update" : view.action,
    payloadIs: ruleFor(deps.catalogue, view.eventType)?.payloadIs ?? "state",
    payload,
    text,
    isWhole: show(access, row, view) === view,
  };
}
