/** ① parse and ② identity of a batch: pure work on bytes, in slices so that heartbeats and readers get their turn. */
import { classify } from "../core/entity.ts";
import { factsOf, parseEvent } from "../core/envelope.ts";
import type { ActionType, Classification, EnvelopeFacts, SourceEvent, StreamKind } from "../core/event.ts";
import {
  type Fingerprint,
  type OwnershipKey,
  type Rid,
  ridOf,
  type StreamId,
  type Uid,
} from "../core/ids.ts";
import type { Rejection } from "../core/outcome.ts";
import type { DeadLetterStage } from "../ports/dead-letters.ts";
import type { BatchControl, SourceBatch } from "../ports/event-source.ts";
import type { IntakeDeps } from "./deps.ts";
import { paceOf } from "./pace.ts";

/** An event that may become a record. */
export type Candidate = {
  readonly event: SourceEvent;
  readonly rid: Rid;
  readonly envelope: EnvelopeFacts;
  readonly classified: Classification;
  readonly fingerprint: Fingerprint;
  readonly uid: Uid;
  readonly stream: StreamId;
  readonly kind: StreamKind;
  readonly action: ActionType | "none";
  /** `headKeyText` of stream and kind. */
  readonly key: string;
  readonly ownership: OwnershipKey | undefined;
};

export type Refused = {
  readonly event: SourceEvent;
  readonly rejection: Rejection;
  readonly stage: DeadLetterStage;
};
export type Prepared = { readonly candidates: readonly Candidate[]; readonly refused: readonly Refused[] };

/** A pure station that throws as often for one event has a bug; the event is rejected INTERNAL, with an alert. */
export const pureAttemptsMax = 3;

export async function prepareBatch(
  deps: IntakeDeps,
  batch: SourceBatch,
  control: BatchControl,
): Promise<Prepared> {
  const candidates: Candidate[] = [];
  const refused: Refused[] = [];
  const pace = paceOf(control);
  for (const event of batch.events) {
    await pace(event.value);
    const result = withPureRetries(deps, () => prepareEvent(deps, batch, event));
    if ("reason" in result)
      refused.push({ event, rejection: result, stage: result.reason === "INTERNAL" ? "internal" : "parse" });
    else candidates.push(result);
  }
  return { candidates, refused };
}

/** Runs a pure station; what it throws three times over becomes a rejection of this one event. */
export function withPureRetries<T>(
  deps: Pick<IntakeDeps, "observer" | "log">,
  station: () => T,
): T | Rejection {
  for (let attempt = 1; ; attempt++) {
    try {
      return station();
    } catch (cause) {
      if (attempt < pureAttemptsMax) continue;
      deps.observer.internalError();
      deps.log.error(
        "pure_station_threw",
        "a station threw three times for one event; it goes to the dead letters",
        {},
        cause,
      );
      return {
        reason: "INTERNAL",
        pointer: "",
        sentence:
          "Lastro failed on this event through a fault of its own; report it, then replay the dead letter.",
      };
    }
  }
}

function prepareEvent(deps: IntakeDeps, batch: SourceBatch, event: SourceEvent): Candidate | Rejection {
  const parsed = parseEvent(event, { ...deps.parse, nowMs: deps.now() });
  if (!parsed.ok) return parsed.rejection;
  const { envelope } = parsed;
  const result = classify(envelope, deps.catalogue);
  if (!result.ok) return result.rejection;
  const classified = result.classification;
  const { entity, action } = classified;
  const fingerprint = deps.lookup.fingerprint(envelope.canonical);
  const stream = deps.lookup.stream(envelope.tenant, entity.namespace, entity.type, entity.id);
  return {
    event,
    rid: ridOf(batch.src, event.offset),
    envelope: factsOf(envelope),
    classified,
    fingerprint,
    uid: deps.lookup.uid(envelope.tenant, envelope.producerService, envelope.identity, fingerprint),
    stream,
    kind: action.kind,
    action: action.kind === "change" ? action.action : "none",
    key: `${action.kind}:${stream}`,
    ownership:
      envelope.ownershipId === undefined
        ? undefined
        : deps.lookup.ownership(envelope.tenant, envelope.ownershipId),
  };
}
