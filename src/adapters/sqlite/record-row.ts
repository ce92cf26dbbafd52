/** A record as a row of the table `records`, there and back. */
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { statusOf } from "../../core/actions.ts";
import { LastroError } from "../../core/errors.ts";
import type { StreamKind } from "../../core/event.ts";
import type { B64, Fingerprint, Kid, OwnershipKey, StreamAlias, StreamId, Uid } from "../../core/ids.ts";
import type { Projection, RecordRow } from "../../core/record.ts";
import {
  asBytes,
  asInteger,
  asOptionalText,
  asText,
  b64,
  damaged,
  integer,
  positionOf,
  type Row,
  ridAt,
  toBytes,
} from "./columns.ts";

export const insertColumns = [
  "position", "uid", "stream", "kind", "version", "alias", "action", "recorded_at", "is_active", "action_at",
  "fingerprint", "ownership", "tenant", "namespace", "entity_type", "entity_id", "event_type", "producer_service",
  "trace_id", "owner_id", "ownership_id", "aside", "kids", "leaf_hash", "entry", "body",
] as const; // biome-ignore format: a table
export const insertRecord = `INSERT INTO records (${insertColumns.join(", ")}) VALUES (${insertColumns.map(() => "?").join(", ")})`;

/** What no index holds lies together as JSON. Rows that were stored before address and status were kept have neither. */
export type Aside = Pick<Projection, "candidateIds" | "severity" | "flags" | "indexed"> &
  Partial<Pick<Projection, "status">> &
  Pick<Projection["actor"], "role" | "type"> &
  Partial<Pick<Projection["actor"], "ip">> & { readonly resourceType?: string };

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
function kidsIn(bytes: Buffer, from: number): readonly Kid[] {
  if ((bytes.length - from) % kidBytes !== 0) throw damaged("kids");
  const kids: Kid[] = [];
  for (let at = from; at + kidBytes <= bytes.length; at += kidBytes)
    kids.push(bytes.toString("base64url", at, at + kidBytes) as Kid);
  return kids;
}

function asideOf({ candidateIds, severity, status, flags, indexed, actor, resourceType }: Projection): Aside {
  const { ip, role, type } = actor;
  const aside = { candidateIds, severity, status, flags, indexed, ip, role, type };
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

/** One column of bytes instead of eight: each value that SQLite hands over as bytes costs as much as five texts. Behind each id's length the id; key ids last. */
const uidAs = (type: "blob" | "text"): string => `iif(typeof(uid) = '${type}', uid, NULL)`;
const ids = ["position", "stream", "alias", "leaf_hash", "fingerprint", "ownership", uidAs("blob")]
  .map((id) => `char(ifnull(length(${id}), 0)) || ifnull(${id}, x'')`)
  .join(" || ");
const fields = [
  "ids", "uid", "kind", "version", "action", "recorded_at", "is_active", "action_at", "tenant", "namespace", "entity_type",
  "entity_id", "event_type", "producer_service", "trace_id", "owner_id", "ownership_id", "aside", "entry", "body",
] as const; // biome-ignore format: a table
const expressions: Partial<Record<string, string>> = {
  ids: `CAST(${ids} || kids AS BLOB)`,
  uid: uidAs("text"),
};
const recordColumns = fields.map((field) => expressions[field] ?? field).join();

type Field = (typeof fields)[number];
const place = Object.fromEntries(fields.map((field, at) => [field, at])) as Readonly<Record<Field, number>>;

/** Records where `rest` says, for `recordOf`: rows come as arrays, without a name for each value. */
export function prepareRecords(db: DatabaseSync, rest: string): StatementSync {
  const statement = db.prepare(`SELECT ${recordColumns} FROM records ${rest}`);
  statement.setReturnArrays(true);
  return statement;
}

/** Of a row that may not be readable otherwise, and whose position is known to be so long: it comes first in `ids`. */
export const auditedPosition = (row: Row, bytes: number): Buffer =>
  asBytes(row[place.ids], "ids").subarray(1, 1 + bytes);
export const auditedEntry = (row: Row): string | undefined => {
  const entry = row[place.entry];
  return typeof entry === "string" ? entry : undefined;
};

const integerOf = (row: Row, field: Field): number => asInteger(row[place[field]], field);
const textOf = (row: Row, field: Field): string => asText(row[place[field]], field);
const optionalTextOf = (row: Row, field: Field): string | undefined =>
  asOptionalText(row[place[field]], field);
/** For columns that erasure clears. */
const textOrEmpty = (row: Row, field: Field): string => optionalTextOf(row, field) ?? "";

function projectionOf(row: Row): Projection {
  const aside: Aside = JSON.parse(textOf(row, "aside"));
  const eventType = textOrEmpty(row, "event_type");
  return {
    tenant: textOrEmpty(row, "tenant"),
    namespace: textOrEmpty(row, "namespace"),
    entityType: textOrEmpty(row, "entity_type"),
    entityId: textOrEmpty(row, "entity_id"),
    candidateIds: aside.candidateIds,
    eventType,
    producerService: textOrEmpty(row, "producer_service"),
    traceId: textOrEmpty(row, "trace_id"),
    actor: { id: textOrEmpty(row, "owner_id"), ip: aside.ip ?? "", role: aside.role, type: aside.type },
    ownershipId: optionalTextOf(row, "ownership_id"),
    actionAtMs: integerOf(row, "action_at"),
    severity: aside.severity,
    status: aside.status ?? statusOf(eventType, undefined),
    resourceType: aside.resourceType,
    flags: aside.flags,
    indexed: aside.indexed,
  };
}

const idBytesMax = 0x7f;

/** Takes one after the other. */
function idReader(bytes: Buffer) {
  let [start, end] = [0, 0];
  const advance = (): void => {
    const length = bytes[end] ?? 0;
    if (length > idBytesMax) throw damaged("ids");
    start = end + 1;
    end = start + length;
  };
  return {
    bytes(): Buffer {
      advance();
      return bytes.subarray(start, end);
    },
    b64(): B64 {
      advance();
      return bytes.toString("base64url", start, end);
    },
    kids: (): readonly Kid[] => kidsIn(bytes, end),
  };
}

/** From a row of `prepareRecords`. */
export function recordOf(row: Row): RecordRow {
  const read = idReader(asBytes(row[place.ids], "ids"));
  const [position, stream, alias] = [read.bytes(), read.b64(), read.b64()];
  const [leafHash, fingerprint, ownership, uid] = [read.bytes(), read.b64(), read.b64(), read.b64()];
  return {
    rid: ridAt(position),
    uid: (optionalTextOf(row, "uid") ?? uid) as Uid,
    fingerprint: fingerprint as Fingerprint,
    stream: stream as StreamId,
    kind: integerOf(row, "kind") === 0 ? "change" : "activity",
    version: integerOf(row, "version"),
    alias: alias as StreamAlias,
    action: textOf(row, "action") as RecordRow["action"],
    recordedAtMs: integerOf(row, "recorded_at"),
    isActive: integerOf(row, "is_active") === 1,
    ownership: ownership === "" ? undefined : (ownership as OwnershipKey),
    kids: read.kids(),
    entry: textOf(row, "entry"),
    leafHash,
    body: asBytes(row[place.body], "body"),
    projection: projectionOf(row),
  };
}
