/** A stretch of the log as the texts of an export: what matches, told by entry and opened body. */
import { setImmediate } from "node:timers/promises";
import type { RecordFormat } from "../core/export-formats.ts";
import { type ExportedRecord, inOneLine } from "../core/exported-record.ts";
import type { Filter } from "../core/filter.ts";
import { holds } from "../core/filter-holds.ts";
import { isoTime } from "../core/leaf.ts";
import type { RecordRow } from "../core/record.ts";
import { valueOfRow } from "../core/search-fields.ts";
import type { QueryDeps } from "./deps.ts";
import type { LogRecord, LogStretch } from "./log-records.ts";
import type { Access } from "./permit.ts";
import { contentOf, type RecordView } from "./record-view.ts";
import { judge } from "./search-records.ts";
import { viewRecords } from "./view-records.ts";

/** Bodies opened before others get their turn. */
const openedAtOnceMax = 32;
const utf8 = new TextDecoder();

export type Found = { readonly index: number; readonly row: RecordRow; readonly view: RecordView };
export type FoundStretch = { readonly found: readonly Found[]; readonly alteredRids: readonly string[] };

export async function matchesIn(
  deps: QueryDeps,
  access: Access,
  filter: Filter,
  { records }: LogStretch,
  signal: AbortSignal,
): Promise<FoundStretch> {
  const isWanted = ({ row }: LogRecord): boolean =>
    row === undefined || holds(filter, (field) => valueOfRow(row, field)) === true;
  const wanted = records.filter(isWanted);
  const found: Found[] = [];
  const gone = access.seen === undefined ? wanted.filter(({ row }) => row === undefined) : [];
  const alteredRids: string[] = gone.map(({ rid }) => rid);
  const there = wanted.flatMap(({ index, row }) => (row === undefined ? [] : [{ index, row }]));
  for (let at = 0; at < there.length; at += openedAtOnceMax) {
    const some = there.slice(at, at + openedAtOnceMax);
    const views = await viewRecords(
      deps,
      some.map(({ row }) => row),
      signal,
    );
    for (const [i, { index, row }] of some.entries()) {
      const { matching, isAltered, rid } = judge(deps, filter, row, views[i], access);
      if (isAltered) alteredRids.push(rid);
      if (matching !== undefined) found.push({ index, row, view: matching });
    }
    await setImmediate();
  }
  return { found, alteredRids };
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
  };
}
