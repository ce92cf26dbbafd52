/** Searching MongoDB: a walk reads what the filter asks for of each document, then the records that match are read whole. */
import { Binary } from "mongodb";
import type { Comparison } from "../../core/filter.ts";
import { fieldsOf, type ReadField } from "../../core/filter-holds.ts";
import type { Rid } from "../../core/ids.ts";
import type { RecordRow } from "../../core/record.ts";
import type { FieldValue, FilterField } from "../../core/search-fields.ts";
import {
  type Candidate,
  type CountTerm,
  findMatches,
  type Matches,
  type RecordSearch,
  type Walk,
} from "../../core/search-walk.ts";
import { ridsMax, type ScanAnswer, type SearchAnswer } from "../../ports/history-reader.ts";
import { bytesOf, ridKey, ridOfKey } from "./bson-values.ts";
import type { Collections, ReadOptions } from "./collections.ts";
import { type RecordDocument, recordRow } from "./documents.ts";
import {
  termClause,
  textFilter,
  textSort,
  valuesOf,
  walkFilter,
  walkIndex,
  walkProjection,
  walkSort,
} from "./search-filter.ts";

/** Documents fetched at once, none of them whole. */
const batchDocumentsMax = 200;

type Found = Candidate & { readonly key: Binary };
type Searched = Pick<Collections, "records" | "texts">;
type Looking = {
  readonly collections: Searched;
  readonly search: RecordSearch;
  readonly fields: readonly FilterField[];
  readonly options: ReadOptions;
};

const hexOf = (key: Binary): string => Buffer.from(bytesOf(key)).toString("hex");

const foundIn = (document: RecordDocument, terms: Terms): Found => ({
  key: document._id,
  place: bytesOf(document._id),
  read: readerOf(document, terms),
});

function readerOf(document: RecordDocument, terms: Terms): ReadField {
  const read = valuesOf(document);
  return (field) => (field === "text" ? terms.get(hexOf(document._id)) : read(field));
}

/** By key in hexadecimal. */
type Terms = ReadonlyMap<string, readonly string[]>;

async function termsOf(
  { collections, fields, options }: Omit<Looking, "search">,
  keys: readonly Binary[],
): Promise<Terms> {
  const terms = new Map<string, readonly string[]>();
  if (!fields.includes("text")) return terms;
  for await (const text of collections.texts.find({ _id: { $in: [...keys] } }, options))
    terms.set(hexOf(text._id), text.terms);
  return terms;
}

async function* inBatches<T>(all: AsyncIterable<T>, max: number): AsyncGenerator<readonly T[]> {
  let batch: T[] = [];
  for await (const one of all) {
    if (batch.push(one) < max) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** One more than may be looked at tells that a walk is too long. */
const cursorOptions = ({ search: { limit, scanMax }, options }: Looking) => ({
  ...options,
  limit: scanMax + 1,
  batchSize: Math.min(Math.max(limit, 2), batchDocumentsMax, scanMax + 1),
});

async function* walkDocuments(looking: Looking, walk: Walk): AsyncGenerator<readonly Found[]> {
  const { collections, fields, search } = looking;
  const options = cursorOptions(looking);
  const documents = collections.records.find(walkFilter(walk), {
    ...options,
    sort: walkSort(walk.order),
    hint: walkIndex(walk),
    projection: walkProjection([...fields, search.order.field]),
  });
  // What is asked of terms is looked up for many at once.
  for await (const batch of inBatches(documents, fields.includes("text") ? options.batchSize : 1)) {
    const terms = await termsOf(
      looking,
      batch.map(({ _id }) => _id),
    );
    yield batch.map((document) => foundIn(document, terms));
  }
}

/** The records of a term, in its order. */
async function* walkTexts(looking: Looking, walk: Walk): AsyncGenerator<readonly Found[]> {
  const { collections, fields, search } = looking;
  const options = cursorOptions(looking);
  const texts = collections.texts.find(textFilter(walk), { ...options, sort: textSort(walk.order) });
  for await (const batch of inBatches(texts, options.batchSize)) {
    const keys = batch.map(({ _id }) => _id);
    const terms = new Map(batch.map((text) => [hexOf(text._id), text.terms]));
    const projection = walkProjection([...fields, search.order.field]);
    const read = collections.records.find({ _id: { $in: keys } }, { ...looking.options, projection });
    const found = new Map((await read.toArray()).map((document) => [hexOf(document._id), document]));
    yield keys
      .map((key) => found.get(hexOf(key)))
      .filter((document) => document !== undefined)
      .map((document) => foundIn(document, terms));
  }
}

const termCounter =
  ({ texts }: Searched, options: ReadOptions): CountTerm =>
  (term: Comparison, max) =>
    texts.countDocuments(termClause(term), { ...options, limit: max });

function find(looking: Looking): Promise<Matches<Found>> {
  const { collections, search, options } = looking;
  return findMatches(
    search,
    (walk) => (walk.driver?.field === "text" ? walkTexts(looking, walk) : walkDocuments(looking, walk)),
    (rid) => bytesOf(ridKey(rid)),
    termCounter(collections, options),
  );
}

const nextOf = ({ last }: Matches<Found>): SearchAnswer["next"] =>
  last && { value: last.value, at: last.at, rid: ridOfKey(new Binary(last.place)) };

export async function searchRecords(
  collections: Searched,
  search: RecordSearch,
  options: ReadOptions,
): Promise<SearchAnswer> {
  const found = await find({ collections, search, fields: fieldsOf(search.filter), options });
  const keys = found.hits.map(({ key }) => key);
  const whole =
    keys.length === 0 ? [] : await collections.records.find({ _id: { $in: keys } }, options).toArray();
  const rows = new Map(whole.map(recordRow).map((row) => [row.rid, row]));
  return {
    rows: keys.map((key) => rows.get(ridOfKey(key))).filter((row): row is RecordRow => row !== undefined),
    scanned: found.scanned,
    next: nextOf(found),
  };
}

/** The same without reading the records whole. */
export async function scanRecords(
  collections: Searched,
  search: RecordSearch,
  fields: readonly FilterField[],
  options: ReadOptions,
): Promise<ScanAnswer> {
  const found = await find({ collections, search, fields: [...fieldsOf(search.filter), ...fields], options });
  return {
    found: found.hits.map(({ key, read }) => ({ rid: ridOfKey(key), values: fields.map(read) })),
    scanned: found.scanned,
    next: nextOf(found),
  };
}

/** The same of records that are known. */
export async function readValues(
  collections: Searched,
  rids: readonly Rid[],
  fields: readonly FilterField[],
  options: ReadOptions,
): Promise<readonly (readonly (FieldValue | undefined)[])[]> {
  const keys = rids.slice(0, ridsMax).map(ridKey);
  if (keys.length === 0) return [];
  const projection = walkProjection(fields);
  const documents = await collections.records
    .find({ _id: { $in: keys } }, { ...options, projection })
    .toArray();
  const terms = await termsOf({ collections, fields, options }, keys);
  const found = new Map(documents.map((document) => [hexOf(document._id), document]));
  return keys
    .map((key) => found.get(hexOf(key)))
    .filter((document) => document !== undefined)
    .map((document) => fields.map(readerOf(document, terms)));
}
