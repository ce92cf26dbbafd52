/** What each version in a range changed in the state of its entity, oldest first, page by page. */
import { changedValues } from "../core/changed-values.ts";
import { differences, operationFrameBytes } from "../core/diff.ts";
import { exactText } from "../core/exact-json.ts";
import type { StreamId } from "../core/ids.ts";
import type { JsonValue } from "../core/json.ts";
import type { RecordRow } from "../core/record.ts";
import { type EntityState, isBase, nextState, noState } from "../core/state.ts";
import { type ShownDifference, shownDifference } from "./compare-versions.ts";
import { type Caller, checkEntity, type EntityName, invalid, type QueryDeps, streamOf } from "./deps.ts";
import { answerBytes } from "./get-history.ts";
import {
  type Fold,
  foldBack,
  type Known,
  requireSealed,
  stepOf,
  type Told,
  unreadable,
} from "./get-state.ts";
import { chunkRowsMax, type PageRequest, pageBytesMax, pager, passedRowsMax } from "./page.ts";
import { isInSight, permit, requireReach, show, tellRead } from "./permit.ts";
import type { RecordView } from "./record-view.ts";
import { viewRecords } from "./view-records.ts";

export type ListChangesRequest = PageRequest & {
  readonly entity: EntityName;
  /** Inclusive. 0: the first; the head. */
  readonly fromVersion: number;
  readonly toVersion: number;
  /** Inclusive; exclusive. */
  readonly recordedFromMs: number | undefined;
  readonly recordedToMs: number | undefined;
};

export type Change = {
  readonly record: RecordView;
  /** JSON text; undefined where there was, or is, no state. */
  readonly oldValues: string | undefined;
  readonly newValues: string | undefined;
  readonly differences: readonly ShownDifference[];
  readonly erased: boolean;
  /** The caller may not see persons in what the values are made of. */
  readonly masked: boolean;
};
export type ChangePage = { readonly changes: readonly Change[]; readonly nextPageToken: string };

export async function listChanges(
  deps: QueryDeps,
  request: ListChangesRequest,
  caller: Caller,
  signal: AbortSignal,
): Promise<ChangePage> {
  const access = permit(deps, caller, "ListChanges");
  const entity = checkEntity(request.entity);
  requireReach(deps, access, { tenant: entity.tenant, entity_type: entity.entityType });
  const { fromVersion, toVersion, recordedFromMs = null, recordedToMs = null } = request;
  const { tenant, namespace, entityType, entityId } = entity;
  const question = [
    tenant,
    namespace,
    entityType,
    entityId,
    fromVersion,
    toVersion,
    recordedFromMs,
    recordedToMs,
  ];
  const page = pager(deps, "ListChanges", question, "version", caller, request);
  const stream = streamOf(deps, entity);
  const asked = await rangeOf(deps, stream, request, signal);
  const from = page.after === undefined ? asked.from : Number(page.after[0]) + 1;
  if (from > asked.to) return { changes: [], nextPageToken: "" };
  const walk: Walk = { deps, access, entity, stream, request, signal };
  const { changes, last } = await changesOf(walk, from, asked.to, page.size);
  await tellRead(
    deps,
    access,
    changes.map(({ record }) => record),
    signal,
  );
  return {
    changes,
    nextPageToken: last >= asked.to ? "" : page.tokenAt([last]),
  };
}

type Range = { readonly from: number; readonly to: number };

/** Versions that are there. Times follow versions: a version is never recorded before the one it follows. */
async function rangeOf(
  { history }: QueryDeps,
  stream: StreamId,
  { fromVersion, toVersion, recordedFromMs, recordedToMs }: ListChangesRequest,
  signal: AbortSignal,
): Promise<Range> {
  for (const [field, version] of Object.entries({ from_version: fromVersion, to_version: toVersion }))
    if (!Number.isSafeInteger(version) || version < 0)
      throw invalid(field, "must be a version from 1 on, or 0");
  if (toVersion !== 0 && toVersion < fromVersion)
    throw invalid("to_version", "must not be below from_version");
  if (recordedFromMs !== undefined && recordedToMs !== undefined && recordedToMs <= recordedFromMs)
    throw invalid("recorded_to", "must be later than recorded_from");
  const newestBefore = async (ms: number | undefined): Promise<number> => {
    const bound = ms === undefined ? undefined : { recordedAtMs: ms - 1 };
    return (await history.asOf(stream, "change", bound, signal))?.version ?? 0;
  };
  const below = recordedFromMs === undefined ? 0 : await newestBefore(recordedFromMs);
  const newest = await newestBefore(recordedToMs);
  return {
    from: Math.max(1, fromVersion, below + 1),
    to: toVersion === 0 ? newest : Math.min(toVersion, newest),
  };
}

type Walk = Fold & { readonly request: ListChangesRequest };

type Changes = { readonly changes: readonly Change[]; readonly last: number };

/**
 * Closes on count, on bytes, or when enough were passed over that are out of the caller's reach: of those nothing is read before one in reach
 * is met, so that an entity without any is answered as one that is not there.
 */
async function changesOf(walk: Walk, from: number, to: number, countMax: number): Promise<Changes> {
  const { access } = walk;
  const changes: Change[] = [];
  let known: Known | undefined;
  let [bytes, passed, version] = [0, 0, from];
  while (version <= to && passed < passedRowsMax) {
    const wanted = countMax - changes.length;
    const rows = await rowsFrom(walk, version, to, passed > 0 ? chunkRowsMax : wanted);
    if (rows.length === 0 && access.seen !== undefined && changes.length === 0) return { changes, last: to };
    if (rows.length === 0) throw unreadable(`version ${version} is missing`);
    const views = await viewsInSight(walk, rows);
    for (const row of rows) {
      const view = isInSight(access, row) ? sealedAt(walk, row, views.get(row), version) : undefined;
      const shown = view && show(access, row, view);
      if (view === undefined || shown === undefined) {
        passed += 1;
        version = Math.max(version, row.version) + 1;
        continue;
      }
      const before = await stateBefore(walk, version, known);
      known = { version, ...toldAfter(walk, before, row, view) };
      const change = changeOf(shown, before, known);
      bytes += bytesOf(row, change);
      if (changes.length > 0 && bytes > pageBytesMax) return { changes, last: version - 1 };
      changes.push(change);
      version += 1;
      if (changes.length >= countMax)
        return { changes, last: (await isMoreInSight(walk, version, to)) ? version - 1 : to };
    }
  }
  return { changes, last: version - 1 };
}

const rowsFrom = ({ deps, stream, signal }: Walk, from: number, to: number, countMax: number) => {
  const limit = Math.min(chunkRowsMax, countMax, to - from + 1);
  return deps.history.versions({ stream, kind: "change", from, to, order: "asc", limit }, signal);
};

async function viewsInSight({ deps, access, signal }: Walk, rows: readonly RecordRow[]) {
  const inSight = rows.filter((row) => isInSight(access, row));
  const views = inSight.length === 0 ? [] : await viewRecords(deps, inSight, signal);
  return new Map(inSight.map((row, i) => [row, views[i]]));
}

/** By what columns say, and of more than `passedRowsMax` versions yes. */
async function isMoreInSight(walk: Walk, from: number, to: number): Promise<boolean> {
  const { access } = walk;
  if (access.seen === undefined) return true;
  let at = from;
  for (let limit = 1; at <= to && at - from < passedRowsMax; limit = chunkRowsMax) {
    const rows = await rowsFrom(walk, at, to, limit);
    if (rows.length === 0 || rows.some((row) => isInSight(access, row))) return true;
    at += rows.length;
  }
  return at <= to;
}

function toldAfter({ deps, access }: Walk, before: Told, row: RecordRow, view: RecordView): Told {
  const step = stepOf({ deps, access }, row, view);
  return { state: nextState(before.state, step), isWhole: step.isWhole && (isBase(step) || before.isWhole) };
}

/** Of versions out of the caller's reach, too: what they changed is not told as what this one did. */
async function stateBefore(walk: Walk, version: number, known: Known | undefined): Promise<Told> {
  if (version === 1) return { state: noState, isWhole: true };
  if (known?.version === version - 1) return known;
  const [row] = await rowsFrom(walk, version - 1, version - 1, 1);
  if (row === undefined) throw unreadable(`version ${version - 1} is missing`);
  const [view] = await viewRecords(walk.deps, [row], walk.signal);
  requireSealed(view, row.rid, walk.entity, version - 1);
  return foldBack(walk, row, view, known);
}

/** The columns that chose it are held against what is sealed. */
function sealedAt(
  { entity, request: { recordedFromMs, recordedToMs } }: Walk,
  row: RecordRow,
  view: RecordView | undefined,
  version: number,
): RecordView {
  requireSealed(view, row.rid, entity, version);
  const { recordedAtMs } = view;
  const isWithin =
    recordedAtMs >= (recordedFromMs ?? recordedAtMs) && recordedAtMs < (recordedToMs ?? recordedAtMs + 1);
  if (!isWithin) throw unreadable(`record ${row.rid} was found by a time, but says it is of another`);
  return view;
}

function bytesOf(row: RecordRow, { oldValues, newValues, differences: told }: Change): number {
  const texts = told.flatMap(({ path, oldValue, newValue }) => [path, oldValue, newValue]);
  return [oldValues, newValues, ...texts].reduce<number>(
    (bytes, text) => bytes + Buffer.byteLength(text ?? ""),
    answerBytes(row) + told.length * operationFrameBytes,
  );
}

const isErased = ({ kind, deleted }: EntityState): boolean => kind === "erased" && !deleted;
const stateOf = (state: EntityState): JsonValue | undefined =>
  state.kind === "known" && !state.deleted ? state.state : undefined;
const textOf = (value: JsonValue | undefined): string | undefined =>
  value === undefined ? undefined : exactText(value);

function changeOf(record: RecordView, before: Told, after: Told): Change {
  const untold = { record, oldValues: undefined, newValues: undefined, differences: [] };
  if (isErased(before.state) || isErased(after.state)) return { ...untold, erased: true, masked: false };
  const [from, to] = [stateOf(before.state), stateOf(after.state)];
  const found = differences(from ?? null, to ?? null);
  if (!before.isWhole || !after.isWhole) {
    return {
      ...untold,
      differences: found.map(({ op, path }) => ({ op, path })),
      erased: false,
      masked: true,
    };
  }
  const values = changedValues(from, to);
  return {
    record,
    oldValues: textOf(values.old),
    newValues: textOf(values.new),
    differences: found.map(shownDifference),
    erased: false,
    masked: false,
  };
}
