/** What a stored record entails: its predecessor deactivated, its owner's facts, the other ids of its entity. All of it may be repeated. */
import { ruleFor } from "../core/catalogue.ts";
import type { OwnershipKey } from "../core/ids.ts";
import type { RecordRow } from "../core/record.ts";
import type { AppendBatch, OwnershipFacts } from "../ports/record-store.ts";
import type { EventFacts, StationSettings } from "./stations.ts";

type Stored = Pick<EventFacts, "kind" | "stream" | "ownership" | "ownershipId" | "processing" | "projection">;
export type StoredVersion = { readonly candidate: Stored; readonly version: number };
export type FollowUps = Pick<AppendBatch, "deactivate" | "ownerships" | "aliases">;

const dayMs = 86_400_000;

export function followUpsOf(stored: readonly StoredVersion[]): FollowUps {
  const facts = new Map<OwnershipKey, OwnershipFacts>();
  for (const { candidate } of stored) {
    if (candidate.ownership !== undefined) {
      facts.set(
        candidate.ownership,
        mergeFacts(facts.get(candidate.ownership), candidate.ownership, candidate),
      );
    }
  }
  return {
    // Also where the predecessor is of the same batch and went in inactive: another writer's repair may have come between the two.
    deactivate: stored
      .filter(({ candidate, version }) => candidate.kind === "change" && version > 1)
      .map(({ candidate: { stream }, version }) => ({ stream, version: version - 1 })),
    ownerships: [...facts.values()],
    aliases: stored.filter(({ version }) => version === 1).flatMap(({ candidate }) => aliasesOf(candidate)),
  };
}

/** Without its event, by what its row says of it: an id that the projection had to clean is not that of the owner. */
export function storedVersionOf(
  row: RecordRow,
  { catalogue, lookup }: Pick<StationSettings, "catalogue" | "lookup">,
): StoredVersion {
  const { projection, version } = row;
  const { tenant, eventType, ownershipId } = projection;
  const isWhole = ownershipId !== undefined && lookup.ownership(tenant, ownershipId) === row.ownership;
  const ownership = isWhole ? row.ownership : undefined;
  const processing = ruleFor(catalogue, eventType)?.processing;
  return { candidate: { ...row, ownership, ownershipId, processing }, version };
}

const including = <T>(values: readonly T[], value: T | undefined): readonly T[] =>
  value === undefined || values.includes(value) ? values : [...values, value];

function mergeFacts(
  before: OwnershipFacts | undefined,
  ownership: OwnershipKey,
  candidate: Stored,
): OwnershipFacts {
  const { projection, ownershipId = "" } = candidate;
  const atMs = projection.actionAtMs;
  const { legalBasis, purpose, retentionDays } = candidate.processing ?? {};
  const retainUntilMs = retentionDays === undefined ? before?.retainUntilMs : atMs + retentionDays * dayMs;
  return {
    ownership,
    tenant: projection.tenant,
    ownershipId,
    firstEventAtMs: Math.min(atMs, before?.firstEventAtMs ?? atMs),
    lastEventAtMs: Math.max(atMs, before?.lastEventAtMs ?? atMs),
    producers: including(before?.producers ?? [], projection.producerService),
    legalBases: including(before?.legalBases ?? [], legalBasis),
    purposes: including(before?.purposes ?? [], purpose),
    retainUntilMs:
      retainUntilMs === undefined
        ? undefined
        : Math.max(retainUntilMs, before?.retainUntilMs ?? retainUntilMs),
  };
}

function aliasesOf({ projection, stream }: Stored): AppendBatch["aliases"] {
  const { tenant, namespace, entityType, entityId } = projection;
  return projection.candidateIds.map((candidateId) => ({
    tenant, namespace, entityType, entityId, candidateId, stream,
  })); // biome-ignore format: one line of names
}
