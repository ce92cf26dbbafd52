/** Reading what is stored. It finds records; what answers are made of is each record's entry and sealed body. */
import type { StreamKind } from "../core/event.ts";
import type { OwnershipKey, Rid, StreamId, Uid } from "../core/ids.ts";
import type { RecordRow } from "../core/record.ts";
import type { HeadKey } from "./record-store.ts";

/** Fields a search may name, and the form of their values: text, ms since the epoch, boolean. */
export const searchFields = {
  tenant: "text", namespace: "text", entity_type: "text", entity_id: "text", kind: "text", event_type: "text", action: "text",
  producer_service: "text", trace_id: "text", owner_id: "text", ownership_id: "text", action_at: "time", recorded_at: "time", active: "boolean",
} as const; // biome-ignore format: a table
export type SearchField = keyof typeof searchFields;
export type SearchValue = string | number | boolean;

export type Condition = {
  readonly field: SearchField;
  readonly operator: "=" | "<" | "<=" | ">" | ">=";
  readonly value: SearchValue;
};

export const orderFields = ["recorded_at", "action_at"] as const;
export type OrderField = (typeof orderFields)[number];
/** Ties are broken by position in the source (topic id, partition, offset), in the same direction. */
export type SearchOrder = { readonly field: OrderField; readonly direction: "asc" | "desc" };

export type RecordSearch = {
  /** All must hold. */
  readonly conditions: readonly Condition[];
  readonly order: SearchOrder;
  /** Start behind this record. */
  readonly after: { readonly value: number; readonly rid: Rid } | undefined;
  readonly limit: number;
};

export type VersionRange = {
  readonly stream: StreamId;
  readonly kind: StreamKind;
  /** Inclusive. */
  readonly from: number;
  /** Inclusive; undefined: up to the head. */
  readonly to: number | undefined;
  readonly order: "asc" | "desc";
  readonly limit: number;
};

/** Newest version that satisfies the bound; undefined bound: the head. `actionAtMs` picks the highest version among those not newer. */
export type AsOf =
  | { readonly recordedAtMs: number }
  | { readonly actionAtMs: number }
  | { readonly version: number }
  | undefined;

export type RelatedStream = {
  readonly tenant: string;
  readonly namespace: string;
  readonly entityType: string;
  readonly entityId: string;
  readonly stream: StreamId;
};

export type OwnershipDocument = {
  readonly ownership: OwnershipKey;
  readonly tenant: string;
  /** Undefined once erased. */
  readonly ownershipId: string | undefined;
  readonly state: "live" | "blocked" | "fenced" | "erased";
  readonly firstEventAtMs: number | undefined;
  readonly lastEventAtMs: number | undefined;
  readonly producers: readonly string[];
  readonly legalBases: readonly string[];
  readonly purposes: readonly string[];
  /** A list of names was longer than `ownershipNamesMax` and holds the first ones. */
  readonly namesTruncated?: boolean;
  readonly retainUntilMs: number | undefined;
};

export type OwnershipListing = {
  readonly tenant: string | undefined;
  /** Ordered by `ownership`; start behind it. */
  readonly after: OwnershipKey | undefined;
  readonly limit: number;
};

/** Contract. Reads what is durable; every call ends at the signal (DEADLINE_EXCEEDED) and passes its remaining time to the store. Throws STORE_UNAVAILABLE. */
export type HistoryReader = {
  byRid(rid: Rid, signal: AbortSignal): Promise<RecordRow | undefined>;
  byUid(uid: Uid, signal: AbortSignal): Promise<RecordRow | undefined>;
  versions(range: VersionRange, signal: AbortSignal): Promise<readonly RecordRow[]>;
  /** Highest versions by `headKeyText`; streams without a record are absent. */
  headVersions(keys: readonly HeadKey[], signal: AbortSignal): Promise<ReadonlyMap<string, number>>;
  asOf(stream: StreamId, kind: StreamKind, bound: AsOf, signal: AbortSignal): Promise<RecordRow | undefined>;
  search(search: RecordSearch, signal: AbortSignal): Promise<readonly RecordRow[]>;
  /** Other streams that share a candidate id with this one, tenant and entity type being equal. */
  relatedStreams(stream: StreamId, limit: number, signal: AbortSignal): Promise<readonly RelatedStream[]>;
  ownership(key: OwnershipKey, signal: AbortSignal): Promise<OwnershipDocument | undefined>;
  ownerships(listing: OwnershipListing, signal: AbortSignal): Promise<readonly OwnershipDocument[]>;
};
