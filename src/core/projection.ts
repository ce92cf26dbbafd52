/** Searchable copies of an event's fields: clear text beside the record, outside the hash, cut and cleaned. */
import { statusOf } from "./actions.ts";
import type { Classification, Envelope, EnvelopeFlag } from "./event.ts";
import { member } from "./json.ts";
import type { Projection } from "./record.ts";

export const projectedTextBytesMax = 1024;
const bytesPerUnitMax = 3;
const controlCharacters = /\p{Cc}/gu;

/** Text without control characters, cut at 1 KiB of UTF-8 on a character's border. */
export function searchable(text: string): string {
  const clean = text.replace(controlCharacters, "");
  if (clean.length * bytesPerUnitMax <= projectedTextBytesMax) return clean;
  let bytes = 0;
  let end = 0;
  for (const character of clean) {
    const code = character.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x1_0000 ? 3 : 4;
    if (bytes > projectedTextBytesMax) break;
    end += character.length;
  }
  return clean.slice(0, end);
}

export function projectionOf(envelope: Envelope, classified: Classification): Projection {
  const { entity } = classified;
  return {
    tenant: envelope.tenant,
    namespace: searchable(entity.namespace),
    entityType: searchable(entity.type),
    entityId: searchable(entity.id),
    candidateIds: entity.candidateIds.map(searchable),
    eventType: envelope.eventType,
    producerService: envelope.producerService,
    traceId: searchable(envelope.traceId),
    actor: {
      id: searchable(envelope.actor.id),
      ip: envelope.actor.ip,
      role: searchable(envelope.actor.role),
      type: envelope.actor.type,
    },
    ownershipId: envelope.ownershipId === undefined ? undefined : searchable(envelope.ownershipId),
    actionAtMs: envelope.timestamp.ms,
    severity: classified.severity,
    status: statusOf(envelope.eventType, member(envelope.metadata, "status")),
    resourceType: classified.resourceType,
    flags: unionOf(envelope.flags, classified.flags),
    indexed: Object.fromEntries(Object.entries(classified.indexed).map(([k, v]) => [k, searchable(v)])),
  };
}

const unionOf = (a: readonly EnvelopeFlag[], b: readonly EnvelopeFlag[]): readonly EnvelopeFlag[] =>
  b.length === 0 ? a : [...new Set([...a, ...b])];

/** Of a record whose producer timestamp is older than its predecessor's. */
export const asLate = (projection: Projection): Projection => ({
  ...projection,
  flags: unionOf(projection.flags, ["late"]),
});
