/** What records entail in MongoDB: predecessors deactivated, other ids of an entity, active flags set right. All of it may be repeated. */
import type { StreamId } from "../../core/ids.ts";
import { activates } from "../../core/record.ts";
import type { ChangePlace, EntityAlias } from "../../ports/record-store.ts";
import { type Key, keyOf, textOf } from "./bson-values.ts";
import type { AliasDocument, Collections } from "./collections.ts";
import type { HeadDocument } from "./documents.ts";
import { isDuplicateKey, isOnlyTaken } from "./errors.ts";
import type { ReadHeads } from "./look-ups.ts";

/** Nothing is written to a document that is fenced or erased. */
export const openStates = { $in: ["live", "blocked"] } as const;

/** Each round but the last met a new head of another writer, whose own append then sees to it. */
const repairRoundsMax = 5;

type Place = { readonly stream: Key; readonly version: number };

/** By the unique index, exactly these and no range: a range would walk the whole history. */
export async function deactivate({ records }: Collections, places: readonly Place[]): Promise<void> {
  if (places.length === 0) return;
  await records.updateMany(
    {
      isActive: true,
      $or: places.map(({ stream, version }) => ({ stream, kind: "change" as const, version })),
    },
    { $set: { isActive: false }, $unset: { activeOf: "" } },
  );
}

export const placeOf = ({ stream, version }: ChangePlace): Place => ({ stream: keyOf(stream), version });

export async function repairActive(
  collections: Collections,
  readHeads: ReadHeads,
  streams: readonly StreamId[],
): Promise<void> {
  const { records } = collections;
  const keys = streams.map((stream) => ({ stream, kind: "change" }) as const);
  for (let round = 0; round < repairRoundsMax; round++) {
    const heads = [...(await readHeads(collections, keys)).values()];
    const active = await records
      .find({ activeOf: { $in: streams.map(keyOf) }, kind: "change" })
      .project<Place>({ stream: 1, version: 1 })
      .toArray();
    const { excess, lacking } = wronglyActive(heads, active);
    if (excess.length + lacking.length === 0) return;
    await deactivate(collections, excess);
    if (lacking.length > 0) await records.bulkWrite(lacking.map(activation), { ordered: false });
  }
}

/** An active record above the head that was read belongs to a newer head. */
function wronglyActive(heads: readonly HeadDocument[], active: readonly Place[]) {
  const headOf = new Map(heads.map((head) => [textOf(head.stream), head]));
  const isActive = new Set(active.map(({ stream, version }) => `${textOf(stream)} ${version}`));
  return {
    excess: active.filter(({ stream, version }) => {
      const head = headOf.get(textOf(stream));
      return (
        head !== undefined &&
        (version < head.version || (version === head.version && !activates(head.action)))
      );
    }),
    lacking: heads.filter(
      ({ stream, version, action }) => activates(action) && !isActive.has(`${textOf(stream)} ${version}`),
    ),
  };
}

const activation = ({ stream, version }: Place) => ({
  updateOne: {
    filter: { stream, kind: "change" as const, version },
    update: { $set: { isActive: true, activeOf: stream } },
  },
});

export async function insertAliases(
  { aliases }: Collections,
  entries: readonly EntityAlias[],
): Promise<void> {
  const documents = entries.map(
    (alias): AliasDocument => ({
      ...alias,
      _id: `${alias.stream} ${alias.candidateId}`,
      stream: keyOf(alias.stream),
    }),
  );
  await insertAbsent(aliases, [...new Map(documents.map((document) => [document._id, document])).values()]);
}

type Insertable<T> = {
  insertMany(documents: readonly T[], options: { readonly ordered: false }): Promise<unknown>;
};

/** Inserts what is absent and leaves what is there. */
export async function insertAbsent<T>(collection: Insertable<T>, documents: readonly T[]): Promise<void> {
  if (documents.length === 0) return;
  try {
    await collection.insertMany(documents, { ordered: false });
  } catch (error) {
    if (!isOnlyTaken(error)) throw error;
  }
}

type InsertableOne<T> = { insertOne(document: T): Promise<unknown> };

/** Whether this call put it there: atomic on every server, as its unique keys are. */
export async function insertOnce<T>(collection: InsertableOne<T>, document: T): Promise<boolean> {
  try {
    await collection.insertOne(document);
    return true;
  } catch (error) {
    if (isDuplicateKey(error)) return false;
    throw error;
  }
}
