/** The collections of a Lastro database, their documents and their indexes: what is unique here is what is true. */
import type { Binary, Collection, Db } from "mongodb";
import type { Src, TopicId } from "../../core/ids.ts";
import type { OutcomeRow } from "../../core/outcome.ts";
import type { KeyClass, KeyState } from "../../ports/key-store.ts";
import type { CheckpointName } from "../../ports/log-store.ts";
import type { BreakerState, PersonalAccess, StoreIdentity } from "../../ports/store-state.ts";
import type { Key } from "./bson-values.ts";
import type { RecordDocument } from "./documents.ts";

/** `src#from`; the unique `n` makes the documents of a source one chain even at its beginning. */
export type AccountDocument = {
  readonly _id: string;
  readonly src: Src;
  readonly n: number;
  readonly from: number;
  readonly to: number;
  readonly openedAt: Date;
  /** Set with the last extension, so that whether it may grow never depends on a reader's clock. */
  readonly closed: boolean;
  /** Where the last step began, and its rows; the next step copies them to `outcomes` before it replaces them. */
  readonly pendingFrom: number;
  readonly pending: readonly OutcomeRow[];
};

export type OutcomeDocument = OutcomeRow & {
  readonly _id: string;
  readonly src: Src;
  readonly width: number;
};

export type AliasDocument = {
  readonly _id: string;
  readonly tenant: string;
  readonly namespace: string;
  readonly entityType: string;
  readonly entityId: string;
  readonly candidateId: string;
  readonly stream: Key;
};

export type WrappedDocument = {
  readonly kid: Key;
  readonly rev: number;
  readonly kek: number;
  readonly wrapped: Binary | null;
};

/** What documents that hold keys have in common. */
export type Keyed = {
  readonly _id: string;
  readonly tenant: string;
  readonly state: KeyState;
  readonly keys: readonly WrappedDocument[];
};

/** One per data owner; `_id` is the OwnershipKey. */
export type OwnershipsDocument = Keyed & {
  readonly ownershipId?: string;
  readonly firstEventAt?: Date;
  readonly lastEventAt?: Date;
  readonly producers?: readonly string[];
  readonly legalBases?: readonly string[];
  readonly purposes?: readonly string[];
  readonly retainUntil?: Date;
};

/** `_id` is class ‖ `:` ‖ id. */
export type KeysDocument = Keyed & {
  readonly class: Exclude<KeyClass, "s">;
  readonly producerService?: string;
  readonly month?: string;
};

export type IdentityDocument = Omit<StoreIdentity, "createdAtMs" | "lookupKey" | "kafka"> & {
  readonly _id: "identity";
  readonly revision: number;
  readonly createdAt: Date;
  readonly lookupKey: { readonly kek: number; readonly wrapped: Binary };
  readonly kafka: {
    readonly clusterId: string;
    readonly topics: readonly { readonly topic: string; readonly ids: readonly TopicId[] }[];
  } | null;
};
export type BreakerDocument = BreakerState & { readonly _id: "breaker" };
export type PersonalAccessDocument = {
  readonly _id: "personal_access";
  readonly revision: number;
  readonly requests: readonly (Omit<PersonalAccess, "approval"> & {
    readonly approval: PersonalAccess["approval"] | null;
  })[];
};
export type JobDocument = { readonly _id: `job:${string}`; readonly revision: number; readonly text: string };
export type CounterDocument = { readonly _id: "probe" | "format"; readonly n: number };
/** Of `log_index`: `_id` is the index; key and entry as in ports/log-store. */
export type LogDocument = {
  readonly _id: number;
  readonly key: Binary | string;
  readonly lh: Binary;
  readonly entry?: string;
};
/** `_id` is level ‖ `/` ‖ number. */
export type TileDocument = { readonly _id: string; readonly hashes: Binary };
export type LogHeadDocument = { readonly _id: "log_head"; readonly size: number; readonly root: Binary };
export type CheckpointDocument = {
  readonly _id: `log_checkpoint:${CheckpointName}`;
  readonly size: number;
  readonly root: Binary;
  readonly note: string;
  readonly signatures: number;
};
export type LeaseDocument = { readonly _id: "log_lease"; readonly holder: string; readonly until: number };
/** `place` orders those that wait. */
export type ControlDocument = { readonly _id: string; readonly place: number; readonly entry: string };
/** Terms of a record, which has the same `_id`; `at` is its recordedAt. */
export type TextDocument = { readonly _id: Binary; readonly at: Date; readonly terms: readonly string[] };
/** What is too long for a document lies in pieces, named after its hash. */
export type BlockBytes = Binary | { readonly hash: string; readonly pieces: number };
/** `_id` is level ‖ `/` ‖ n. */
export type BlockDocument = {
  readonly _id: string;
  readonly level: number;
  readonly n: number;
  readonly cells: BlockBytes;
  readonly actors: BlockBytes;
};
/** `_id` is that of the block ‖ `/cells/` or `/actors/` ‖ hash ‖ `/` ‖ number. */
export type PieceDocument = { readonly _id: string; readonly bytes: Binary };
export type IndexStateDocument = {
  readonly _id: "search_index";
  readonly rules: string;
  readonly size: number;
};
export type TurnDocument = { readonly _id: "updates"; readonly ticket: string };

export type Collections = {
  readonly records: Collection<RecordDocument>;
  readonly accounts: Collection<AccountDocument>;
  readonly outcomes: Collection<OutcomeDocument>;
  readonly aliases: Collection<AliasDocument>;
  readonly ownerships: Collection<OwnershipsDocument>;
  readonly keys: Collection<KeysDocument>;
  readonly identity: Collection<IdentityDocument>;
  readonly breaker: Collection<BreakerDocument>;
  readonly personalAccess: Collection<PersonalAccessDocument>;
  readonly jobs: Collection<JobDocument>;
  readonly counters: Collection<CounterDocument>;
  readonly turns: Collection<TurnDocument>;
  readonly logIndex: Collection<LogDocument>;
  readonly logTiles: Collection<TileDocument>;
  readonly logControls: Collection<ControlDocument>;
  readonly logHead: Collection<LogHeadDocument>;
  readonly logCheckpoints: Collection<CheckpointDocument>;
  readonly logLease: Collection<LeaseDocument>;
  readonly texts: Collection<TextDocument>;
  readonly blocks: Collection<BlockDocument>;
  readonly pieces: Collection<PieceDocument>;
  readonly indexState: Collection<IndexStateDocument>;
};

export const collectionsOf = (db: Db): Collections => ({
  records: db.collection("records"),
  accounts: db.collection("accounts"),
  outcomes: db.collection("outcomes"),
  aliases: db.collection("aliases"),
  ownerships: db.collection("ownerships"),
  keys: db.collection("keys"),
  identity: db.collection("meta"),
  breaker: db.collection("meta"),
  personalAccess: db.collection("meta"),
  jobs: db.collection("meta"),
  counters: db.collection("meta"),
  turns: db.collection("turns"),
  logIndex: db.collection("log_index"),
  logTiles: db.collection("log_tiles"),
  logControls: db.collection("log_controls"),
  logHead: db.collection("meta"),
  logCheckpoints: db.collection("meta"),
  logLease: db.collection("meta"),
  texts: db.collection("texts"),
  blocks: db.collection("summary_blocks"),
  pieces: db.collection("summary_pieces"),
  indexState: db.collection("meta"),
});

/** Passed to every read, so that the server ends it too: the signal alone ends only the wait. */
export type ReadOptions = { readonly maxTimeMS: number; readonly signal: AbortSignal };
/** The longest a read of records' places or of the log may take on the server: less than the socket's timeout. */
export const readMaxMs = 20_000;

export type IndexPlan = {
  readonly collection: keyof Collections;
  readonly name: string;
  readonly key: Readonly<Record<string, 1 | -1>>;
  readonly unique?: true;
};

/** `_id`, unique everywhere, holds the rid of records and the `src#from` of accounts and outcomes. */
export const indexPlans: readonly IndexPlan[] = [
  { collection: "records", name: "uid", key: { uid: 1 }, unique: true },
  { collection: "records", name: "stream_version", key: { stream: 1, kind: 1, version: 1 }, unique: true },
  { collection: "records", name: "active", key: { activeOf: 1 } },
  { collection: "records", name: "recorded_at", key: { recordedAt: 1, _id: 1 } },
  { collection: "records", name: "action_at", key: { "p.actionAt": 1, _id: 1 } },
  { collection: "records", name: "tenant", key: { "p.tenant": 1, recordedAt: 1, _id: 1 } },
  { collection: "records", name: "producer", key: { "p.producerService": 1, recordedAt: 1, _id: 1 } },
  { collection: "records", name: "event_type", key: { "p.eventType": 1, recordedAt: 1, _id: 1 } },
  { collection: "records", name: "owner", key: { "p.actor.id": 1, recordedAt: 1, _id: 1 } },
  { collection: "records", name: "ownership", key: { "p.ownershipId": 1, recordedAt: 1, _id: 1 } },
  { collection: "records", name: "trace", key: { "p.traceId": 1, recordedAt: 1, _id: 1 } },
  { collection: "records", name: "entity", key: { "p.entityId": 1, recordedAt: 1, _id: 1 } },
  { collection: "accounts", name: "chain", key: { src: 1, n: 1 }, unique: true },
  { collection: "accounts", name: "from", key: { src: 1, from: 1 } },
  { collection: "outcomes", name: "position", key: { src: 1, from: 1 } },
  { collection: "outcomes", name: "kind", key: { src: 1, kind: 1, from: 1 } },
  { collection: "aliases", name: "stream", key: { stream: 1 } },
  { collection: "aliases", name: "candidate", key: { tenant: 1, entityType: 1, candidateId: 1 } },
  { collection: "ownerships", name: "tenant", key: { tenant: 1, _id: 1 } },
  { collection: "ownerships", name: "kek", key: { "keys.kek": 1 } },
  { collection: "ownerships", name: "kid", key: { "keys.kid": 1 } },
  { collection: "keys", name: "kid", key: { "keys.kid": 1 } },
  { collection: "logIndex", name: "key", key: { key: 1 }, unique: true },
  { collection: "texts", name: "terms", key: { terms: 1, at: 1, _id: 1 } },
  { collection: "blocks", name: "place", key: { level: 1, n: 1 }, unique: true },
  { collection: "logControls", name: "place", key: { place: 1 }, unique: true },
]; // biome-ignore format: a table
