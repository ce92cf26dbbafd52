/** The documents of `records` and what they hold, both ways. Names that come from outside are values, never field names. */
import { Binary } from "mongodb";
import { statusOf } from "../../core/actions.ts";
import type { Actor, StreamKind } from "../../core/event.ts";
import type { Head, Projection, RecordRow } from "../../core/record.ts";
import type { Known } from "../../ports/record-store.ts";
import { bytesOf, dateOf, type Key, keyOf, ridKey, ridOfKey, textOf } from "./bson-values.ts";

type ChangedFields = "actionAtMs" | "indexed" | "ownershipId" | "resourceType" | "status" | "actor";
/** Documents that were stored before address and status were kept have neither. */
type ProjectionDocument = Omit<Projection, ChangedFields> & {
  readonly actor: Omit<Actor, "ip"> & Partial<Pick<Actor, "ip">>;
  readonly status?: Projection["status"];
  readonly actionAt: Date;
  readonly ownershipId?: string;
  readonly resourceType?: string;
  readonly indexed: readonly { readonly k: string; readonly v: string }[];
};

export type RecordDocument = {
  readonly _id: Binary;
  readonly uid: Key;
  readonly fp: Key;
  readonly stream: Key;
  readonly kind: StreamKind;
  readonly version: number;
  readonly stm: Key;
  readonly action: RecordRow["action"];
  readonly recordedAt: Date;
  readonly isActive: boolean;
  /** The stream, while active: finds the active records of streams without walking their histories. */
  readonly activeOf?: Key;
  readonly ownership?: Key;
  readonly kids: readonly Key[];
  readonly entry: string;
  readonly leafHash: Binary;
  readonly body: Binary;
  readonly p: ProjectionDocument;
};

export function recordDocument(row: RecordRow): RecordDocument {
  return {
    _id: ridKey(row.rid),
    uid: keyOf(row.uid),
    fp: keyOf(row.fingerprint),
    stream: keyOf(row.stream),
    kind: row.kind,
    version: row.version,
    stm: keyOf(row.alias),
    action: row.action,
    recordedAt: dateOf(row.recordedAtMs),
    isActive: row.isActive,
    ...(row.isActive && { activeOf: keyOf(row.stream) }),
    ...(row.ownership !== undefined && { ownership: keyOf(row.ownership) }),
    kids: row.kids.map(keyOf),
    entry: row.entry,
    leafHash: new Binary(row.leafHash),
    body: new Binary(row.body),
    p: projectionDocument(row.projection),
  };
}

function projectionDocument(projection: Projection): ProjectionDocument {
  const { actionAtMs, indexed, ownershipId, resourceType, ...same } = projection;
  return {
    ...same,
    actionAt: dateOf(actionAtMs),
    ...(ownershipId !== undefined && { ownershipId }),
    ...(resourceType !== undefined && { resourceType }),
    indexed: Object.entries(indexed).map(([k, v]) => ({ k, v })),
  };
}

export function recordRow(document: RecordDocument): RecordRow {
  const { actionAt, actor, indexed, ownershipId, resourceType, status, ...same } = document.p;
  return {
    rid: ridOfKey(document._id),
    uid: textOf(document.uid),
    fingerprint: textOf(document.fp),
    stream: textOf(document.stream),
    kind: document.kind,
    version: document.version,
    alias: textOf(document.stm),
    action: document.action,
    recordedAtMs: document.recordedAt.getTime(),
    isActive: document.isActive,
    ownership: document.ownership === undefined ? undefined : textOf(document.ownership),
    kids: document.kids.map((kid) => textOf(kid)),
    entry: document.entry,
    leafHash: bytesOf(document.leafHash),
    body: bytesOf(document.body),
    projection: {
      ...same,
      actor: { ...actor, ip: actor.ip ?? "" },
      status: status ?? statusOf(same.eventType, undefined),
      actionAtMs: actionAt.getTime(),
      ownershipId,
      resourceType,
      indexed: Object.fromEntries(indexed.map(({ k, v }) => [k, v])),
    },
  };
}

export const knownFields = { uid: 1, fp: 1, stream: 1, kind: 1, version: 1 } as const;
export type KnownDocument = Pick<RecordDocument, "_id" | keyof typeof knownFields>;

export const known = (document: KnownDocument): Known => ({
  rid: ridOfKey(document._id),
  uid: textOf(document.uid),
  fingerprint: textOf(document.fp),
  stream: textOf(document.stream),
  kind: document.kind,
  version: document.version,
});

export const headFields = {
  stream: 1, kind: 1, version: 1, stm: 1, recordedAt: 1, isActive: 1, action: 1, "p.actionAt": 1,
} as const; // biome-ignore format: a list
export type HeadDocument = Pick<
  RecordDocument,
  "_id" | "stream" | "kind" | "version" | "stm" | "recordedAt" | "isActive" | "action"
> & {
  readonly p: Pick<ProjectionDocument, "actionAt">;
};

export const head = (document: HeadDocument): Head => ({
  version: document.version,
  alias: textOf(document.stm),
  recordedAtMs: document.recordedAt.getTime(),
  actionAtMs: document.p.actionAt.getTime(),
  isActive: document.isActive,
});
