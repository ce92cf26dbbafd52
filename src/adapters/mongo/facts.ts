/** ⑥ own: facts folded into the ownerships documents, whose lists of names are bounded. Every part may be repeated. */
import type { AnyBulkWriteOperation, UpdateFilter } from "mongodb";
import { type OwnershipFacts, ownershipNamesMax } from "../../ports/record-store.ts";
import { dateOf } from "./bson-values.ts";
import type { Collections, OwnershipsDocument } from "./collections.ts";
import { insertAbsent, openStates } from "./follow-ups.ts";

type Operation = AnyBulkWriteOperation<OwnershipsDocument>;

const nameLists = ["producers", "legalBases", "purposes"] as const;
type NameList = (typeof nameLists)[number];

/** A list takes names until it holds more than readers are shown, so that it tells that there were more; never twice as many. */
const hasRoom = (list: NameList) => ({ [`${list}.${ownershipNamesMax}`]: { $exists: false } });
const allHaveRoom = Object.assign({}, ...nameLists.map(hasRoom));

/**
 * One update where the document is there and has room, else an insert of the bare document or an update for each list. An upsert
 * would do it in one, but its duplicate key means either a fence or a race, and the race must not lose facts.
 */
export async function applyFacts(
  { ownerships }: Collections,
  facts: readonly OwnershipFacts[],
): Promise<void> {
  const { matchedCount } = await ownerships.bulkWrite(facts.map(wholeUpdate), { ordered: false });
  if (matchedCount === facts.length) return;
  const ids = facts.map((fact) => fact.ownership);
  const found = await ownerships.find({ _id: { $in: ids } }, { projection: { state: 1 } }).toArray();
  const stateOf = new Map(found.map(({ _id, state }) => [_id, state]));
  const absent = facts.filter(({ ownership }) => !stateOf.has(ownership));
  await insertAbsent(ownerships, absent.map(bareOwnership));
  const open = facts.filter(({ ownership }) => {
    const state = stateOf.get(ownership);
    return state !== undefined && openStates.$in.some((one) => one === state);
  });
  const rest = [...absent.map(wholeUpdate), ...open.flatMap(updatesApart)];
  if (rest.length > 0) await ownerships.bulkWrite(rest, { ordered: false });
}

const bareOwnership = ({ ownership, tenant, ownershipId }: OwnershipFacts): OwnershipsDocument => ({
  _id: ownership,
  tenant,
  ownershipId,
  state: "live",
  keys: [],
});

const openOwnership = (facts: OwnershipFacts) => ({ _id: facts.ownership, state: openStates });

const wholeUpdate = (facts: OwnershipFacts): Operation => ({
  updateOne: {
    filter: { ...openOwnership(facts), ...allHaveRoom },
    update: { ...times(facts), $addToSet: Object.assign({}, ...nameLists.map((list) => names(facts, list))) },
  },
});

/** Of a document with a full list: the others still take names, and times go on. */
const updatesApart = (facts: OwnershipFacts): readonly Operation[] => [
  { updateOne: { filter: openOwnership(facts), update: times(facts) } },
  ...nameLists.map((list) => ({
    updateOne: {
      filter: { ...openOwnership(facts), ...hasRoom(list) },
      update: { $addToSet: names(facts, list) },
    },
  })),
];

const times = (facts: OwnershipFacts): UpdateFilter<OwnershipsDocument> => ({
  $min: { firstEventAt: dateOf(facts.firstEventAtMs) },
  $max: {
    lastEventAt: dateOf(facts.lastEventAtMs),
    ...(facts.retainUntilMs !== undefined && { retainUntil: dateOf(facts.retainUntilMs) }),
  },
});

const names = (facts: OwnershipFacts, list: NameList) => ({
  [list]: { $each: facts[list].slice(0, ownershipNamesMax + 1) },
});
