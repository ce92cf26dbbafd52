/** Events that are offered: domain ⇄ generated messages. Part of the wire, see wire.ts. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { OfferedEvent, PublishedEvent, PublishWait } from "../collect/publish-events.ts";
import { LastroError } from "../core/errors.ts";
import {
  type OfferedEvent as OfferedEventMessage,
  type PublishedEventSchema,
  PublishWait as Wait,
} from "../gen/lastro/v1/ingest_pb.ts";
import { OutcomeKind } from "../gen/lastro/v1/operations_pb.ts";
import { eventIdToWire } from "./wire.ts";
import { outcomeToWire } from "./wire-operations.ts";

export function offeredFromWire(event: OfferedEventMessage | undefined, field: string): OfferedEvent {
  if (event === undefined) throw new LastroError("INVALID_ARGUMENT", `${field} must be given`, { field });
  return { value: event.value, headers: event.headers };
}

export function waitFromWire(wait: Wait): PublishWait {
  switch (wait) {
    case Wait.UNSPECIFIED:
      return "acknowledged";
    case Wait.STORED:
      return "stored";
    case Wait.LOGGED:
      return "logged";
    default:
      throw new LastroError("INVALID_ARGUMENT", "wait_for is nothing to wait for: stored or logged", {
        field: "wait_for",
      });
  }
}

export function publishedToWire({
  rid,
  eventId,
  outcome,
}: PublishedEvent): MessageInitShape<typeof PublishedEventSchema> {
  const named = { rid, ...(eventId === undefined ? {} : { eventId: eventIdToWire(eventId) }) };
  if (outcome === undefined) return named;
  if (outcome === "stored") return { ...named, outcome: OutcomeKind.STORED };
  const { kind = OutcomeKind.UNSPECIFIED, originalRid = "" } = outcomeToWire(outcome);
  return { ...named, outcome: kind, originalRid };
}
