/** What follows an insert: predecessors deactivated, owners' facts, aliases. Every part may be repeated. */
import type { UpdateFilter } from "mongodb";
import type { StreamId } from "../../core/ids.ts";
import { activates } from "../../core/record.ts";
import type { Deactivation, EntityAlias, OwnershipFacts } from "../../ports/record-store.ts";
import { dateOf, keyOf } from "./bson-values.ts";
import type { AliasDocument, Collections, OwnershipsDocument } from "./collections.ts";
import { takenOf } from "./errors.ts";
import { headOf } from "./look-ups.ts";

/** Nothing is written to a document that is fenced or erased. */
export const openStates = { $in: ["live", "blocked"] } as const;

export async function deactivate({ records }: Collections, steps: readonly Deactivation[]): Promise<void> {
  if (steps.length === 0) return;
  const updates = steps.map(({ stream, version }) => ({
    updateOne: {
      filter: { stream: keyOf(stream), kind: "change" as const, version },
      update: { $set: { isActive: false } },
    },
  }));
  await records.bulkWrite(updates, { ordered: false });
}

/** Again when a new head came in between, whose append deactivated what is activated here. */
export async function repairActive(collections: Collections, stream: StreamId): Promise<void> {
  const { records } = collections;
  const key = { stream, kind: "change" } as const;
  const of = { stream: keyOf(stream), kind: "change" } as const;
  for (let before = 0; ; ) {
    const head = await headOf(collections, key);
    if (head === undefined || head.version === before) return;
    await records.updateMany(
      { ...of, version: { $lt: head.version }, isActive: true },
      { $set: { isActive: false } },
    );
    await records.updateOne({ ...of, version: head.version }, { $set: { isActive: activates(head.action) } });
    before = head.version;
  }
}

/**
 * An update where the document is there, else an insert of the bare document and the update again. An upsert would do it in one,
 * but its duplicate key means either a fence or a race, and the race must not lose facts.
 */
export async function applyFacts(
  { ownerships }: Collections,
  facts: readonly OwnershipFacts[],
): Promise<void> {
  if (facts.length === 0) return;
  const updates = facts.map((fact) => ({
    updateOne: { filter: { _id: fact.ownership, state: openStates }, update: factsUpdate(fact) },
  }));
  const { matchedCount } = await ownerships.bulkWrite(updates, { ordered: false });
  if (matchedCount === facts.length) return;
  const ids = facts.map((fact) => fact.ownership);
  const found = await ownerships.find({ _id: { $in: ids } }, { projection: { _id: 1 } }).toArray();
  const present = new Set(found.map(({ _id }) => _id));
  const absent = facts.filter(({ ownership }) => !present.has(ownership));
  if (absent.length === 0) return;
  await insertAbsent(ownerships, absent.map(bareOwnership));
  await ownerships.bulkWrite(updates, { ordered: false });
}

const bareOwnership = ({ ownership, tenant, ownershipId }: OwnershipFacts): OwnershipsDocument => ({
  _id: ownership,
  tenant,
  ownershipId,
  state: "live",
  keys: [],
});

const factsUpdate = (facts: OwnershipFacts): UpdateFilter<OwnershipsDocument> => ({
  $min: { firstEventAt: dateOf(facts.firstEventAtMs) },
  $max: {
    lastEventAt: dateOf(facts.lastEventAtMs),
    ...(facts.retainUntilMs !== undefined && { retainUntil: dateOf(facts.retainUntilMs) }),
  },
  $addToSet: {
    producers: { $each: [...facts.producers] },
    legalBases: { $each: [...facts.legalBases] },
    purposes: { $each: [...facts.purposes] },
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
    if (takenOf(error) === undefined) throw error;
  }
}
