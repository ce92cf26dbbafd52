/** Wrapped data keys on MongoDB: class `s` lies in the ownerships document, `p` and `a` in `keys`. */
import { Binary } from "mongodb";
import type { Kid } from "../../core/ids.ts";
import type { KeyClass, KeyDocument, KeyRef, KeyStore, WrappedKey } from "../../ports/key-store.ts";
import { bytesOf, keyOf, textOf } from "./bson-values.ts";
import type { Collections, Keyed, KeysDocument, OwnershipsDocument, WrappedDocument } from "./collections.ts";
import { guarded } from "./errors.ts";
import { insertAbsent, openStates } from "./follow-ups.ts";
import type { TakeTurns } from "./turns.ts";

type ClassedKid = Parameters<KeyStore["byKid"]>[0][number];

export function mongoKeyStore(collections: Collections, inTurn: TakeTurns): KeyStore {
  const { ownerships, keys } = collections;
  const guard = <T>(doing: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> =>
    guarded(doing, signal, "STORE_UNAVAILABLE", work);
  return {
    read: (refs, signal) =>
      guard("read keys", signal, async () => {
        const { subjects, others } = byPlace(refs);
        const [s, pa] = await Promise.all([
          subjects.length === 0 ? [] : ownerships.find({ _id: { $in: subjects.map(documentId) } }).toArray(),
          others.length === 0 ? [] : keys.find({ _id: { $in: others.map(documentId) } }).toArray(),
        ]);
        return [...s.map(subjectKeys), ...pa.map(otherKeys)];
      }),
    create: (documents, signal) =>
      guard("store keys", signal, async () => {
        await insertAbsent(ownerships, documents.flatMap(ownershipsDocuments));
        await insertAbsent(keys, documents.flatMap(keysDocuments));
      }),
    rewrap: (ref, kid, from, to, signal) =>
      guard("re-wrap a key", signal, () => inTurn(() => rewrap(collections, ref, kid, from, to))),
    notUnder: (kek, limit, signal) =>
      guard("look for keys under another KEK", signal, async () => {
        const candidates = {
          state: openStates,
          $or: [{ "keys.kek": { $lt: kek } }, { "keys.kek": { $gt: kek } }],
        };
        const subjects = await underOther(ownerships.find(candidates), kek, limit);
        const others = await underOther(keys.find(candidates), kek, limit - subjects.length);
        return [...subjects.map(subjectKeys), ...others.map(otherKeys)];
      }),
    byKid: (kids, signal) =>
      guard("look up keys", signal, async () => {
        const { subjects, others } = byPlace(kids);
        const [s, pa] = await Promise.all([
          subjects.length === 0 ? [] : ownerships.find(holding(subjects)).toArray(),
          others.length === 0 ? [] : keys.find({ $or: perClass(others) }).toArray(),
        ]);
        return [...s.map(subjectKeys), ...pa.map(otherKeys)];
      }),
  };
}

const documentId = (ref: KeyRef): string => (ref.class === "s" ? ref.id : `${ref.class}:${ref.id}`);

const byPlace = <T extends { readonly class: KeyClass }>(
  all: readonly T[],
): { readonly subjects: readonly T[]; readonly others: readonly T[] } => ({
  subjects: all.filter((one) => one.class === "s"),
  others: all.filter((one) => one.class !== "s"),
});

const holding = (kids: readonly ClassedKid[]) => ({ "keys.kid": { $in: kids.map(({ kid }) => keyOf(kid)) } });

const perClass = (kids: readonly ClassedKid[]) =>
  (["p", "a"] as const)
    .map((keyClass) => ({ keyClass, of: kids.filter((kid) => kid.class === keyClass) }))
    .filter(({ of }) => of.length > 0)
    .map(({ keyClass, of }) => ({ class: keyClass, ...holding(of) }));

/** The position in the array is known from the read; keys are only ever added behind it. */
async function rewrap(
  { ownerships, keys }: Collections,
  ref: KeyRef,
  kid: Kid,
  from: Uint8Array,
  to: { readonly kek: number; readonly wrapped: Uint8Array },
): Promise<boolean> {
  const collection = ref.class === "s" ? ownerships : keys;
  const read: Keyed | null = await collection.findOne({ _id: documentId(ref) });
  const at = read?.keys.findIndex((key) => textOf(key.kid) === kid) ?? -1;
  if (at < 0) return false;
  const { matchedCount } = await collection.updateOne(
    {
      _id: documentId(ref),
      state: openStates,
      [`keys.${at}.kid`]: keyOf(kid),
      [`keys.${at}.wrapped`]: new Binary(from),
    },
    { $set: { [`keys.${at}.kek`]: to.kek, [`keys.${at}.wrapped`]: new Binary(to.wrapped) } },
  );
  return matchedCount === 1;
}

/** The filter finds candidates by the index; a destroyed key is under no KEK, which only the document tells. */
async function underOther<T extends Keyed>(
  candidates: AsyncIterable<T>,
  kek: number,
  limit: number,
): Promise<readonly T[]> {
  const found: T[] = [];
  if (limit <= 0) return found;
  for await (const document of candidates) {
    if (!document.keys.some((key) => key.kek !== kek && key.wrapped !== null)) continue;
    found.push(document);
    if (found.length === limit) break;
  }
  return found;
}

const wrappedDocument = ({ kid, revision, kek, wrapped }: WrappedKey): WrappedDocument => ({
  kid: keyOf(kid),
  rev: revision,
  kek,
  wrapped: wrapped === null ? null : new Binary(wrapped),
});

const wrappedKey = ({ kid, rev, kek, wrapped }: WrappedDocument): WrappedKey => ({
  kid: textOf(kid),
  revision: rev,
  kek,
  wrapped: wrapped === null ? null : bytesOf(wrapped),
});

function ownershipsDocuments(document: KeyDocument): readonly OwnershipsDocument[] {
  if (document.class !== "s") return [];
  const { id, state, keys, clear } = document;
  const ownershipId = "ownershipId" in clear ? clear.ownershipId : undefined;
  return [
    {
      _id: id,
      tenant: clear.tenant,
      ...(ownershipId !== undefined && { ownershipId }),
      state,
      keys: keys.map(wrappedDocument),
    },
  ];
}

function keysDocuments(document: KeyDocument): readonly KeysDocument[] {
  if (document.class === "s") return [];
  const { class: keyClass, state, keys, clear } = document;
  return [
    {
      _id: documentId(document),
      class: keyClass,
      ...clear,
      state,
      keys: keys.map(wrappedDocument),
    },
  ];
}

const subjectKeys = (document: OwnershipsDocument): KeyDocument => ({
  class: "s",
  id: document._id,
  state: document.state,
  keys: document.keys.map(wrappedKey),
  clear: { tenant: document.tenant, ownershipId: document.ownershipId },
});

const otherKeys = (document: KeysDocument): KeyDocument => ({
  class: document.class,
  id: document._id.slice(document.class.length + 1),
  state: document.state,
  keys: document.keys.map(wrappedKey),
  clear:
    document.class === "p"
      ? { tenant: document.tenant, producerService: document.producerService ?? "" }
      : { tenant: document.tenant, month: document.month ?? "" },
});
