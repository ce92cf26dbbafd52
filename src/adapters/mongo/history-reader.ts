/** Reading history from MongoDB: always with a limit, a maximum time and the caller's signal. */
import type { Filter as MongoFilter } from "mongodb";
import type { OwnershipKey, Rid, StreamId } from "../../core/ids.ts";
import type { RecordRow } from "../../core/record.ts";
import {
  type AsOf, type HistoryReader, type OwnershipDocument, type RecordsByRid, type RelatedStream, ridsBytesMax, ridsMax,
} from "../../ports/history-reader.ts"; // biome-ignore format: one line
import { ownershipNamesMax } from "../../ports/record-store.ts";
import { dateOf, keyOf, ridKey, textOf } from "./bson-values.ts";
import type { Collections, OwnershipsDocument, ReadOptions } from "./collections.ts";
import { type RecordDocument, recordRow } from "./documents.ts";
import { guarded } from "./errors.ts";
import type { ReadHeads } from "./look-ups.ts";
import { readValues, scanRecords, searchRecords } from "./search.ts";

export function mongoHistoryReader(
  collections: Collections,
  queryMaxMs: number,
  readHeads: ReadHeads,
): HistoryReader {
  const { records, ownerships } = collections;
  const guard = <T>(
    doing: string,
    signal: AbortSignal,
    work: (options: ReadOptions) => Promise<T>,
  ): Promise<T> => guarded(doing, signal, "DEADLINE_EXCEEDED", () => work({ maxTimeMS: queryMaxMs, signal }));
  const rows = async (
    filter: MongoFilter<RecordDocument>,
    sort: Record<string, 1 | -1>,
    limit: number,
    options: ReadOptions,
  ): Promise<readonly RecordRow[]> =>
    limit <= 0 ? [] : (await records.find(filter, { ...options, sort, limit }).toArray()).map(recordRow);
  const one = async (filter: MongoFilter<RecordDocument>, options: ReadOptions) =>
    (await rows(filter, { version: -1 }, 1, options))[0];
  return {
    byRid: (rid, signal) => guard("read a record", signal, (options) => one({ _id: ridKey(rid) }, options)),
    byUid: (uid, signal) => guard("read a record", signal, (options) => one({ uid: keyOf(uid) }, options)),
    byRids: (rids, signal) =>
      guard("read records", signal, (options) => recordsByRid(collections, rids, options)),
    values: (rids, fields, signal) =>
      guard("read values", signal, (options) => readValues(collections, rids, fields, options)),
    versions: ({ stream, kind, from, to, order, limit }, signal) => {
      const version = { $gte: from, ...(to !== undefined && { $lte: to }) };
      const sort = { version: order === "asc" ? 1 : -1 } as const;
      return guard("read versions", signal, (options) =>
        rows({ stream: keyOf(stream), kind, version }, sort, limit, options),
      );
    },
    headVersions: (keys, signal) =>
      guard("read heads", signal, async (options) => {
        const heads = await readHeads(collections, keys, options);
        return new Map([...heads].map(([key, { version }]) => [key, version]));
      }),
    asOf: (stream, kind, bound, signal) =>
      guard("read a version", signal, (options) =>
        one({ stream: keyOf(stream), kind, ...boundFilter(bound) }, options),
      ),
    search: (search, signal) =>
      guard("search records", signal, (options) => searchRecords(collections, search, options)),
    scan: (search, fields, signal) =>
      guard("count records", signal, (options) => scanRecords(collections, search, fields, options)),
    relatedStreams: (stream, limit, signal) =>
      guard("read related streams", signal, (options) => relatedStreams(collections, stream, limit, options)),
    ownership: (key, signal) =>
      guard("read an ownership", signal, async (options) => {
        const found = await ownerships.findOne({ _id: key }, options);
        return found === null ? undefined : ownershipOf(found);
      }),
    ownerships: ({ tenant, after, limit }, signal) =>
      guard("list ownerships", signal, async (options) => {
        if (limit <= 0) return [];
        const filter = {
          ...(tenant !== undefined && { tenant }),
          ...(after !== undefined && { _id: { $gt: after } }),
        };
        const found = await ownerships.find(filter, { ...options, sort: { _id: 1 }, limit }).toArray();
        return found.map(ownershipOf);
      }),
  };
}

function boundFilter(bound: AsOf): MongoFilter<RecordDocument> {
  if (bound === undefined) return {};
  if ("version" in bound) return { version: { $lte: bound.version } };
  if ("recordedAtMs" in bound) return { recordedAt: { $lte: dateOf(bound.recordedAtMs) } };
  return { "p.actionAt": { $lte: dateOf(bound.actionAtMs) } };
}

async function relatedStreams(
  { aliases }: Collections,
  stream: StreamId,
  limit: number,
  options: ReadOptions,
): Promise<readonly RelatedStream[]> {
  const own = await aliases.find({ stream: keyOf(stream) }, options).toArray();
  const [first] = own;
  if (first === undefined) return [];
  const { tenant, entityType } = first;
  const candidateId = { $in: own.map((alias) => alias.candidateId) };
  const sharing = aliases.find({ tenant, entityType, candidateId, stream: { $ne: first.stream } }, options);
  const related = new Map<StreamId, RelatedStream>();
  for await (const { namespace, entityId, stream: key } of sharing) {
    if (related.size >= limit) break;
    const other = textOf<StreamId>(key);
    related.set(other, { tenant, namespace, entityType, entityId, stream: other });
  }
  return [...related.values()];
}

function ownershipOf(document: OwnershipsDocument): OwnershipDocument {
  const { producers = [], legalBases = [], purposes = [] } = document;
  const shown = (names: readonly string[]) => names.slice(0, ownershipNamesMax);
  return {
    ownership: document._id as OwnershipKey,
    tenant: document.tenant,
    ownershipId: document.ownershipId,
    state: document.state,
    firstEventAtMs: document.firstEventAt?.getTime(),
    lastEventAtMs: document.lastEventAt?.getTime(),
    producers: shown(producers),
    legalBases: shown(legalBases),
    purposes: shown(purposes),
    ...([producers, legalBases, purposes].some((names) => names.length > ownershipNamesMax) && {
      namesTruncated: true,
    }),
    retainUntilMs: document.retainUntil?.getTime(),
  };
}

/** Records fetched in one round trip. */
const ridsPerStep = 64;

async function recordsByRid(
  { records }: Collections,
  rids: readonly Rid[],
  options: ReadOptions,
): Promise<RecordsByRid> {
  const rows = new Map<Rid, RecordRow>();
  const countMax = Math.min(rids.length, ridsMax);
  let [looked, bytes] = [0, 0];
  while (looked < countMax && bytes <= ridsBytesMax) {
    const step = rids.slice(looked, Math.min(looked + ridsPerStep, countMax));
    for await (const found of records.find({ _id: { $in: step.map(ridKey) } }, options)) {
      const row = recordRow(found);
      bytes += row.entry.length + row.body.length;
      rows.set(row.rid, row);
    }
    looked += step.length;
  }
  return { rows, looked };
}
