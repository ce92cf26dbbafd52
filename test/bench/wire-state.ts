/** The little that the stub remembers: documents of small collections, found by equality, lists and ranges, changed by $set and $inc. */
import { BSON } from "mongodb";
import type { Document } from "./wire-message.ts";

type Stored = Record<string, unknown>;

const plain = (value: unknown): number | string | undefined => {
  if (typeof value === "number" || typeof value === "string") return value;
  if (value === undefined) return undefined;
  if (value instanceof Date) return value.getTime();
  return JSON.stringify(value);
};

const compare = (a: unknown, b: unknown): number => {
  const [one, other] = [plain(a) ?? "", plain(b) ?? ""];
  return one < other ? -1 : one > other ? 1 : 0;
};

const operators: Readonly<Record<string, (value: unknown, wanted: unknown) => boolean>> = {
  $in: (value, wanted) => (wanted as unknown[]).some((one) => plain(one) === plain(value)),
  $lt: (value, wanted) => value !== undefined && compare(value, wanted) < 0,
  $gt: (value, wanted) => value !== undefined && compare(value, wanted) > 0,
  $gte: (value, wanted) => value !== undefined && compare(value, wanted) >= 0,
  $exists: (value, wanted) => (value !== undefined) === wanted,
};

const isOperators = (wanted: unknown): wanted is Document =>
  typeof wanted === "object" && wanted !== null && Object.keys(wanted)[0]?.startsWith("$") === true;

const holds = (value: unknown, wanted: unknown): boolean =>
  isOperators(wanted)
    ? Object.entries(wanted).every(([name, operand]) => operators[name]?.(value, operand) ?? false)
    : plain(value) === plain(wanted);

/** Paths into documents are never there: what lies in them is not kept. */
const matches = (document: Stored, filter: Document): boolean =>
  Object.entries(filter).every(([field, wanted]) => holds(document[field], wanted));

function change(document: Stored, update: Document): void {
  Object.assign(document, update["$set"], isOperators(update) ? {} : update);
  for (const [field, by] of Object.entries((update["$inc"] ?? {}) as Document))
    document[field] = Number(document[field] ?? 0) + Number(by);
}

const decoded = (bytes: Uint8Array): Stored => BSON.deserialize(bytes);

type Query = { readonly filter: Document; readonly sort: Document; readonly limit: number };

export type KeptCollection = ReturnType<typeof keptCollection>;

export function keptCollection() {
  const documents = new Map<unknown, Stored>();
  /** By id where the filter names ids, else all. */
  const candidates = (filter: Document): readonly Stored[] => {
    const id = filter["_id"];
    const wanted = isOperators(id) ? id["$in"] : id === undefined ? undefined : [id];
    const ids = wanted as readonly unknown[] | undefined;
    if (ids === undefined) return [...documents.values()];
    return ids.map((one) => documents.get(one)).filter((one) => one !== undefined);
  };
  const matching = (filter: Document): Stored[] =>
    candidates(filter).filter((document) => matches(document, filter));
  return {
    find({ filter, sort, limit }: Query): readonly Document[] {
      const found = matching(filter).toSorted((a, b) => {
        for (const [field, direction] of Object.entries(sort)) {
          const order = compare(a[field], b[field]);
          if (order !== 0) return order * Number(direction);
        }
        return 0;
      });
      return limit > 0 ? found.slice(0, limit) : found;
    },
    /** The positions that were taken already. */
    insert(items: readonly Uint8Array[]): readonly number[] {
      return items.flatMap((item, at) => {
        const document = decoded(item);
        if (documents.has(document["_id"])) return [at];
        documents.set(document["_id"], document);
        return [];
      });
    },
    /** How many matched, those made anew among them, which are told apart. */
    update(items: readonly Uint8Array[]): { readonly n: number; readonly upserted: readonly Document[] } {
      const upserted: Document[] = [];
      let n = 0;
      for (const [index, item] of items.entries()) {
        const { q, u, upsert } = decoded(item) as { q: Document; u: Document; upsert?: boolean };
        const found = matching(q);
        for (const document of found) change(document, u);
        n += found.length;
        if (found.length > 0 || upsert !== true) continue;
        const made = { ...q };
        change(made, u);
        documents.set(made["_id"], made);
        upserted.push({ index, _id: made["_id"] });
        n += 1;
      }
      return { n, upserted };
    },
  };
}
