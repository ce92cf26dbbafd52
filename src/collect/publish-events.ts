/** Publishes events that do not come from Kafka: each is checked as intake will check it, so that what would be a dead letter is refused at the door. */
import type { Catalogue } from "../core/catalogue.ts";
import { classify } from "../core/entity.ts";
import { parseEvent } from "../core/envelope.ts";
import { LastroError } from "../core/errors.ts";
import type { Envelope } from "../core/event.ts";
import type { Rid } from "../core/ids.ts";
import type { OutcomeRow, Rejection } from "../core/outcome.ts";
import { type ParseOptions, selfProducer } from "../core/parse-options.ts";
import { searchable } from "../core/projection.ts";
import type { Clock } from "../ports/clock.ts";
import type { EventPublisher } from "../ports/event-publisher.ts";
import type { HistoryReader } from "../ports/history-reader.ts";
import type { Operations } from "../ports/operations.ts";
import type { Caller, QueryDeps } from "../query/deps.ts";
import type { EventIdQuestion } from "../query/get-record.ts";
import { type Access, permit, requireReach } from "../query/permit.ts";
import type { PublishedLog } from "../query/published-log.ts";
import { requireOn } from "../query/switched-on.ts";
import { untilAccounted } from "./until-accounted.ts";

export type CollectDeps = Pick<QueryDeps, "guard"> & {
  readonly publisher: EventPublisher;
  readonly catalogue: Catalogue;
  readonly parse: Omit<ParseOptions, "nowMs">;
  readonly history: Pick<HistoryReader, "byRid">;
  readonly operations: Pick<Operations, "outcomes">;
  readonly log: Pick<PublishedLog, "untilState">;
  readonly now: Clock;
};

export type OfferedEvent = { readonly value: Uint8Array; readonly headers: Readonly<Record<string, string>> };
export type PublishWait = "acknowledged" | "stored" | "logged";
export type PublishedEvent = {
  readonly rid: Rid;
  /** Undefined when the producer gave no id. */
  readonly eventId: EventIdQuestion | undefined;
  /** Undefined where the answer did not wait. */
  readonly outcome: "stored" | OutcomeRow | undefined;
};

export const eventsAtOnceMax = 100;

type Checked = OfferedEvent & { readonly key: string; readonly eventId: EventIdQuestion | undefined };

/** Nothing is published unless all of it would be accepted, and is the caller's to publish. `fieldOf` names an event in a fault. */
export async function publishEvents(
  deps: CollectDeps,
  events: readonly OfferedEvent[],
  wait: PublishWait,
  fieldOf: (index: number) => string,
  caller: Caller,
  signal: AbortSignal,
): Promise<readonly PublishedEvent[]> {
  const access = permit(deps, caller, "PublishEvents");
  await requireOn(deps, access, "publishing");
  const checked = events.map((event, i) => check(deps, access, event, fieldOf(i)));
  const published = await Promise.all(
    checked.map(async (event) => ({
      rid: await deps.publisher.publish(event, signal),
      eventId: event.eventId,
      outcome: undefined,
    })),
  );
  if (wait === "acknowledged") return published;
  const settled: PublishedEvent[] = [];
  for (const one of published) settled.push(await settle(deps, one, wait, signal));
  return settled;
}

async function settle(
  deps: CollectDeps,
  published: PublishedEvent,
  wait: PublishWait,
  signal: AbortSignal,
): Promise<PublishedEvent> {
  const outcome = await untilAccounted(deps, published.rid, signal);
  const logged =
    outcome === "stored" ? published.rid : outcome.kind === "duplicate" ? outcome.original : undefined;
  if (wait === "logged" && logged !== undefined) await deps.log.untilState(logged, "logged", signal);
  return { ...published, outcome };
}

function check(deps: CollectDeps, access: Access, event: OfferedEvent, field: string): Checked {
  const { catalogue, parse } = deps;
  const nowMs = deps.now();
  const headers = Object.entries(event.headers).map(
    ([name, text]) => [acceptedHeader(name, field), new TextEncoder().encode(text)] as const,
  );
  const source = { offset: 0, key: null, value: event.value, headers, timestampMs: -1 };
  const parsed = parseEvent(source, { ...parse, nowMs });
  if (!parsed.ok) throw refused(parsed.rejection, field);
  const classified = classify(parsed.envelope, catalogue);
  if (!classified.ok) throw refused(classified.rejection, field);
  const { type, id } = classified.classification.entity;
  const { tenant, producerService, ownershipId } = parsed.envelope;
  if (producerService === selfProducer) throw forged(deps, access, field);
  requireReach(deps, access, {
    tenant,
    producer_service: searchable(producerService),
    entity_type: searchable(type),
    ownership_id: searchable(ownershipId ?? ""),
    recorded_at: nowMs,
  });
  return { ...event, key: id, eventId: eventIdOf(parsed.envelope) };
}

const headerForm = /^(?:event_id|content-type|traceparent|tracestate|ce_[a-z0-9]{1,64})$/;

function acceptedHeader(name: string, field: string): string {
  if (headerForm.test(name)) return name;
  const why = "may be event_id, content-type, traceparent, tracestate and ce_*";
  throw new LastroError("INVALID_ARGUMENT", `${field}.headers ${why}`, { field: `${field}.headers` });
}

/** What the service says of its callers would prove nothing, could they say it themselves. */
function forged({ guard }: CollectDeps, { caller, method }: Access, field: string): LastroError {
  guard.watch.denied(caller, method);
  const why = `events of ${selfProducer} are the service's own: publish under the name of your service`;
  return new LastroError("PERMISSION_DENIED", `${field}: ${why}`, { field });
}

const refused = ({ reason, pointer, sentence }: Rejection, field: string): LastroError =>
  new LastroError("EVENT_REJECTED", `${reason}: ${sentence}`, {
    field: `${field}${pointer.replaceAll("/", ".")}`,
  });

function eventIdOf({ identity, tenant, producerService }: Envelope): EventIdQuestion | undefined {
  const { form, parts } = identity;
  return form === "fp" ? undefined : { tenant, producerService, form, parts };
}
