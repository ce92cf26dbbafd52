/** Holds the columns beside an entry against what is sealed. Columns find records; where they disagree they are named, not believed. */
import type { Kid } from "../core/ids.ts";
import type { RecordEntry } from "../core/leaf.ts";
import { searchable } from "../core/projection.ts";
import type { RecordRow } from "../core/record.ts";
import type { LookupKey } from "../privacy/lookup-key.ts";
import type { RecordContent } from "./record-view.ts";

/** Remembers the last hash: the records of an answer mostly share entity and ownership. */
export function rememberLast<Parts extends readonly string[], Hash>(
  make: (...parts: Parts) => Hash,
): (...parts: Parts) => Hash {
  let last: { readonly parts: Parts; readonly hash: Hash } | undefined;
  return (...parts) => {
    if (last === undefined || parts.some((part, i) => part !== last?.parts[i]))
      last = { parts, hash: make(...parts) };
    return last.hash;
  };
}

export type Hashes = Pick<LookupKey, "stream" | "ownership">;
export const rememberedHashes = (lookup: LookupKey): Hashes => ({
  stream: rememberLast(lookup.stream),
  ownership: rememberLast(lookup.ownership),
});

const kidsAgree = (kids: readonly Kid[], entry: RecordEntry): boolean =>
  kids.length === entry.parts.length && kids.every((kid, i) => kid === entry.parts[i]?.k);

/** Names of the columns that say something else than entry and body. */
export function alteredFields(
  row: RecordRow,
  entry: RecordEntry,
  content: RecordContent | undefined,
  hashes: Hashes,
): readonly string[] {
  const { projection } = row;
  const altered: string[] = [];
  const compare = (name: string, column: unknown, sealed: unknown): void => {
    if (column !== sealed) altered.push(name);
  };
  compare("kind", row.kind, entry.kind);
  compare("version", row.version, entry.version);
  compare("alias", row.alias, entry.alias);
  compare("action", row.action, entry.action);
  compare("recorded_at", row.recordedAtMs, entry.recordedAtMs);
  compare("kids", kidsAgree(row.kids, entry), true);
  compare("tenant", projection.tenant, entry.tenant);
  compare("event_type", projection.eventType, entry.eventType);
  compare("producer_service", projection.producerService, entry.producerService);
  if (content === undefined) return altered;
  const { namespace, entityType, entityId, ownershipId } = content;
  compare("namespace", projection.namespace, searchable(namespace));
  compare("entity_type", projection.entityType, searchable(entityType));
  compare("trace_id", projection.traceId, searchable(content.traceId));
  compare(
    "ownership_id",
    projection.ownershipId,
    ownershipId === undefined ? undefined : searchable(ownershipId),
  );
  compare("action_at", projection.actionAtMs, content.actionAtMs);
  const ownership = ownershipId === undefined ? undefined : hashes.ownership(entry.tenant, ownershipId);
  compare("ownership", row.ownership, ownership);
  // What was erased can no longer be compared.
  if (entityId !== undefined) {
    compare("entity_id", projection.entityId, searchable(entityId));
    compare("stream", row.stream, hashes.stream(entry.tenant, namespace, entityType, entityId));
  }
  const { id, ip, role, type } = content.actor;
  if (id !== undefined) compare("owner_id", projection.actor.id, searchable(id));
  // Rows that were stored before the address was kept have none.
  if (ip !== undefined && projection.actor.ip !== "") compare("owner_ip", projection.actor.ip, ip);
  if (role !== undefined) compare("owner_role", projection.actor.role, searchable(role));
  if (type !== undefined) compare("owner_type", projection.actor.type, type);
  return altered;
}
