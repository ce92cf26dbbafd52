/** One record, by its id or by the producer's identity for the event. */
import { LastroError } from "../core/errors.ts";
import type { EventIdentity } from "../core/event.ts";
import { type Fingerprint, parseRid, type Rid } from "../core/ids.ts";
import { type Caller, invalid, type QueryDeps, requireText, tenantOf } from "./deps.ts";
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
  _caller: Caller,
  signal: AbortSignal,
): Promise<RecordView> {
  if ("eventId" in request) return byEventId(deps, request.eventId, signal);
  if (parseRid(request.rid) === undefined)
    throw invalid("rid", "is no record id: topic id, partition and offset joined by dots");
  const row = await deps.history.byRid(request.rid as Rid, signal);
  if (row === undefined)
    throw new LastroError("NOT_FOUND", "there is no record with this rid", { field: "rid" });
  return viewRecord(deps, row, signal);
}

async function byEventId(deps: QueryDeps, asked: EventIdQuestion, signal: AbortSignal): Promise<RecordView> {
  const tenant = tenantOf(asked.tenant, "event_id.tenant");
  const producerService = requireText(asked.producerService, "event_id.producer_service");
  for (const part of asked.parts)
    requireText(part, `event_id.${asked.form === "ce" ? "cloud_event" : asked.form}`);
  // The fingerprint counts only where the producer gave no id.
  const uid = deps.lookup.uid(tenant, producerService, asked, "" as Fingerprint);
  const row = await deps.history.byUid(uid, signal);
  const view = row === undefined ? undefined : await viewRecord(deps, row, signal);
  if (view === undefined || !isAsked(view, tenant, producerService, asked)) {
    throw new LastroError("NOT_FOUND", "there is no record with this event id", { field: "event_id" });
  }
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
