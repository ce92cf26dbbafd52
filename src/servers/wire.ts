/** The only place where domain answers become generated messages, and messages become questions. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { operationOf } from "../core/actions.ts";
import type { EventIdentity, StreamKind as Kind } from "../core/event.ts";
import type { ChangeSchema, DifferenceSchema } from "../gen/lastro/v1/history_pb.ts";
import { type OwnershipSchema, OwnershipState } from "../gen/lastro/v1/ownership_pb.ts";
import {
  ActionType,
  type Actor,
  BodyState,
  type Entity,
  type EntitySchema,
  type EventId,
  EventStatus,
  type LogPlace as LogPlaceMessage,
  LogState,
  type Record as RecordMessage,
  Severity,
  StreamKind,
} from "../gen/lastro/v1/record_pb.ts";
import type { ShownDifference } from "../query/compare-versions.ts";
import { type EntityName, invalid } from "../query/deps.ts";
import type { EventIdQuestion } from "../query/get-record.ts";
import type { Change } from "../query/list-changes.ts";
import type { ShownOwnership } from "../query/ownerships.ts";
import { contentOf, type RecordContent, type RecordView } from "../query/record-view.ts";
import type { LogPlace, SeenTree } from "../query/seen-tree.ts";

/** Payload and metadata are parts of the event; of a larger one they are not repeated, so that it fits a message. */
const repeatedEventBytesMax = 1024 * 1024;

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

const kindToWire = { change: StreamKind.CHANGE, activity: StreamKind.ACTIVITY } as const;
const actionToWire = {
  none: ActionType.NONE,
  new: ActionType.NEW,
  update: ActionType.UPDATE,
  delete: ActionType.DELETE,
  disable: ActionType.DISABLE,
  enable: ActionType.ENABLE,
} as const;
const severityToWire = {
  LOW: Severity.LOW,
  MEDIUM: Severity.MEDIUM,
  HIGH: Severity.HIGH,
  CRITICAL: Severity.CRITICAL,
} as const;
const statusToWire = {
  SUCCESS: EventStatus.SUCCESS,
  FAILURE: EventStatus.FAILURE,
  PENDING: EventStatus.PENDING,
} as const;
const bodyToWire = {
  complete: BodyState.COMPLETE,
  partly_erased: BodyState.PARTLY_ERASED,
  erased: BodyState.ERASED,
  broken: BodyState.BROKEN,
  masked: BodyState.MASKED,
} as const;
const ownershipToWire = {
  live: OwnershipState.LIVE,
  blocked: OwnershipState.BLOCKED,
  fenced: OwnershipState.FENCED,
  erased: OwnershipState.ERASED,
} as const;

const logStateToWire = {
  pending: LogState.PENDING,
  logged: LogState.LOGGED,
  witnessed: LogState.WITNESSED,
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

function formToWire({ form, parts }: Pick<EventIdQuestion, "form" | "parts">): EventId["form"] {
  const [first = "", second = ""] = parts;
  switch (form) {
    case "ce":
      return {
        case: "cloudEvent",
        value: { $typeName: "lastro.v1.CloudEventId", source: first, id: second },
      };
    case "header":
    case "metadata":
      return { case: form, value: first };
  }
}

/** Undefined where the producer gave no id. */
const identityToWire = (view: RecordView, { form, parts }: EventIdentity): EventId | undefined =>
  form === "fp" ? undefined : eventIdToWire({ ...view, form, parts });

export function eventIdToWire({ tenant, producerService, form, parts }: EventIdQuestion): EventId {
  return { $typeName: "lastro.v1.EventId", tenant, producerService, form: formToWire({ form, parts }) };
}

const nothing = new Uint8Array();

/** Whole messages, down to the leaves: the library then has nothing to fill in or to convert. */
export function recordToWire(view: RecordView, seen: SeenTree): RecordMessage {
  const { tenant, producerService } = view;
  const content = contentOf(view);
  const event = content?.event ?? nothing;
  const isRepeated = content !== undefined && event.length <= repeatedEventBytesMax;
  return {
    $typeName: "lastro.v1.Record",
    rid: view.rid,
    eventId: content && identityToWire(view, content.identity),
    entity: {
      $typeName: "lastro.v1.Entity",
      tenant,
      namespace: content?.namespace ?? "",
      entityType: content?.entityType ?? "",
      entityId: content?.entityId ?? "",
    },
    kind: kindToWire[view.kind],
    version: BigInt(view.version),
    action: actionToWire[view.action],
    isActive: view.isActive,
    recordedAt: timestampFromMs(view.recordedAtMs),
    actionAt: content && timestampFromMs(content.actionAtMs),
    eventType: view.eventType,
    producerService,
    producerServiceId: content?.producerServiceId ?? "",
    traceId: content?.traceId ?? "",
    actor: content && actorToWire(content.actor),
    ownershipId: content?.ownershipId,
    flags: [...view.flags],
    // An entry is ASCII.
    entry: Buffer.from(view.entry, "latin1"),
    leafHash: view.leafHash,
    event,
    payload: isRepeated ? content.payload : nothing,
    metadata: isRepeated ? content.metadata : nothing,
    bodyState: bodyToWire[view.content.state],
    check: {
      $typeName: "lastro.v1.RecordCheck",
      ...view.check,
      alteredFields: [...view.check.alteredFields],
    },
    log: placeToWire(seen.placeOf(view)),
    severity: severityToWire[view.severity],
    status: statusToWire[view.status],
    resourceType: view.resourceType,
    operation: operationOf(view.eventType),
  };
}

const placeToWire = (place: LogPlace): LogPlaceMessage => ({
  $typeName: "lastro.v1.LogPlace",
  state: logStateToWire[place.state],
  ...(place.index === undefined ? {} : { index: BigInt(place.index) }),
  ...(place.state === "pending" ? {} : { treeSize: BigInt(place.treeSize) }),
});

/** Absent until there is a tree. */
export const treeSizeToWire = ({ treeSize }: SeenTree): { readonly treeSize?: bigint } =>
  treeSize === undefined ? {} : { treeSize: BigInt(treeSize) };

export const startTreeSizeToWire = (size: number | undefined): { readonly startTreeSize?: bigint } =>
  size === undefined ? {} : { startTreeSize: BigInt(size) };

const actorToWire = (actor: RecordContent["actor"]): Actor => ({
  $typeName: "lastro.v1.Actor",
  ownerId: actor.id ?? "",
  ownerIp: actor.ip ?? "",
  ownerRole: actor.role ?? "",
  ownerType: actor.type ?? "",
});

export const differenceToWire = (difference: ShownDifference): MessageInitShape<typeof DifferenceSchema> => ({
  op: difference.op,
  path: difference.path,
  ...(difference.oldValue === undefined ? {} : { oldValue: Buffer.from(difference.oldValue) }),
  ...(difference.newValue === undefined ? {} : { newValue: Buffer.from(difference.newValue) }),
});

export const changeToWire = (change: Change, seen: SeenTree): MessageInitShape<typeof ChangeSchema> => ({
  record: recordToWire(change.record, seen),
  ...(change.oldValues === undefined ? {} : { oldValues: Buffer.from(change.oldValues) }),
  ...(change.newValues === undefined ? {} : { newValues: Buffer.from(change.newValues) }),
  differences: change.differences.map(differenceToWire),
  erased: change.erased,
  masked: change.masked,
});

export function ownershipToWireMessage(document: ShownOwnership): MessageInitShape<typeof OwnershipSchema> {
  const { ownershipId, firstEventAtMs, lastEventAtMs, retainUntilMs } = document;
  return {
    ownershipKey: document.ownership,
    tenant: document.tenant,
    ...(ownershipId === undefined ? {} : { ownershipId }),
    state: ownershipToWire[document.state],
    masked: document.isMasked,
    ...(firstEventAtMs === undefined ? {} : { firstEventAt: timestampFromMs(firstEventAtMs) }),
    ...(lastEventAtMs === undefined ? {} : { lastEventAt: timestampFromMs(lastEventAtMs) }),
    producers: [...document.producers],
    legalBases: [...document.legalBases],
    purposes: [...document.purposes],
    ...(retainUntilMs === undefined ? {} : { retainUntil: timestampFromMs(retainUntilMs) }),
  };
}
