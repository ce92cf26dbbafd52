/** Data keys, made durable before anything is sealed with them and opened for a few seconds at a time. Plain keys stay in memory. */
import { LastroError } from "../core/errors.ts";
import type { Kid, OwnershipKey } from "../core/ids.ts";
import { isoTime } from "../core/leaf.ts";
import type { Clock, Randomness } from "../ports/clock.ts";
import type { Kek, KeyRing } from "../ports/key-ring.ts";
import {
  type KeyClass,
  type KeyDocument,
  type KeyRef,
  type KeyStore,
  subjectRef,
  type WrappedKey,
} from "../ports/key-store.ts";
import { freshCache } from "./fresh-cache.ts";
import { b64, kidBytes } from "./sealed-format.ts";
import { keyBytes, unwrapDek, wrapDek } from "./wrapped-key.ts";

/** A data key in the open: 32 bytes, in memory only. */
export type DataKey = { readonly kid: Kid; readonly key: Uint8Array };

/** A key, and what its document says in the clear should it have to be made. */
export type KeyNeed = KeyRef & { readonly clear: KeyDocument["clear"] };

export const keyRefText = (ref: KeyRef): string => `${ref.class}:${ref.id}`;

export const subjectKeyNeed = (
  tenant: string,
  ownership: OwnershipKey,
  ownershipId: string | undefined,
): KeyNeed => ({ ...subjectRef(ownership), clear: { tenant, ownershipId } });

export const producerKeyNeed = (tenant: string, producerService: string): KeyNeed => ({
  class: "p",
  // A JSON array, so that no two pairs of names give one id; it begins with the class, since `p` and `a` share a collection.
  id: JSON.stringify(["p", tenant, producerService]),
  clear: { tenant, producerService },
});

/** Of the calendar month, UTC, in which the record was made. */
export function actorKeyNeed(tenant: string, recordedAtMs: number): KeyNeed {
  const month = isoTime(recordedAtMs).slice(0, "2026-11".length);
  return { class: "a", id: JSON.stringify(["a", tenant, month]), clear: { tenant, month } };
}

export type DataKeysDeps = {
  readonly keys: KeyStore;
  readonly ring: KeyRing;
  readonly now: Clock;
  readonly random: Randomness;
};

/** KEY_UNAVAILABLE when a key cannot be had now: its state forbids that it seals, or the KEK it is under is not at hand. */
export type DataKeys = {
  /** By `keyRefText`; every need has its key. KEY_UNAVAILABLE also where one does not open under its KEK. */
  forSealing(needs: readonly KeyNeed[], signal: AbortSignal): Promise<ReadonlyMap<string, DataKey>>;
  /** Absent: kids that no document holds, and those whose key does not open under its KEK. Neither was destroyed, and neither keeps the others closed. */
  forOpening(
    kids: readonly { readonly class: KeyClass; readonly kid: Kid }[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<Kid, Uint8Array | "destroyed">>;
};

export function dataKeys(deps: DataKeysDeps): DataKeys {
  const sealing = freshCache<DataKey>(deps.now);
  const opening = freshCache<Uint8Array | "destroyed">(deps.now);

  async function readForSealing(
    needs: readonly KeyNeed[],
    into: Map<string, DataKey>,
    signal: AbortSignal,
  ): Promise<readonly KeyNeed[]> {
    const readAtMs = deps.now();
    for (const document of await deps.keys.read(needs, signal)) {
      const key = await openNewest(deps.ring, document);
      into.set(keyRefText(document), key);
      sealing.put(keyRefText(document), key, readAtMs);
    }
    return needs.filter((need) => !into.has(keyRefText(need)));
  }

  return {
    async forSealing(needs, signal) {
      const found = new Map<string, DataKey>();
      const unknown = new Map<string, KeyNeed>();
      for (const need of needs) {
        const key = sealing.get(keyRefText(need));
        if (key === undefined) unknown.set(keyRefText(need), need);
        else found.set(keyRefText(need), key);
      }
      if (unknown.size === 0) return found;
      const absent = await readForSealing([...unknown.values()], found, signal);
      if (absent.length === 0) return found;
      const made = absent.map((need) => newDocument(need, deps.ring.current(), deps.random));
      await deps.keys.create(made, signal);
      // Somebody else may have been first: only what the store holds now is used.
      if ((await readForSealing(absent, found, signal)).length > 0) {
        throw new LastroError(
          "KEY_UNAVAILABLE",
          "the store does not show data keys it has just acknowledged",
        );
      }
      return found;
    },

    async forOpening(kids, signal) {
      const found = new Map<Kid, Uint8Array | "destroyed">();
      const unknown = new Map<Kid, KeyClass>();
      for (const { class: keyClass, kid } of kids) {
        const key = opening.get(kid);
        if (key === undefined) unknown.set(kid, keyClass);
        else found.set(kid, key);
      }
      if (unknown.size === 0) return found;
      const readAtMs = deps.now();
      const wanted = [...unknown].map(([kid, keyClass]) => ({ class: keyClass, kid }));
      for (const document of await deps.keys.byKid(wanted, signal)) {
        for (const key of document.keys) {
          if (unknown.get(key.kid) !== document.class) continue;
          const opened = isUsable(document) ? await openKey(deps.ring, document, key) : "destroyed";
          // Looked up anew each time: once its document is restored it opens at once.
          if (opened === undefined) continue;
          found.set(key.kid, opened);
          opening.put(key.kid, opened, readAtMs);
        }
      }
      return found;
    },
  };
}

const isUsable = (document: KeyDocument): boolean =>
  document.state === "live" || document.state === "blocked";

async function openNewest(ring: KeyRing, document: KeyDocument): Promise<DataKey> {
  if (!isUsable(document)) throw unavailable(document, `its erasure has begun (${document.state})`);
  const [newest] = document.keys
    .filter((key) => key.wrapped !== null)
    .toSorted((a, b) => b.revision - a.revision);
  if (newest === undefined) throw unavailable(document, "every revision of it is destroyed");
  const key = await openKey(ring, document, newest);
  if (key === undefined) {
    throw unavailable(
      document,
      `it does not open under KEK ${newest.kek}; restore the document, or put the right key under that epoch in the key ring`,
    );
  }
  if (key === "destroyed") throw unavailable(document, "it is destroyed");
  return { kid: newest.kid, key };
}

/** Undefined when it does not open under its KEK. Throws where that KEK is not at hand: it may come back. */
async function openKey(
  ring: KeyRing,
  ref: KeyRef,
  key: WrappedKey,
): Promise<Uint8Array | "destroyed" | undefined> {
  if (key.wrapped === null) return "destroyed";
  return unwrapDek(await kekOf(ring, key.kek), ref.id, key.kid, key.wrapped);
}

/** The KEK of that epoch. One that another instance learned first is looked for in the ring once more. */
export async function kekOf(ring: KeyRing, epoch: number): Promise<Kek> {
  const find = (): Kek | undefined => ring.all().find((kek) => kek.epoch === epoch);
  if (find() === undefined) await ring.refresh();
  const kek = find();
  if (kek === undefined) {
    throw new LastroError("KEY_UNAVAILABLE", `KEK ${epoch} is not in the key ring; put it back`);
  }
  return kek;
}

const unavailable = (ref: KeyRef, why: string): LastroError =>
  new LastroError("KEY_UNAVAILABLE", `data key ${keyRefText(ref)} cannot be used: ${why}`);

function newDocument(need: KeyNeed, kek: Kek, random: Randomness): KeyDocument {
  // Key id and key are drawn together: no key ever comes again under another id.
  const drawn = random(kidBytes + keyBytes);
  const kid = b64(drawn.subarray(0, kidBytes)) as Kid;
  const wrapped = wrapDek(kek, need.id, kid, drawn.subarray(kidBytes), random);
  return {
    class: need.class,
    id: need.id,
    state: "live",
    keys: [{ kid, revision: 1, kek: kek.epoch, wrapped }],
    clear: need.clear,
  };
}
