/** One record, by its id or by the producer's identity for the event. */
import { LastroError } from "../core/errors.ts";
import type { EventIdentity } from "../core/event.ts";
import type { Fingerprint } from "../core/ids.ts";
import type { RecordRow } from "../core/record.ts";
import { type Caller, type QueryDeps, requireText, tenantOf } from "./deps.ts";
import { noRecord, requireRid } from "./log-leaf.ts";
import { type Access, isInSight, permit, requireReach, show, tellRead } from "./permit.ts";
import { contentOf, type RecordView } from "./record-view.ts";
import { viewRecord } from "./view-records.ts";

export type EventIdQuestion = {
  readonly tenant: string;
  readonly producerService: string;
  readonly form: Exclude<EventIdentity["form"], "fp">;
  readonly parts: readonly string[];
};
export type GetRecordRequest = { readonly rid: string } | { readonly eventId: EventIdQuestion };

export async function getRecord(
  deps: QueryDeps,
  request: GetRecordRequest,
  caller: Caller,
  signal: AbortSignal,
): Promise<RecordView> {
  const access = permit(deps, caller, "GetRecord");
  const view = await findRecord(deps, request, access, signal);
  await tellRead(deps, access, [view], signal);
  return view;
}

export async function findRecord(
  deps: QueryDeps,
  request: GetRecordRequest,
  access: Access,
  signal: AbortSignal,
): Promise<RecordView> {
  if ("eventId" in request) return byEventId(deps, request.eventId, access, signal);
  const rid = requireRid(request.rid);
  const view = await inSight(deps, await deps.history.byRid(rid, signal), access, signal);
  if (view === undefined) throw noRecord();
  return view;
}

/** Out of sight is as absent. */
async function inSight(
  deps: QueryDeps,
  row: RecordRow | undefined,
  access: Access,
  signal: AbortSignal,
  belongs: (view: RecordView) => boolean = () => true,
): Promise<RecordView | undefined> {
  if (row === undefined || !isInSight(access, row)) return undefined;
  const view = await viewRecord(deps, row, signal);
  return belongs(view) ? show(access, row, view) : undefined;
}

async function byEventId(
  deps: QueryDeps,
  asked: EventIdQuestion,
  access: Access,
  signal: AbortSignal,
): Promise<RecordView> {
  const tenant = tenantOf(asked.tenant, "event_id.tenant");
  const producerService = requireText(asked.producerService, "event_id.producer_service");
  for (const part of asked.parts)
    requireText(part, `event_id.${asked.form === "ce" ? "cloud_event" : asked.form}`);
  requireReach(deps, access, { tenant, producer_service: producerService });
  // The fingerprint counts only where the producer gave no id.
  const uid = deps.lookup.uid(tenant, producerService, asked, "" as Fingerprint);
  const isIt = (view: RecordView): boolean => isAsked(view, tenant, producerService, asked);
  const view = await inSight(deps, await deps.history.byUid(uid, signal), access, signal, isIt);
  if (view === undefined)
    throw new LastroError("NOT_FOUND", "there is no record with this event id", { field: "event_id" });
  return view;
}

/** The uid column only finds; what it found must say the same of itself, as far as it is not erased. */
function isAsked(view: RecordView, tenant: string, producerService: string, asked: EventIdQuestion): boolean {
  const identity = contentOf(view)?.identity;
  return (
    view.tenant === tenant &&
    view.producerService === producerService &&
    (identity === undefined ||
      (identity.form === asked.form && JSON.stringify(identity.parts) === JSON.stringify(asked.parts)))
  );
}
