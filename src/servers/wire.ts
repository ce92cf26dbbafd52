/** The only place where domain answers become generated messages, and messages become questions. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Difference } from "../core/diff.ts";
import { LastroError } from "../core/errors.ts";
import type { EventIdentity, StreamKind as Kind } from "../core/event.ts";
import type { JsonValue } from "../core/json.ts";
import type { DifferenceSchema } from "../gen/lastro/v1/history_pb.ts";
import { type OwnershipSchema, OwnershipState } from "../gen/lastro/v1/ownership_pb.ts";
import {
  ActionType,
  BodyState,
  type Entity,
  type EntitySchema,
  type EventId,
  type EventIdSchema,
  type RecordSchema,
  StreamKind,
} from "../gen/lastro/v1/record_pb.ts";
import type { OwnershipDocument } from "../ports/history-reader.ts";
import type { EntityName } from "../query/deps.ts";
import type { EventIdQuestion } from "../query/get-record.ts";
import { contentOf, type RecordView } from "../query/record-view.ts";

/** Payload and metadata are parts of the event; of a larger one they are not repeated, so that it fits a message. */
const repeatedEventBytesMax = 1024 * 1024;

const invalid = (field: string, why: string): LastroError =>
  new LastroError("INVALID_ARGUMENT", `${field} ${why}`, { field });

export function numberOf(value: bigint, field: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw invalid(field, "is out of range");
  return number;
}

export function msOf(time: Timestamp, field: string): number {
  const ms = numberOf(time.seconds, field) * 1000 + Math.floor(time.nanos / 1_000_000);
  if (!Number.isSafeInteger(ms)) throw invalid(field, "is out of range");
  return ms;
}

export const timeOf = (ms: number): Timestamp => create(TimestampSchema, timestampFromMs(ms));

const kindToWire = { change: StreamKind.CHANGE, activity: StreamKind.ACTIVITY } as const;
const actionToWire = {
  none: ActionType.NONE,
  new: ActionType.NEW,
  update: ActionType.UPDATE,
  delete: ActionType.DELETE,
  disable: ActionType.DISABLE,
  enable: ActionType.ENABLE,
} as const;
const bodyToWire = {
  complete: BodyState.COMPLETE,
  partly_erased: BodyState.PARTLY_ERASED,
  erased: BodyState.ERASED,
  broken: BodyState.BROKEN,
} as const;
const ownershipToWire = {
  live: OwnershipState.LIVE,
  blocked: OwnershipState.BLOCKED,
  fenced: OwnershipState.FENCED,
  erased: OwnershipState.ERASED,
} as const;

export function kindFromWire(kind: StreamKind): Kind {
  if (kind === StreamKind.CHANGE) return "change";
  if (kind === StreamKind.ACTIVITY) return "activity";
  throw invalid("kinds", "holds a kind that is neither change nor activity");
}

export function entityFromWire(entity: Entity | undefined): EntityName {
  if (entity === undefined) throw invalid("entity", "must be given");
  const { tenant, namespace, entityType, entityId } = entity;
  return { tenant, namespace, entityType, entityId };
}

export const entityToWire = (entity: EntityName): MessageInitShape<typeof EntitySchema> => ({
  tenant: entity.tenant,
  namespace: entity.namespace,
  entityType: entity.entityType,
  entityId: entity.entityId,
});

export function eventIdFromWire(id: EventId): EventIdQuestion {
  const { tenant, producerService, form } = id;
  switch (form.case) {
    case "cloudEvent":
      return { tenant, producerService, form: "ce", parts: [form.value.source, form.value.id] };
    case "header":
    case "metadata":
      return { tenant, producerService, form: form.case, parts: [form.value] };
    case undefined:
      throw invalid("event_id", "needs cloud_event, header or metadata");
  }
}

type EventIdForm = MessageInitShape<typeof EventIdSchema>["form"];

function formToWire({ form, parts }: EventIdentity): EventIdForm {
  const [first = "", second = ""] = parts;
  switch (form) {
    case "ce":
      return { case: "cloudEvent", value: { source: first, id: second } };
    case "header":
    case "metadata":
      return { case: form, value: first };
    case "fp":
      return undefined;
  }
}

export function recordToWire(view: RecordView): MessageInitShape<typeof RecordSchema> {
  return {
    rid: view.rid,
    entity: { tenant: view.tenant },
    kind: kindToWire[view.kind],
    version: BigInt(view.version),
    action: actionToWire[view.action],
    isActive: view.isActive,
    recordedAt: timeOf(view.recordedAtMs),
    eventType: view.eventType,
    producerService: view.producerService,
    flags: [...view.flags],
    // An entry is ASCII.
    entry: Buffer.from(view.entry, "latin1"),
    leafHash: view.leafHash,
    bodyState: bodyToWire[view.content.state],
    check: { ...view.check, alteredFields: [...view.check.alteredFields] },
    ...contentToWire(view),
  };
}

function contentToWire(view: RecordView) {
  const content = contentOf(view);
  if (content === undefined) return {};
  const { actor, event, ownershipId } = content;
  const form = formToWire(content.identity);
  const isRepeated = event.length <= repeatedEventBytesMax;
  return {
    ...(form === undefined
      ? {}
      : { eventId: { tenant: view.tenant, producerService: view.producerService, form } }),
    entity: {
      tenant: view.tenant,
      namespace: content.namespace,
      entityType: content.entityType,
      entityId: content.entityId ?? "",
    },
    actionAt: timeOf(content.actionAtMs),
    producerServiceId: content.producerServiceId,
    traceId: content.traceId,
    actor: {
      ownerId: actor.id ?? "",
      ownerIp: actor.ip ?? "",
      ownerRole: actor.role ?? "",
      ownerType: actor.type ?? "",
    },
    ...(ownershipId === undefined ? {} : { ownershipId }),
    event,
    ...(isRepeated ? { payload: content.payload, metadata: content.metadata } : {}),
  };
}

const jsonBytes = (value: JsonValue): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

export const differenceToWire = (difference: Difference): MessageInitShape<typeof DifferenceSchema> => ({
  op: difference.op,
  path: difference.path,
  ...("oldValue" in difference ? { oldValue: jsonBytes(difference.oldValue) } : {}),
  ...("newValue" in difference ? { newValue: jsonBytes(difference.newValue) } : {}),
});

export function ownershipToWireMessage(
  document: OwnershipDocument,
): MessageInitShape<typeof OwnershipSchema> {
  const { ownershipId, firstEventAtMs, lastEventAtMs, retainUntilMs } = document;
  return {
    ownershipKey: document.ownership,
    tenant: document.tenant,
    ...(ownershipId === undefined ? {} : { ownershipId }),
    state: ownershipToWire[document.state],
    ...(firstEventAtMs === undefined ? {} : { firstEventAt: timeOf(firstEventAtMs) }),
    ...(lastEventAtMs === undefined ? {} : { lastEventAt: timeOf(lastEventAtMs) }),
    producers: [...document.producers],
    legalBases: [...document.legalBases],
    purposes: [...document.purposes],
    ...(retainUntilMs === undefined ? {} : { retainUntil: timeOf(retainUntilMs) }),
  };
}
