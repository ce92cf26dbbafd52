/** What every question needs of the rest of the service, and the words of requests that several questions share. */
import type { CallerLimits } from "../access/limits.ts";
import type { PersonalAccesses } from "../access/personal-access.ts";
import type { Watch } from "../access/watch.ts";
import type { Catalogue } from "../core/catalogue.ts";
import { LastroError } from "../core/errors.ts";
import type { StreamId } from "../core/ids.ts";
import type { SwitchName } from "../core/switches.ts";
import type { Clock, Randomness } from "../ports/clock.ts";
import type { HistoryReader } from "../ports/history-reader.ts";
import type { SearchIndex } from "../ports/search-index.ts";
import type { Switches } from "../ports/switches.ts";
import type { DataKeys } from "../privacy/data-keys.ts";
import type { LookupKey } from "../privacy/lookup-key.ts";
import type { PublishedLog } from "./published-log.ts";

export type { Caller } from "../core/caller.ts";

/** What stands before the answers and watches them. */
export type Guard = {
  readonly watch: Watch;
  readonly limits: CallerLimits;
  readonly personal: PersonalAccesses;
  readonly switches: Switches;
  /** Somebody was answered that what they asked for is switched off. */
  switchedOff(name: SwitchName): void;
};

export type QueryDeps = {
  readonly history: HistoryReader;
  readonly index: Pick<SearchIndex, "state" | "blocks">;
  readonly log: PublishedLog;
  readonly keys: Pick<DataKeys, "forOpening">;
  readonly lookup: LookupKey;
  readonly catalogue: Catalogue;
  readonly now: Clock;
  readonly random: Randomness;
  readonly guard: Guard;
};

export type EntityName = {
  readonly tenant: string;
  readonly namespace: string;
  readonly entityType: string;
  readonly entityId: string;
};

const textCharactersMax = 1024;
const defaultTenant = "default";

export const invalid = (field: string, why: string): LastroError =>
  new LastroError("INVALID_ARGUMENT", `${field} ${why}`, { field });

export function requireText(text: string, field: string): string {
  if (text === "") throw invalid(field, "must be given");
  if (text.length > textCharactersMax) throw invalid(field, `has more than ${textCharactersMax} characters`);
  return text;
}

export const tenantOf = (text: string, field: string): string =>
  text === "" ? defaultTenant : requireText(text, field);

export function requireVersion(version: number, field: string): number {
  if (!Number.isSafeInteger(version) || version < 1) throw invalid(field, "must be a version from 1 on");
  return version;
}

export function checkEntity(entity: EntityName): EntityName {
  return {
    tenant: tenantOf(entity.tenant, "entity.tenant"),
    namespace: requireText(entity.namespace, "entity.namespace"),
    entityType: requireText(entity.entityType, "entity.entity_type"),
    entityId: requireText(entity.entityId, "entity.entity_id"),
  };
}

export const streamOf = (deps: QueryDeps, entity: EntityName): StreamId =>
  deps.lookup.stream(entity.tenant, entity.namespace, entity.entityType, entity.entityId);
