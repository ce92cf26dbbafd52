/** What Lastro appends for an accepted event. The entry and the body never change; the rest are copies and search aids. */
import type { ActionType, Actor, EnvelopeFlag, Severity, Status, StreamKind } from "./event.ts";
import type { Fingerprint, Kid, OwnershipKey, Rid, StreamAlias, StreamId, Uid } from "./ids.ts";

/** Searchable copies in the clear, outside the hash: rebuilt or purged at will. Text is cut at 1 KiB, without control characters. */
export type Projection = {
  readonly tenant: string;
  readonly namespace: string;
  readonly entityType: string;
  readonly entityId: string;
  readonly candidateIds: readonly string[];
  readonly eventType: string;
  readonly producerService: string;
  readonly traceId: string;
  readonly actor: Actor;
  readonly ownershipId: string | undefined;
  /** The producer's timestamp, ms since the epoch. */
  readonly actionAtMs: number;
  readonly severity: Severity;
  readonly status: Status;
  readonly resourceType: string | undefined;
  readonly flags: readonly EnvelopeFlag[];
  readonly indexed: Readonly<Record<string, string>>;
};

/** One row of `records`. */
export type RecordRow = {
  readonly rid: Rid;
  readonly uid: Uid;
  readonly fingerprint: Fingerprint;
  readonly stream: StreamId;
  readonly kind: StreamKind;
  readonly version: number;
  readonly alias: StreamAlias;
  readonly action: ActionType | "none";
  readonly recordedAtMs: number;
  readonly isActive: boolean;
  /** `ownerships._id`; undefined for events without ownership. */
  readonly ownership: OwnershipKey | undefined;
  /** Data keys of the parts, in the order of the parts. */
  readonly kids: readonly Kid[];
  /** Leaf entry, verbatim JCS text. */
  readonly entry: string;
  /** SHA-256(0x00 ‖ entry), 32 bytes. */
  readonly leafHash: Uint8Array;
  /** Sealed body `LB1…`. */
  readonly body: Uint8Array;
  readonly projection: Projection;
};

/** The record with the highest version of a stream, as far as versioning needs it. */
export type Head = {
  readonly version: number;
  readonly alias: StreamAlias;
  readonly recordedAtMs: number;
  /** The head's producer timestamp; an event older than it is flagged `late`. */
  readonly actionAtMs: number;
  readonly isActive: boolean;
};

const activatingActions: ReadonlySet<ActionType | "none"> = new Set<ActionType>(["new", "update", "enable"]);
/** Whether a head with this action is active: `new`, `update` and `enable` are; the rest and activities are not. */
export const activates = (action: ActionType | "none"): boolean => activatingActions.has(action);
