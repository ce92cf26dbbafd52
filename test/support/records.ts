/** Builders of valid rows and batches for the tests of stores; each scene has a topic, a tenant and a source of its own, so scenes can share one store. */
import { createHash } from "node:crypto";
import type { StreamKind } from "../../src/core/event.ts";
import {
  type Fingerprint,
  type Kid,
  type OwnershipKey,
  type Rid,
  ridOf,
  type Src,
  type StreamAlias,
  type StreamId,
  srcOf,
  type TopicId,
  type Uid,
} from "../../src/core/ids.ts";
import type { OutcomeRow } from "../../src/core/outcome.ts";
import { activates, type Projection, type RecordRow } from "../../src/core/record.ts";
import type { AccountStep, AppendBatch, OwnershipFacts } from "../../src/ports/record-store.ts";

export const bytesOf = (label: string, length = 32): Uint8Array =>
  new Uint8Array(createHash("sha256").update(label).digest().subarray(0, length));
export const b64Of = (label: string, length = 32): string =>
  Buffer.from(bytesOf(label, length)).toString("base64url");

export const secondMs = 1_000;
/** 2026-11-21T09:00:00.000Z */
export const startMs = 1_795_251_600_000;

export type RecordOptions = Partial<Omit<RecordRow, "rid" | "stream" | "projection">> & {
  readonly offset: number;
  /** Name of the entity; streams are made of it. */
  readonly entity?: string;
  readonly projection?: Partial<Projection>;
};

export type Scene = {
  readonly tenant: string;
  readonly src: Src;
  readonly topicId: TopicId;
  rid(offset: number): Rid;
  uid(label: string): Uid;
  stream(entity: string): StreamId;
  ownership(name: string): OwnershipKey;
  kid(label: string): Kid;
  record(options: RecordOptions): RecordRow;
  batch(parts: Partial<AppendBatch>): AppendBatch;
  facts(name: string, over?: Partial<OwnershipFacts>): OwnershipFacts;
  step(from: number, to: number, outcomes?: readonly OutcomeRow[], atMs?: number): AccountStep;
  /** One outcome row of each kind, at these offsets; the gap is three offsets long. */
  duplicate(offset: number): OutcomeRow;
  conflict(offset: number): OutcomeRow;
  rejected(offset: number): OutcomeRow;
  gap(from: number, to: number): OutcomeRow;
};

let scenes = 0;

function projectionOf(name: string, tenant: string, entity: string, over: Partial<Projection>): Projection {
  return {
    tenant,
    namespace: "billing",
    entityType: "account",
    entityId: entity,
    candidateIds: [entity, `${entity}-alt`],
    eventType: "account.updated",
    producerService: "billing",
    traceId: b64Of(`${name}/trace/${entity}`, 16),
    actor: { id: `actor-${entity}`, ip: "192.0.2.1", role: "admin", type: "user" },
    ownershipId: undefined,
    actionAtMs: startMs - secondMs,
    severity: "LOW",
    status: "SUCCESS",
    resourceType: undefined,
    flags: [],
    indexed: {},
    ...over,
  };
}

function recordOf(name: string, scene: Pick<Scene, "src" | "tenant">, options: RecordOptions): RecordRow {
  const { offset, entity = "e1", projection = {}, ...over } = options;
  const kind: StreamKind = over.kind ?? "change";
  const action = over.action ?? (kind === "change" ? "update" : "none");
  const entry = `{"act":"${action}","rid":"${ridOf(scene.src, offset)}","t":"record","v":1}`;
  return {
    rid: ridOf(scene.src, offset),
    uid: b64Of(`${name}/uid/${offset}`) as Uid,
    fingerprint: b64Of(`${name}/fp/${offset}`) as Fingerprint,
    stream: b64Of(`${name}/stream/${entity}`) as StreamId,
    kind,
    version: offset + 1,
    alias: b64Of(`${name}/alias/${entity}/${kind}`, 16) as StreamAlias,
    action,
    recordedAtMs: startMs,
    isActive: activates(action),
    ownership: undefined,
    kids: [b64Of(`${name}/kid/p`, 16) as Kid, b64Of(`${name}/kid/a`, 16) as Kid],
    entry,
    leafHash: bytesOf(`\u0000${entry}`),
    body: new Uint8Array(Buffer.concat([Buffer.from("LB1"), bytesOf(`${name}/body/${offset}`)])),
    ...over,
    projection: projectionOf(name, scene.tenant, entity, projection),
  };
}

function factsOf(name: string, tenant: string, who: string, over: Partial<OwnershipFacts>): OwnershipFacts {
  return {
    ownership: b64Of(`${name}/ownership/${who}`) as OwnershipKey,
    tenant,
    ownershipId: who,
    firstEventAtMs: startMs,
    lastEventAtMs: startMs,
    producers: ["billing"],
    legalBases: ["contract"],
    purposes: ["support"],
    retainUntilMs: undefined,
    ...over,
  };
}

const outcomeBuilders = (name: string, src: Src) => {
  const deadLettered = (offset: number) => ({
    from: offset,
    to: offset + 1,
    commitment: b64Of(`${name}/commitment/${offset}`),
    deadLetter: { topic: "audit.dlq", partition: 2, offset: 1_000 + offset },
  });
  return {
    duplicate: (offset: number): OutcomeRow => ({
      kind: "duplicate",
      from: offset,
      to: offset + 1,
      original: ridOf(src, 0),
    }),
    conflict: (offset: number): OutcomeRow => ({
      kind: "conflict",
      ...deadLettered(offset),
      original: ridOf(src, 1),
    }),
    rejected: (offset: number): OutcomeRow => ({
      kind: "rejected",
      ...deadLettered(offset),
      rejection: { reason: "SCHEMA", pointer: "/payload/$x.y", sentence: "name the event type" },
    }),
    gap: (from: number, to: number): OutcomeRow => ({ kind: "gap", from, to, cause: "undelivered" }),
  };
};

/** A fresh scene. `topicByte` is the first byte of its topic id, which orders scenes among each other. */
export function makeScene(topicByte = 0x41, partition = 3): Scene {
  scenes += 1;
  const name = `scene ${scenes}`;
  const topic = Buffer.from(bytesOf(`${name}/topic`, 16));
  topic[0] = topicByte;
  const topicId = topic.toString("base64url") as TopicId;
  const src = srcOf(topicId, partition);
  const tenant = `tenant-${scenes}`;
  return {
    tenant,
    src,
    topicId,
    rid: (offset) => ridOf(src, offset),
    uid: (label) => b64Of(`${name}/uid/${label}`) as Uid,
    stream: (entity) => b64Of(`${name}/stream/${entity}`) as StreamId,
    ownership: (who) => b64Of(`${name}/ownership/${who}`) as OwnershipKey,
    kid: (label) => b64Of(`${name}/kid/${label}`, 16) as Kid,
    record: (options) => recordOf(name, { src, tenant }, options),
    batch: (parts) => ({
      records: [],
      deactivate: [],
      ownerships: [],
      aliases: [],
      account: undefined,
      ...parts,
    }),
    facts: (who, over = {}) => factsOf(name, tenant, who, over),
    step: (from, to, outcomes = [], atMs = startMs) => ({ src, from, to, atMs, outcomes }),
    ...outcomeBuilders(name, src),
  };
}
