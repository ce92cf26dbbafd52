/** Reading what is stored. It finds records; what answers are made of is each record's entry and sealed body. */
import type { StreamKind } from "../core/event.ts";
import type { OwnershipKey, Rid, StreamId, Uid } from "../core/ids.ts";
import type { RecordRow } from "../core/record.ts";
import type { FieldValue, FilterField } from "../core/search-fields.ts";
import type { RecordSearch, SearchPlace } from "../core/search-walk.ts";
import type { HeadKey } from "./record-store.ts";

export type SearchAnswer = {
  readonly rows: readonly RecordRow[];
  /** Records looked at. */
  readonly scanned: number;
  /** Go on behind it, though nothing may be left there; undefined: nothing is. */
  readonly next: SearchPlace | undefined;
};

export type RecordsByRid = {
  /** Rids that no record has are absent. */
  readonly rows: ReadonlyMap<Rid, RecordRow>;
  /** How many of the rids were looked up. */
  readonly looked: number;
};
export const ridsMax = 1_000;
/** Entries and bodies of one call; the records of one step of a store may be over it. */
export const ridsBytesMax = 4 * 1024 * 1024;

/** Of each record found, values of the fields asked for, in their order. */
export type ScanAnswer = Omit<SearchAnswer, "rows"> & {
  readonly found: readonly { readonly rid: Rid; readonly values: readonly (FieldValue | undefined)[] }[];
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
  /** Of at most `ridsMax` rids, as many from the first on as `ridsBytesMax` allows, and one at least. */
  byRids(rids: readonly Rid[], signal: AbortSignal): Promise<RecordsByRid>;
  /** Of at most `ridsMax` records what columns, projection and terms say of the fields, in the order of the rids; those that are not stored are left out. */
  values(
    rids: readonly Rid[],
    fields: readonly FilterField[],
    signal: AbortSignal,
  ): Promise<readonly (readonly (FieldValue | undefined)[])[]>;
  versions(range: VersionRange, signal: AbortSignal): Promise<readonly RecordRow[]>;
  /** Highest versions by `headKeyText`; streams without a record are absent. */
  headVersions(keys: readonly HeadKey[], signal: AbortSignal): Promise<ReadonlyMap<string, number>>;
  asOf(stream: StreamId, kind: StreamKind, bound: AsOf, signal: AbortSignal): Promise<RecordRow | undefined>;
  /**
   * Records for which the filter holds, by what columns, projection and terms say, in order. Ends at `limit` answers or `scanMax` records looked
   * at, and looks at one at least. Where the terms of a record would decide and it is not indexed yet, it is found: its content decides. But
   * where every record found must have a term, or the parts of an OR are walked by an index each, terms find only indexed ones.
   */
  search(search: RecordSearch, signal: AbortSignal): Promise<SearchAnswer>;
  /** The same, without reading the records whole. */
  scan(search: RecordSearch, fields: readonly FilterField[], signal: AbortSignal): Promise<ScanAnswer>;
  /** Other streams that share a candidate id with this one, tenant and entity type being equal. */
  relatedStreams(stream: StreamId, limit: number, signal: AbortSignal): Promise<readonly RelatedStream[]>;
  ownership(key: OwnershipKey, signal: AbortSignal): Promise<OwnershipDocument | undefined>;
  ownerships(listing: OwnershipListing, signal: AbortSignal): Promise<readonly OwnershipDocument[]>;
};
