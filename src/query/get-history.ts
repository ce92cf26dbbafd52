/** The versions of an entity, page by page. */
import type { StreamKind } from "../core/event.ts";
import type { Rid, StreamId } from "../core/ids.ts";
import { activates, type RecordRow } from "../core/record.ts";
import type { RelatedStream } from "../ports/history-reader.ts";
import { type Caller, checkEntity, type EntityName, type QueryDeps, streamOf } from "./deps.ts";
import { collectRows, type PageRequest, pager } from "./page.ts";
import { type Access, isInSight, permit, requireReach, show, tellRead } from "./permit.ts";
import { contentOf, type RecordView } from "./record-view.ts";
import { viewRecords } from "./view-records.ts";

const relatedMax = 20;

export type GetHistoryRequest = PageRequest & {
  readonly entity: EntityName;
  /** None: changes. */
  readonly kinds: readonly StreamKind[];
  readonly includeInactive: boolean;
  readonly order: "asc" | "desc";
};

export type RecordPage = {
  readonly records: readonly RecordView[];
  /** Left out of `records`: what is sealed in them does not belong to the question. */
  readonly alteredRids: readonly Rid[];
  readonly nextPageToken: string;
};
export type HistoryPage = RecordPage & { readonly seeAlso: readonly RelatedStream[] };

type Place = { readonly kind: StreamKind; readonly version: number };

export async function getHistory(
  deps: QueryDeps,
  request: GetHistoryRequest,
  caller: Caller,
  signal: AbortSignal,
): Promise<HistoryPage> {
  const access = permit(deps, caller, "GetHistory");
  const entity = checkEntity(request.entity);
  requireReach(deps, access, { tenant: entity.tenant, entity_type: entity.entityType });
  const kinds = (["change", "activity"] as const).filter((kind) =>
    request.kinds.length === 0 ? kind === "change" : request.kinds.includes(kind),
  );
  const question = [
    entity.tenant,
    entity.namespace,
    entity.entityType,
    entity.entityId,
    kinds,
    request.includeInactive,
  ];
  const page = pager(deps, "GetHistory", question, request.order, caller, request);
  const start = page.after === undefined ? undefined : placeOf(page.after);
  const stream = streamOf(deps, entity);
  const walk: Walk = {
    deps,
    stream,
    kinds,
    order: request.order,
    includeInactive: request.includeInactive,
    signal,
  };
  const { rows: found, last } = await collectRows(
    page.size,
    answerBytes,
    (after, limit) => rowsBehind(walk, after ?? start, limit),
    (row) => isInSight(access, row),
  );
  const views = await viewRecords(deps, found, signal);
  const belongs = (view: RecordView | undefined): view is RecordView => {
    const content = view === undefined ? undefined : contentOf(view);
    return (
      view !== undefined && view.tenant === entity.tenant && (content === undefined || isOf(content, entity))
    );
  };
  const shown = found.map((row, i) => {
    const view = views[i];
    return belongs(view) ? show(access, row, view) : undefined;
  });
  const records = shown
    .filter((view) => view !== undefined)
    .filter((v) => request.includeInactive || v.kind === "activity" || v.isActive);
  await tellRead(deps, access, records, signal);
  return {
    records,
    alteredRids: found.filter((_, i) => !belongs(views[i])).map((row) => row.rid),
    nextPageToken: last === undefined ? "" : page.tokenAt([last.kind, last.version]),
    seeAlso: start === undefined ? await related(deps, stream, access, signal) : [],
  };
}

/** An id that streams share may be a person's, and of whom they are is not known: only who sees everything is told. */
async function related(
  { history }: QueryDeps,
  stream: StreamId,
  { whole }: Access,
  signal: AbortSignal,
): Promise<readonly RelatedStream[]> {
  return whole === undefined ? history.relatedStreams(stream, relatedMax, signal) : [];
}

const placeOf = ([kind, version]: readonly (string | number)[]): Place => ({
  kind: kind === "activity" ? "activity" : "change",
  version: Number(version),
});

/** Roughly what a record takes in an answer: the event, its payload and metadata again, entry and fields. */
export const answerBytes = (row: RecordRow): number => 2 * row.body.length + row.entry.length + 256;

const isOf = (
  content: { readonly namespace: string; readonly entityType: string; readonly entityId: string | undefined },
  entity: EntityName,
): boolean =>
  content.namespace === entity.namespace &&
  content.entityType === entity.entityType &&
  (content.entityId === undefined || content.entityId === entity.entityId);

type Walk = {
  readonly deps: QueryDeps;
  readonly stream: StreamId;
  readonly kinds: readonly StreamKind[];
  readonly order: "asc" | "desc";
  readonly includeInactive: boolean;
  readonly signal: AbortSignal;
};

/** Kinds one after the other; within a kind by version. */
async function rowsBehind(
  walk: Walk,
  after: Place | undefined,
  limit: number,
): Promise<readonly RecordRow[]> {
  const kind = after?.kind ?? walk.kinds[0];
  if (kind === undefined) return [];
  const rows = await rowsOfKind(walk, kind, after?.version, limit);
  const next = walk.kinds[walk.kinds.indexOf(kind) + 1];
  if (rows.length === limit || next === undefined) return rows;
  return [...rows, ...(await rowsOfKind(walk, next, undefined, limit - rows.length))];
}

async function rowsOfKind(
  { deps, stream, order, includeInactive, signal }: Walk,
  kind: StreamKind,
  after: number | undefined,
  limit: number,
): Promise<readonly RecordRow[]> {
  if (kind === "change" && !includeInactive) {
    const head = after === undefined ? await deps.history.asOf(stream, kind, undefined, signal) : undefined;
    return head !== undefined && activates(head.action) ? [head] : [];
  }
  if (order === "asc") {
    return deps.history.versions(
      { stream, kind, from: (after ?? 0) + 1, to: undefined, order, limit },
      signal,
    );
  }
  if (after === 1) return [];
  const to = after === undefined ? undefined : after - 1;
  return deps.history.versions({ stream, kind, from: 1, to, order, limit }, signal);
}
