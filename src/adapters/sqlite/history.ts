/** Reading what is stored, in short steps. */
import type { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import type { StreamKind } from "../../core/event.ts";
import type { Rid, StreamId } from "../../core/ids.ts";
import type { RecordRow } from "../../core/record.ts";
import {
  type AsOf, type HistoryReader, type RecordsByRid, type RelatedStream, ridsBytesMax, ridsMax, type VersionRange,
} from "../../ports/history-reader.ts"; // biome-ignore format: one line
import { type HeadKey, headKeyText } from "../../ports/record-store.ts";
import { b64, integer, positionOf, type Row, text, toBytes } from "./columns.ts";
import { assertInTime, readCall } from "./faults.ts";
import { openOwnerships } from "./ownerships.ts";
import { kindCode, prepareRecords, recordOf, uidValue } from "./record-row.ts";
import { openScan, openSearch, openValues } from "./search.ts";
import { openSnapshot } from "./transaction.ts";

/** Versions looked at between two looks at the signal. */
const stepVersionsMax = 1_000;

const ofStream = "WHERE stream = ? AND kind = ?";
const recordOrNone = (row: Row | undefined): RecordRow | undefined => row && recordOf(row);

function openByRids(db: DatabaseSync) {
  const byPosition = prepareRecords(db, "WHERE position = ?");
  const snapshot = openSnapshot(db);
  const read = (rids: readonly Rid[]): RecordsByRid => {
    const rows = new Map<Rid, RecordRow>();
    let [looked, bytes] = [0, 0];
    for (const rid of rids.slice(0, ridsMax)) {
      if (bytes > ridsBytesMax) break;
      looked++;
      const position = positionOf(rid);
      const row = position && recordOrNone(byPosition.get(position));
      if (!row) continue;
      bytes += row.entry.length + row.body.length;
      rows.set(rid, row);
    }
    return { rows, looked };
  };
  return (rids: readonly Rid[]) => snapshot(() => read(rids));
}

function openVersions(db: DatabaseSync) {
  const between = `${ofStream} AND version BETWEEN ? AND ? ORDER BY version`;
  const ascending = prepareRecords(db, `${between} ASC LIMIT ?`);
  const descending = prepareRecords(db, `${between} DESC LIMIT ?`);
  return ({ stream, kind, from, to = Number.MAX_SAFE_INTEGER, order, limit }: VersionRange) => {
    const statement = order === "asc" ? ascending : descending;
    return statement.all(toBytes(stream), kindCode(kind), from, to, limit).map(recordOf);
  };
}

/** Answered by the index alone. */
function openHeadVersions(db: DatabaseSync) {
  const head = db.prepare("SELECT max(version) AS version FROM records WHERE stream = ? AND kind = ?");
  const snapshot = openSnapshot(db);
  const read = (keys: readonly HeadKey[]): ReadonlyMap<string, number> => {
    const versions = new Map<string, number>();
    for (const key of keys) {
      const version = head.get(toBytes(key.stream), kindCode(key.kind))?.["version"];
      if (typeof version === "number") versions.set(headKeyText(key), version);
    }
    return versions;
  };
  return (keys: readonly HeadKey[]) => (keys.length > 1 ? snapshot(() => read(keys)) : read(keys));
}

function openAsOf(db: DatabaseSync) {
  const upTo = prepareRecords(db, `${ofStream} AND version <= ? ORDER BY version DESC LIMIT 1`);
  const walk = (column: string) =>
    db.prepare(
      `SELECT version, ${column} AS at FROM records WHERE stream = ? AND kind = ? AND version < ? ORDER BY version DESC LIMIT ${stepVersionsMax}`,
    );
  const byRecordedAt = walk("recorded_at");
  const byActionAt = walk("action_at");

  return async (stream: StreamId, kind: StreamKind, bound: AsOf, signal: AbortSignal) => {
    const key = [toBytes(stream), kindCode(kind)] as const;
    const newestUpTo = (version: number) => recordOrNone(upTo.get(...key, version));
    if (bound === undefined) return newestUpTo(Number.MAX_SAFE_INTEGER);
    if ("version" in bound) return newestUpTo(bound.version);
    const [statement, atMs] =
      "recordedAtMs" in bound ? [byRecordedAt, bound.recordedAtMs] : [byActionAt, bound.actionAtMs];
    for (let below = Number.MAX_SAFE_INTEGER; ; await setImmediate()) {
      assertInTime(signal);
      const start = below;
      for (const row of statement.iterate(...key, start)) {
        below = integer(row, "version");
        if (integer(row, "at") <= atMs) return newestUpTo(below);
      }
      if (below === start) return undefined;
    }
  };
}

function openRelated(db: DatabaseSync) {
  const related = db.prepare(`
    SELECT DISTINCT other.tenant, other.namespace, other.entity_type, other.entity_id, other.stream
    FROM aliases AS mine INDEXED BY aliases_by_stream
    CROSS JOIN aliases AS other ON other.tenant = mine.tenant AND other.entity_type = mine.entity_type
      AND other.candidate_id = mine.candidate_id AND other.stream <> mine.stream
    WHERE mine.stream = ? LIMIT ?`);
  return (stream: StreamId, limit: number): readonly RelatedStream[] =>
    related.all(toBytes(stream), limit).map((row) => ({
      tenant: text(row, "tenant"),
      namespace: text(row, "namespace"),
      entityType: text(row, "entity_type"),
      entityId: text(row, "entity_id"),
      stream: b64(row, "stream") as StreamId,
    }));
}

export function openHistory(db: DatabaseSync): HistoryReader {
  const byPosition = prepareRecords(db, "WHERE position = ?");
  const byUid = prepareRecords(db, "WHERE uid = ?");
  const byRids = openByRids(db);
  const versions = openVersions(db);
  const headVersions = openHeadVersions(db);
  const asOf = openAsOf(db);
  const search = openSearch(db);
  const scan = openScan(db);
  const values = openValues(db);
  const related = openRelated(db);
  const ownerships = openOwnerships(db);
  return {
    byRid: (rid, signal) =>
      readCall(signal, () => {
        const position = positionOf(rid);
        return position && recordOrNone(byPosition.get(position));
      }),
    byUid: (uid, signal) => readCall(signal, () => recordOrNone(byUid.get(uidValue(uid)))),
    byRids: (rids, signal) => readCall(signal, () => byRids(rids)),
    values: (rids, fields, signal) => readCall(signal, () => values(rids, fields)),
    versions: (range, signal) => readCall(signal, () => versions(range)),
    headVersions: (keys, signal) => readCall(signal, () => headVersions(keys)),
    asOf: (stream, kind, bound, signal) => readCall(signal, () => asOf(stream, kind, bound, signal)),
    search: (question, signal) => readCall(signal, () => search(question, signal)),
    scan: (question, fields, signal) => readCall(signal, () => scan(question, fields, signal)),
    relatedStreams: (stream, limit, signal) => readCall(signal, () => related(stream, limit)),
    ownership: (key, signal) => readCall(signal, () => ownerships.read(key)),
    ownerships: (listing, signal) => readCall(signal, () => ownerships.list(listing)),
  };
}
