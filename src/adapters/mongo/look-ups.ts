/** Look-ups that decide: who is stored already, and where each stream stands. */
import type { Rid, Uid } from "../../core/ids.ts";
import { type HeadKey, headKeyText, type Known } from "../../ports/record-store.ts";
import { keyOf, ridKey, textOf } from "./bson-values.ts";
import type { Collections, ReadOptions } from "./collections.ts";
import { type HeadDocument, headFields, type KnownDocument, known, knownFields } from "./documents.ts";

/** Heads asked for at the same time; each is one step into the unique index. */
const headsAtOnceMax = 16;

export async function findKnown(
  { records }: Collections,
  rids: readonly Rid[],
  uids: readonly Uid[],
  options: ReadOptions,
): Promise<readonly Known[]> {
  const either = [
    ...(rids.length > 0 ? [{ _id: { $in: rids.map(ridKey) } }] : []),
    ...(uids.length > 0 ? [{ uid: { $in: uids.map(keyOf) } }] : []),
  ];
  if (either.length === 0) return [];
  const found = await records.find({ $or: either }, options).project<KnownDocument>(knownFields).toArray();
  return found.map(known);
}

export type ReadHeads = (
  collections: Collections,
  keys: readonly HeadKey[],
  options?: ReadOptions,
) => Promise<ReadonlyMap<string, HeadDocument>>;

export const eachHead: ReadHeads = async ({ records }, keys, options) => {
  const heads = new Map<string, HeadDocument>();
  const rest = keys.values();
  const readOn = async () => {
    for (const key of rest) {
      const query = records
        .find({ stream: keyOf(key.stream), kind: key.kind }, options)
        .sort({ version: -1 })
        .limit(1);
      const found = await query.project<HeadDocument>(headFields).next();
      if (found !== null) heads.set(headKeyText(key), found);
    }
  };
  await Promise.all(Array.from({ length: Math.min(headsAtOnceMax, keys.length) }, readOn));
  return heads;
};

/** Where every query walks the whole collection, one walk for all. */
export const walkedHeads: ReadHeads = async ({ records }, keys, options) => {
  const heads = new Map<string, HeadDocument>();
  if (keys.length === 0) return heads;
  const wanted = new Set(keys.map(headKeyText));
  const streams = [...new Set(keys.map(({ stream }) => stream))].map(keyOf);
  for await (const found of records
    .find({ stream: { $in: streams } }, options)
    .project<HeadDocument>(headFields)) {
    const text = headKeyText({ stream: textOf(found.stream), kind: found.kind });
    if (wanted.has(text) && found.version > (heads.get(text)?.version ?? 0)) heads.set(text, found);
  }
  return heads;
};
