/** Searching MongoDB: a walk reads what the filter asks for of each document, then the records that match are read whole. */
import type { RecordRow } from "../../core/record.ts";
import { type Candidate, findMatches, type RecordSearch, type Walk } from "../../core/search-walk.ts";
import type { SearchAnswer } from "../../ports/history-reader.ts";
import { bytesOf, ridKey, ridOfKey } from "./bson-values.ts";
import type { Collections, ReadOptions } from "./collections.ts";
import { type RecordDocument, recordRow } from "./documents.ts";
import { valuesOf, walkFilter, walkProjection, walkSort } from "./search-filter.ts";

/** Documents fetched at once, none of them whole. */
const batchDocumentsMax = 200;

type Found = Candidate & { readonly key: RecordDocument["_id"] };

async function* walkDocuments(
  { records }: Pick<Collections, "records">,
  walk: Walk,
  search: RecordSearch,
  options: ReadOptions,
): AsyncGenerator<readonly Found[]> {
  const { filter, order, scanMax } = search;
  const foundIn = (document: RecordDocument): Found => ({
    key: document._id,
    at: (order.field === "recorded_at" ? document.recordedAt : document.p.actionAt).getTime(),
    place: bytesOf(document._id),
    read: valuesOf(document),
  });
  const documents = records.find(walkFilter(walk), {
    ...options,
    sort: walkSort(walk.order),
    projection: walkProjection(filter),
    // One more than may be looked at tells that a walk is too long.
    limit: scanMax + 1,
    batchSize: Math.min(batchDocumentsMax, scanMax + 1),
  });
  for await (const document of documents) yield [foundIn(document)];
}

export async function searchRecords(
  collections: Pick<Collections, "records">,
  search: RecordSearch,
  options: ReadOptions,
): Promise<SearchAnswer> {
  const { hits, scanned, last } = await findMatches(
    search,
    (walk) => walkDocuments(collections, walk, search, options),
    (rid) => bytesOf(ridKey(rid)),
  );
  const keys = hits.map(({ key }) => key);
  const found =
    keys.length === 0 ? [] : await collections.records.find({ _id: { $in: keys } }, options).toArray();
  const rows = new Map(found.map(recordRow).map((row) => [row.rid, row]));
  return {
    rows: keys.map((key) => rows.get(ridOfKey(key))).filter((row): row is RecordRow => row !== undefined),
    scanned,
    next: last && { value: last.at, rid: ridOfKey(last.key) },
  };
}
