/** Look-ups that decide: who is stored already, and where each stream stands. */
import type { Rid, Uid } from "../../core/ids.ts";
import type { Head } from "../../core/record.ts";
import { type HeadKey, headKeyText, type Known } from "../../ports/record-store.ts";
import { keyOf, ridKey } from "./bson-values.ts";
import type { Collections } from "./collections.ts";
import { type HeadDocument, head, headFields, type KnownDocument, known, knownFields } from "./documents.ts";

/** Heads asked for at the same time; each is one step into the unique index. */
const headsAtOnceMax = 16;

export async function findKnown(
  { records }: Collections,
  rids: readonly Rid[],
  uids: readonly Uid[],
): Promise<readonly Known[]> {
  const either = [
    ...(rids.length > 0 ? [{ _id: { $in: rids.map(ridKey) } }] : []),
    ...(uids.length > 0 ? [{ uid: { $in: uids.map(keyOf) } }] : []),
  ];
  if (either.length === 0) return [];
  const found = await records.find({ $or: either }).project<KnownDocument>(knownFields).toArray();
  return found.map(known);
}

export const headOf = (
  { records }: Collections,
  { stream, kind }: HeadKey,
): Promise<HeadDocument | undefined> =>
  records
    .find({ stream: keyOf(stream), kind })
    .sort({ version: -1 })
    .limit(1)
    .project<HeadDocument>(headFields)
    .next()
    .then((found) => found ?? undefined);

export async function findHeads(
  collections: Collections,
  keys: readonly HeadKey[],
): Promise<ReadonlyMap<string, Head>> {
  const heads = new Map<string, Head>();
  const rest = keys.values();
  const readOn = async () => {
    for (const key of rest) {
      const found = await headOf(collections, key);
      if (found !== undefined) heads.set(headKeyText(key), head(found));
    }
  };
  await Promise.all(Array.from({ length: Math.min(headsAtOnceMax, keys.length) }, readOn));
  return heads;
}
