/** What became of an offset, once and for ever, and the reasons why. The lists are closed: a new code is a new release. */
import type { Rid } from "./ids.ts";

/** Why an event is bad data. Each goes to the dead letters with a JSON pointer and a sentence a producer can act on. */
export const rejectReasons = [
  "NULL_VALUE", "EMPTY", "TOO_LARGE", "INVALID_UTF8", "INVALID_JSON", "NOT_OBJECT", "ILL_FORMED_STRING",
  "TOO_DEEP", "TOO_MANY_NODES", "STRING_TOO_LONG", "KEY_TOO_LONG", "INVALID_KEY", "DUPLICATE_KEY",
  "NUMBER_TOO_LONG", "NUMBER_RANGE", "HEADERS", "CLOUDEVENT", "UNSUPPORTED_FORMAT", "INVALID_EVENT_ID",
  "SCHEMA", "SCHEMA_VERSION", "AMBIGUOUS_OWNER", "TIMESTAMP", "TIMESTAMP_ZONE", "TIMESTAMP_RANGE",
  "INVALID_ENTITY_ID", "PAYLOAD_SCHEMA", "ENTRY_TOO_LARGE", "STORE_REFUSED", "INTERNAL",
] as const; // biome-ignore format: a table
export type RejectReason = (typeof rejectReasons)[number];

/** Causes of a gap: an offset that Kafka never delivered, or that an operator skipped. */
export const gapCauses = ["undelivered", "retention", "skipped"] as const;
export type GapCause = (typeof gapCauses)[number];

export type Rejection = {
  readonly reason: RejectReason;
  /** RFC 6901 pointer of the first fault; empty for the whole event. */
  readonly pointer: string;
  /** For the producer; holds no value of the event. */
  readonly sentence: string;
};

export type DeadLetterPosition = {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
};

export type Refused = { readonly ok: false; readonly rejection: Rejection };
export const refuse = (reason: RejectReason, pointer: string, sentence: string): Refused => ({
  ok: false,
  rejection: { reason, pointer, sentence },
});

/** A row of accounting for offsets [from, to) that are not `stored`. Only gaps span more than one offset. */
export type OutcomeRow =
  | { readonly kind: "duplicate"; readonly from: number; readonly to: number; readonly original: Rid }
  | (DeadLettered & { readonly kind: "conflict"; readonly original: Rid })
  | (DeadLettered & { readonly kind: "rejected"; readonly rejection: Rejection })
  | { readonly kind: "gap"; readonly from: number; readonly to: number; readonly cause: GapCause };

type DeadLettered = {
  readonly from: number;
  readonly to: number;
  /** HMAC-SHA-256 of the value bytes under 32 random bytes that lie with the dead letter; base64url. */
  readonly commitment: string;
  readonly deadLetter: DeadLetterPosition;
};

export type OutcomeKind = "stored" | OutcomeRow["kind"];
export const outcomeKinds = [
  "stored",
  "duplicate",
  "conflict",
  "rejected",
  "gap",
] as const satisfies readonly OutcomeKind[];
export type OutcomeCounts = Readonly<Record<OutcomeKind, number>>;
