/** Holds the columns beside an entry against what is sealed. Columns find records; where they disagree they are named, not believed. */
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

type Pair = readonly [name: string, column: unknown, sealed: unknown];

const entryPairs = (row: RecordRow, entry: RecordEntry): readonly Pair[] => [
  ["kind", row.kind, entry.kind],
  ["version", row.version, entry.version],
  ["alias", row.alias, entry.alias],
  ["action", row.action, entry.action],
  ["recorded_at", row.recordedAtMs, entry.recordedAtMs],
  ["kids", row.kids.join(), entry.parts.map((part) => part.k).join()],
  ["tenant", row.projection.tenant, entry.tenant],
  ["event_type", row.projection.eventType, entry.eventType],
  ["producer_service", row.projection.producerService, entry.producerService],
];

const textPair = (name: string, column: string | undefined, sealed: string | undefined): Pair => [
  name,
  column,
  sealed === undefined ? undefined : searchable(sealed),
];

function contentPairs(
  row: RecordRow,
  entry: RecordEntry,
  content: RecordContent,
  hashes: Hashes,
): readonly Pair[] {
  const { projection } = row;
  const { entityId, ownershipId } = content;
  const pairs: Pair[] = [
    textPair("namespace", projection.namespace, content.namespace),
    textPair("entity_type", projection.entityType, content.entityType),
    textPair("trace_id", projection.traceId, content.traceId),
    textPair("ownership_id", projection.ownershipId, ownershipId),
    ["action_at", projection.actionAtMs, content.actionAtMs],
    [
      "ownership",
      row.ownership,
      ownershipId === undefined ? undefined : hashes.ownership(entry.tenant, ownershipId),
    ],
  ];
  // What was erased can no longer be compared.
  if (entityId !== undefined) {
    pairs.push(textPair("entity_id", projection.entityId, entityId));
    pairs.push([
      "stream",
      row.stream,
      hashes.stream(entry.tenant, content.namespace, content.entityType, entityId),
    ]);
  }
  if (content.actor.id !== undefined) pairs.push(textPair("owner_id", projection.actor.id, content.actor.id));
  return pairs;
}

/** Names of the columns that say something else than entry and body. */
export function alteredFields(
  row: RecordRow,
  entry: RecordEntry,
  content: RecordContent | undefined,
  hashes: Hashes,
): readonly string[] {
  const pairs =
    content === undefined
      ? entryPairs(row, entry)
      : [...entryPairs(row, entry), ...contentPairs(row, entry, content, hashes)];
  return pairs.filter(([, column, sealed]) => column !== sealed).map(([name]) => name);
}
