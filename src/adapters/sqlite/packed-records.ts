/** Records on their way to the thread that writes: rows without names, and all their bytes in one piece that changes hands. As objects they would cost both threads ten times as much. */
import type { RecordRow } from "../../core/record.ts";

export type PackedRecords = { readonly rows: readonly PackedRow[]; readonly bytes: Uint8Array<ArrayBuffer> };

const hashBytes = 32;

const pack = (record: RecordRow) => {
  const { projection } = record;
  return [
    record.body.length, record.rid, record.uid, record.fingerprint, record.stream, record.kind, record.version, record.alias, record.action,
    record.recordedAtMs, record.isActive, record.ownership, record.kids, record.entry,
    projection.tenant, projection.namespace, projection.entityType, projection.entityId, projection.candidateIds, projection.eventType,
    projection.producerService, projection.traceId, projection.actor.id, projection.actor.ip, projection.actor.role, projection.actor.type,
    projection.ownershipId, projection.actionAtMs, projection.severity, projection.status, projection.resourceType, projection.flags, projection.indexed,
  ] as const; // biome-ignore format: a table
};
type PackedRow = ReturnType<typeof pack>;

export function packRecords(records: readonly RecordRow[]): PackedRecords {
  const size = records.reduce((sum, { body }) => sum + hashBytes + body.length, 0);
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const { leafHash, body } of records) {
    bytes.set(leafHash, at);
    bytes.set(body, at + hashBytes);
    at += hashBytes + body.length;
  }
  return { rows: records.map(pack), bytes };
}

export function unpackRecords({ rows, bytes }: PackedRecords): readonly RecordRow[] {
  let at = 0;
  return rows.map((row) => {
    const [
      bodyBytes, rid, uid, fingerprint, stream, kind, version, alias, action, recordedAtMs, isActive, ownership, kids, entry,
      tenant, namespace, entityType, entityId, candidateIds, eventType, producerService, traceId, id, ip, role, type,
      ownershipId, actionAtMs, severity, status, resourceType, flags, indexed,
    ] = row; // biome-ignore format: a table
    const bodyAt = at + hashBytes;
    const leafHash = bytes.subarray(at, bodyAt);
    at = bodyAt + bodyBytes;
    return {
      rid, uid, fingerprint, stream, kind, version, alias, action, recordedAtMs, isActive, ownership, kids, entry,
      leafHash,
      body: bytes.subarray(bodyAt, at),
      projection: {
        tenant, namespace, entityType, entityId, candidateIds, eventType, producerService, traceId,
        actor: { id, ip, role, type },
        ownershipId, actionAtMs, severity, status, resourceType, flags, indexed,
      },
    };
  }); // biome-ignore format: a table
}
