/** A record as a row of the table `records`, there and back. */
import type { SQLInputValue } from "node:sqlite";
import { LastroError } from "../../core/errors.ts";
import type { StreamKind } from "../../core/event.ts";
import type { B64, Fingerprint, Kid, OwnershipKey, StreamAlias, StreamId, Uid } from "../../core/ids.ts";
import type { Projection, RecordRow } from "../../core/record.ts";
import {
  b64,
  blob,
  integer,
  optionalText,
  positionOf,
  type Row,
  ridAt,
  text,
  textOrEmpty,
  toBytes,
} from "./columns.ts";

export const insertColumns = [
  "position", "uid", "stream", "kind", "version", "alias", "action", "recorded_at", "is_active", "action_at",
  "fingerprint", "ownership", "tenant", "namespace", "entity_type", "entity_id", "event_type", "producer_service",
  "trace_id", "owner_id", "ownership_id", "aside", "kids", "leaf_hash", "entry", "body",
] as const; // biome-ignore format: a table
export const insertRecord = `INSERT INTO records (${insertColumns.join(", ")}) VALUES (${insertColumns.map(() => "?").join(", ")})`;

/** What no search asks for lies together as JSON. */
type Aside = Pick<Projection, "candidateIds" | "severity" | "flags" | "indexed"> &
  Pick<Projection["actor"], "role" | "type"> & { readonly resourceType?: string };

export const kindCode = (kind: StreamKind): number => (kind === "change" ? 0 : 1);
export const kindOf = (row: Row): StreamKind => (integer(row, "kind") === 0 ? "change" : "activity");

/** A uid is an HMAC, kept as bytes; the uid of a redacted record is the text `x/` and its rid. */
export const uidValue = (uid: Uid): SQLInputValue => (uid.startsWith("x/") ? uid : toBytes(uid));
export const uidOf = (row: Row): Uid => {
  const value = row["uid"];
  return (typeof value === "string" ? value : b64(row, "uid")) as Uid;
};

const kidBytes = 16;
const joinKids = (kids: readonly Kid[]): Uint8Array => Buffer.concat(kids.map(toBytes));
const kidsIn = (bytes: Buffer): readonly Kid[] =>
  Array.from(
    { length: bytes.length / kidBytes },
    (_, i) => bytes.toString("base64url", i * kidBytes, (i + 1) * kidBytes) as Kid,
  );

function asideOf({ candidateIds, severity, flags, indexed, actor, resourceType }: Projection): Aside {
  const { role, type } = actor;
  const aside = { candidateIds, severity, flags, indexed, role, type };
  return resourceType === undefined ? aside : { ...aside, resourceType };
}

/** In the order of `insertRecord`. */
export function recordValues(record: RecordRow): SQLInputValue[] {
  const { projection } = record;
  const position = positionOf(record.rid);
  if (position === undefined) throw new LastroError("INTERNAL", "a record to append has no valid rid");
  return [
    position, uidValue(record.uid), toBytes(record.stream), kindCode(record.kind), record.version,
    toBytes(record.alias), record.action, record.recordedAtMs, record.isActive ? 1 : 0, projection.actionAtMs,
    toBytes(record.fingerprint), record.ownership === undefined ? null : toBytes(record.ownership),
    projection.tenant, projection.namespace, projection.entityType, projection.entityId, projection.eventType,
    projection.producerService, projection.traceId, projection.actor.id, projection.ownershipId ?? null,
    JSON.stringify(asideOf(projection)), joinKids(record.kids), record.leafHash, record.entry, record.body,
  ]; // biome-ignore format: a table
}

function projectionOf(row: Row): Projection {
  const aside: Aside = JSON.parse(text(row, "aside"));
  return {
    tenant: textOrEmpty(row, "tenant"),
    namespace: textOrEmpty(row, "namespace"),
    entityType: textOrEmpty(row, "entity_type"),
    entityId: textOrEmpty(row, "entity_id"),
    candidateIds: aside.candidateIds,
    eventType: textOrEmpty(row, "event_type"),
    producerService: textOrEmpty(row, "producer_service"),
    traceId: textOrEmpty(row, "trace_id"),
    actor: { id: textOrEmpty(row, "owner_id"), role: aside.role, type: aside.type },
    ownershipId: optionalText(row, "ownership_id"),
    actionAtMs: integer(row, "action_at"),
    severity: aside.severity,
    resourceType: aside.resourceType,
    flags: aside.flags,
    indexed: aside.indexed,
  };
}

const idColumns = ["position", "stream", "alias", "leaf_hash", "kids", "fingerprint", "ownership"] as const;
/** What `recordOf` reads. The ids come as one text: each value that SQLite hands over as bytes costs as much as reading five texts. */
export const recordColumns = `${idColumns.map((name) => `hex(${name})`).join(" || ',' || ")} || ',' || iif(typeof(uid) = 'text', uid, hex(uid)) AS ids,
  kind, version, action, recorded_at, is_active, action_at, tenant, namespace, entity_type, entity_id, event_type,
  producer_service, trace_id, owner_id, ownership_id, aside, entry, body`;

const bytesOf = (hex: string | undefined): Buffer => Buffer.from(hex ?? "", "hex");
const idOf = (hex: string | undefined): B64 => bytesOf(hex).toString("base64url");

/** From a row of `recordColumns`. */
export function recordOf(row: Row): RecordRow {
  const [position, stream, alias, leafHash, kids, fingerprint, ownership, uid = ""] = text(row, "ids").split(
    ",",
  );
  return {
    rid: ridAt(bytesOf(position)),
    uid: (uid.startsWith("x/") ? uid : idOf(uid)) as Uid,
    fingerprint: idOf(fingerprint) as Fingerprint,
    stream: idOf(stream) as StreamId,
    kind: kindOf(row),
    version: integer(row, "version"),
    alias: idOf(alias) as StreamAlias,
    action: text(row, "action") as RecordRow["action"],
    recordedAtMs: integer(row, "recorded_at"),
    isActive: integer(row, "is_active") === 1,
    ownership: ownership === "" ? undefined : (idOf(ownership) as OwnershipKey),
    kids: kidsIn(bytesOf(kids)),
    entry: text(row, "entry"),
    leafHash: bytesOf(leafHash),
    body: blob(row, "body"),
    projection: projectionOf(row),
  };
}
