/** ① parse, ② identity and ④ seal of one event: pure work on bytes. An event on which a station throws three times is rejected INTERNAL. */
import type { Catalogue } from "../core/catalogue.ts";
import { classify } from "../core/entity.ts";
import { type ParseOptions, parseEvent } from "../core/envelope.ts";
import type {
  ActionType,
  CutRange,
  EnvelopeFlag,
  Processing,
  SourceEvent,
  StreamKind,
} from "../core/event.ts";
import {
  type Fingerprint,
  type OwnershipKey,
  type Rid,
  ridOf,
  type Src,
  type StreamId,
  type Uid,
} from "../core/ids.ts";
import type { Rejection } from "../core/outcome.ts";
import { projectionOf } from "../core/projection.ts";
import type { Projection } from "../core/record.ts";
import type { Randomness } from "../ports/clock.ts";
import type { DeadLetterStage } from "../ports/dead-letters.ts";
import { headKeyText } from "../ports/record-store.ts";
import type { DataKey } from "../privacy/data-keys.ts";
import type { LookupKey } from "../privacy/lookup-key.ts";
import { type SealedBody, sealEvent } from "../privacy/seal.ts";
import { sealedMetaText } from "../privacy/sealed-meta.ts";

/** An event that may become a record, and what the later stations need to know of it: nothing parsed, so that all of that is garbage at once. */
export type Candidate = {
  readonly event: SourceEvent;
  readonly rid: Rid;
  /** `headKeyText` of stream and kind. */
  readonly key: string;
  /** Its description, for the sealed body. */
  readonly meta: string;
  readonly uid: Uid;
  readonly fingerprint: Fingerprint;
  readonly stream: StreamId;
  readonly kind: StreamKind;
  readonly action: ActionType | "none";
  readonly ownership: OwnershipKey | undefined;
  /** As received; the projection's is cut. */
  readonly ownershipId: string | undefined;
  /** Where the entity's id was found. */
  readonly idPointer: string;
  /** Identifiers of an actor, sealed apart under an actor's key. */
  readonly cuts: readonly CutRange[];
  readonly flags: readonly EnvelopeFlag[];
  readonly processing: Processing | undefined;
  /** Of a record that is not late. */
  readonly projection: Projection;
};

export type Refusal = { readonly rejection: Rejection; readonly stage: DeadLetterStage };

export type StationSettings = {
  readonly lookup: LookupKey;
  readonly catalogue: Catalogue;
  readonly catalogueDigest: string;
  readonly parse: Omit<ParseOptions, "nowMs">;
  readonly random: Randomness;
  /** Told what a station threw for the last time. */
  readonly noteFault: (cause: unknown) => void;
};

/** A pure station that throws as often for one event has a bug; the event is rejected INTERNAL, with an alert. */
const pureAttemptsMax = 3;

export function readEvent(
  settings: StationSettings,
  src: Src,
  event: SourceEvent,
  nowMs: number,
): Candidate | Refusal {
  const result = withPureRetries(settings, () => prepareEvent(settings, src, event, nowMs));
  if ("uid" in result) return result;
  return { rejection: result, stage: result.reason === "INTERNAL" ? "internal" : "parse" };
}

export const sealOne = (
  settings: StationSettings,
  { event, rid, meta, cuts, ownership }: Candidate,
  owner: DataKey,
  actor: DataKey | undefined,
): SealedBody | Rejection =>
  withPureRetries(settings, () => {
    const keyClass = ownership === undefined ? "p" : "s";
    const input = { event, rid, meta, cuts, owner: { class: keyClass, key: owner }, actor } as const;
    return sealEvent(input, settings.random);
  });

function withPureRetries<T>({ noteFault }: StationSettings, station: () => T): T | Rejection {
  for (let attempt = 1; ; attempt++) {
    try {
      return station();
    } catch (cause) {
      if (attempt < pureAttemptsMax) continue;
      noteFault(cause);
      return {
        reason: "INTERNAL",
        pointer: "",
        sentence:
          "Lastro failed on this event through a fault of its own; report it, then replay the dead letter.",
      };
    }
  }
}

function prepareEvent(
  { lookup, catalogue, catalogueDigest, parse }: StationSettings,
  src: Src,
  event: SourceEvent,
  nowMs: number,
): Candidate | Rejection {
  const parsed = parseEvent(event, { ...parse, nowMs });
  if (!parsed.ok) return parsed.rejection;
  const { envelope } = parsed;
  const result = classify(envelope, catalogue);
  if (!result.ok) return result.rejection;
  const { classification } = result;
  const { entity, action } = classification;
  const { tenant, ownershipId } = envelope;
  const { kind } = action;
  const rid = ridOf(src, event.offset);
  const fingerprint = lookup.fingerprint(envelope.canonical);
  const stream = lookup.stream(tenant, entity.namespace, entity.type, entity.id);
  return {
    event,
    rid,
    key: headKeyText({ stream, kind }),
    meta: sealedMetaText(event, envelope, classification, catalogueDigest),
    uid: lookup.uid(tenant, envelope.producerService, envelope.identity, fingerprint),
    fingerprint,
    stream,
    kind,
    action: action.kind === "change" ? action.action : "none",
    ownership: ownershipId === undefined ? undefined : lookup.ownership(tenant, ownershipId),
    ownershipId,
    idPointer: entity.idPointer,
    cuts: envelope.cuts,
    flags: envelope.flags,
    processing: classification.processing,
    projection: projectionOf(envelope, classification),
  };
}
