/** The authority: records, outcomes, marks. Its unique indexes (rid, uid, (stream, kind, version)) decide what is stored and what is a duplicate. */
import type { StreamKind } from "../core/event.ts";
import type { Fingerprint, OwnershipKey, Rid, Src, StreamId, Uid } from "../core/ids.ts";
import type { OutcomeCounts, OutcomeKind, OutcomeRow } from "../core/outcome.ts";
import type { Head, RecordRow } from "../core/record.ts";

/** Names that each list of an ownership's document keeps; those that come later are dropped, and the document says so. */
export const ownershipNamesMax = 1_000;

/** An account entry younger and shorter than this is extended in place; otherwise it is closed and never changed again. */
export const entryAgeMaxMs = 60_000;
export const entryOffsetsMax = 10_000;

/** Idempotent facts about who owns what; upserted (set on insert, min, max, add to set), only while the document is live or blocked. */
export type OwnershipFacts = {
  readonly ownership: OwnershipKey;
  readonly tenant: string;
  readonly ownershipId: string;
  readonly firstEventAtMs: number;
  readonly lastEventAtMs: number;
  readonly producers: readonly string[];
  readonly legalBases: readonly string[];
  readonly purposes: readonly string[];
  /** Latest moment until which a declared retention keeps the data; undefined: none declared. */
  readonly retainUntilMs: number | undefined;
};

/** Another id under which the same entity may have been recorded; written when a stream begins. */
export type EntityAlias = {
  readonly tenant: string;
  readonly namespace: string;
  readonly entityType: string;
  readonly entityId: string;
  readonly candidateId: string;
  readonly stream: StreamId;
};

/** A record of a `change` stream. */
export type ChangePlace = { readonly stream: StreamId; readonly version: number };

export type AccountStep = {
  readonly src: Src;
  /** Must be the partition's mark. */
  readonly from: number;
  readonly to: number;
  readonly atMs: number;
  /** Offsets of [from, to) that are not `stored`, ascending. */
  readonly outcomes: readonly OutcomeRow[];
};

export type AppendBatch = {
  /** In offset order; versions of a stream ascend without holes. */
  readonly records: readonly RecordRow[];
  /** Those that are no longer heads. */
  readonly deactivate: readonly ChangePlace[];
  readonly ownerships: readonly OwnershipFacts[];
  readonly aliases: readonly EntityAlias[];
  /** Left out when dead letters have still to be sent: then `account` follows as a call of its own. */
  readonly account: AccountStep | undefined;
};

export type AppendVerdict =
  /** Everything is durable. */
  | { readonly kind: "done" }
  /** `records[at]` hit a unique index: the items before it are durable, later ones were not tried, follow-ups and account did not run. */
  | { readonly kind: "clash"; readonly at: number }
  /** The store refuses `records[at]` for what it holds (too large, invalid): the items before it are durable, the rest as in `clash`. */
  | { readonly kind: "refused"; readonly at: number; readonly why: string }
  /** `account.from` is not the mark: somebody else accounts for this partition. Drop all state of it and read the mark again. */
  | { readonly kind: "mark_lost" };

/** What a look-up tells of a record. */
export type Known = {
  readonly rid: Rid;
  readonly uid: Uid;
  readonly fingerprint: Fingerprint;
  readonly stream: StreamId;
  readonly kind: StreamKind;
  readonly version: number;
};

export type HeadKey = { readonly stream: StreamId; readonly kind: StreamKind };
export const headKeyText = (key: HeadKey): string => `${key.kind}:${key.stream}`;

export type IntakeCounts = { readonly from: number; readonly to: number; readonly counts: OutcomeCounts };

export type AccountedSource = { readonly src: Src; readonly begin: number; readonly mark: number };

export type OutcomeQuery = {
  readonly src: Src;
  readonly from: number;
  readonly to: number;
  readonly kinds: readonly Exclude<OutcomeKind, "stored">[];
  readonly limit: number;
};

/**
 * Contract. `append` makes durable, in this order: records, deactivations, ownerships, aliases, outcome rows with the mark; each part may be
 * repeated; or all at once in one transaction. Durable means it survives the loss of one machine (MongoDB: majority and journal) or of power
 * (SQLite: synced). A call that throws STORE_UNAVAILABLE may have had any prefix of its effects. Look-ups read what is durable.
 */
export type RecordStore = {
  append(batch: AppendBatch, signal: AbortSignal): Promise<AppendVerdict>;
  /** Moves the mark by compare-and-set; its outcome rows are seen with the mark, and never if it is not moved. Extends the open account entry or begins one (closed after `entryAgeMaxMs` or `entryOffsetsMax`). */
  account(step: AccountStep, signal: AbortSignal): Promise<"done" | "mark_lost">;
  /**
   * Sets `isActive` right at these places of `change` streams, before each of them, and at the head of their streams: true on the head alone, and
   * only if its action activates. May set it right elsewhere in them; what it costs does not grow with their length. Repeatable.
   */
  repairActive(places: readonly ChangePlace[], signal: AbortSignal): Promise<void>;
  /** Whether the store takes writes at all: a durable write of no meaning. */
  probe(signal: AbortSignal): Promise<void>;
  /** Records with one of these rids or uids. */
  find(rids: readonly Rid[], uids: readonly Uid[], signal: AbortSignal): Promise<readonly Known[]>;
  /** Heads by `headKeyText`; streams without a record are absent. */
  heads(keys: readonly HeadKey[], signal: AbortSignal): Promise<ReadonlyMap<string, Head>>;
  /** Next offset without an outcome; undefined before the first. */
  mark(src: Src, signal: AbortSignal): Promise<number | undefined>;
  /** Source partitions that have a mark, by `src`; `begin` is the first offset accounted for. */
  sources(signal: AbortSignal): Promise<readonly AccountedSource[]>;
  /** Outcomes of the accounted offsets within [from, to), counted. `stored` is what no outcome row names. */
  counts(src: Src, from: number, to: number, signal: AbortSignal): Promise<IntakeCounts>;
  /** Outcome rows by ascending offset. */
  outcomes(query: OutcomeQuery, signal: AbortSignal): Promise<readonly OutcomeRow[]>;
};
