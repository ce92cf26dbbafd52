/** A record as answers tell it: from its leaf entry and its opened body, never from columns; what the columns say otherwise is named. */
import type { Actor, EnvelopeFlag, EventIdentity, Severity, Status } from "../core/event.ts";
import type { JsonValue } from "../core/json.ts";
import type { RecordEntry } from "../core/leaf.ts";

export type RecordContent = {
  readonly state: "complete" | "partly_erased";
  readonly identity: EventIdentity;
  readonly namespace: string;
  readonly entityType: string;
  /** Undefined where it was erased. */
  readonly entityId: string | undefined;
  readonly actionAtMs: number;
  readonly producerServiceId: string;
  readonly traceId: string;
  readonly ownershipId: string | undefined;
  readonly actor: Partial<Actor>;
  /** `metadata.status`. */
  readonly toldStatus: JsonValue | undefined;
  /** The bytes received; erased ranges hold null. */
  readonly event: Uint8Array;
  /** JSON text out of `event`. */
  readonly payload: Uint8Array;
  readonly metadata: Uint8Array;
};

export type RecordView = RecordEntry & {
  readonly entry: string;
  readonly leafHash: Uint8Array;
  readonly content: RecordContent | { readonly state: "erased" | "broken" };
  readonly isActive: boolean;
  readonly flags: readonly EnvelopeFlag[];
  /** With the flags and the resource type the catalogue's word when the record was stored: nothing sealed says it. */
  readonly severity: Severity;
  readonly resourceType: string | undefined;
  readonly status: Status;
  readonly check: {
    readonly leafHashMatches: boolean;
    readonly bodyMatches: boolean;
    readonly alteredFields: readonly string[];
  };
};

/** The content where it could be opened, wholly or in part. */
export const contentOf = (view: RecordView): RecordContent | undefined =>
  "event" in view.content ? view.content : undefined;
