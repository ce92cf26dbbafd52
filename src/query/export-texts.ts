/** A stretch of the log as the texts of an export: what matches, told by entry and opened body. */
import { setImmediate } from "node:timers/promises";
import type { RecordFormat } from "../core/export-formats.ts";
import { type ExportedRecord, inOneLine } from "../core/exported-record.ts";
import type { Filter } from "../core/filter.ts";
import { isoTime } from "../core/leaf.ts";
import type { RecordRow } from "../core/record.ts";
import type { QueryDeps } from "./deps.ts";
import { candidatesOf, type Found, type LogMatches, matchesOf } from "./log-matches.ts";
import type { LogStretch } from "./log-records.ts";
import type { Access } from "./permit.ts";
import { contentOf, type RecordView } from "./record-view.ts";

/** Bodies opened before others get their turn. */
const openedAtOnceMax = 32;
const utf8 = new TextDecoder();

export async function matchesIn(
  deps: QueryDeps,
  access: Access,
  filter: Filter,
  { records }: LogStretch,
  signal: AbortSignal,
): Promise<LogMatches> {
  const candidates = candidatesOf(filter, records);
  const parts: LogMatches[] = [];
  for (let at = 0; at < candidates.length; at += openedAtOnceMax) {
    const some = candidates.slice(at, at + openedAtOnceMax);
    parts.push(await matchesOf(deps, access, filter, some, signal));
    await setImmediate();
  }
  return {
    found: parts.flatMap(({ found }) => found),
    alteredRids: parts.flatMap(({ alteredRids }) => alteredRids),
  };
}

export const textOf = (format: RecordFormat, { index, row, view }: Found): string =>
  format.text(exportedRecord(index, row, view));

function exportedRecord(index: number, row: RecordRow, view: RecordView): ExportedRecord {
  const content = contentOf(view);
  return {
    log_index: index,
    rid: view.rid,
    recorded_at: isoTime(view.recordedAtMs),
    action_at: content === undefined ? "" : isoTime(content.actionAtMs),
    kind: view.kind,
    action: view.action,
    version: view.version,
    event_type: view.eventType,
    tenant: view.tenant,
    namespace: content?.namespace ?? "",
    entity_type: content?.entityType ?? "",
    entity_id: content?.entityId ?? "",
    producer_service: view.producerService,
    producer_service_id: content?.producerServiceId ?? "",
    trace_id: content?.traceId ?? "",
    owner_id: content?.actor.id ?? "",
    owner_ip: content?.actor.ip ?? "",
    owner_role: content?.actor.role ?? "",
    owner_type: content?.actor.type ?? "",
    ownership_id: content?.ownershipId ?? "",
    severity: row.projection.severity,
    flags: view.flags,
    leaf_hash: Buffer.from(view.leafHash).toString("hex"),
    body_state: view.content.state,
    event: content === undefined ? "" : inOneLine(utf8.decode(content.event)),
    status: view.status,
  };
}
