/** Opens the keys of a store: drawn once for an empty one, refused for a filled one that they do not fit. */
import { LastroError } from "../core/errors.ts";
import type { StoreId } from "../core/ids.ts";
import type { Clock, Randomness } from "../ports/clock.ts";
import type { Kek, KeyRing } from "../ports/key-ring.ts";
import type { StoreIdentity, StoreState } from "../ports/store-state.ts";
import { type LookupKey, lookupKey } from "./lookup-key.ts";
import { kekCheck, keyBytes, unwrapLookupKey, wrapLookupKey } from "./wrapped-key.ts";

export type StoreKeysDeps = {
  readonly state: StoreState;
  readonly ring: KeyRing;
  readonly random: Randomness;
  readonly now: Clock;
};

export type StoreKeys = {
  readonly storeId: StoreId;
  readonly lookupKey: LookupKey;
  readonly identity: StoreIdentity;
  /** The ring as everybody else is to use it: a KEK enters it only once the store holds its check value. */
  readonly ring: KeyRing;
};

const casAttemptsMax = 16;
const storeIdBytes = 16;
const ringRefreshTimeoutMs = 10_000;

/** Whether keys may be made: nothing lies in the store yet that other keys could belong to. */
export const mayMakeKeys = async (state: StoreState, signal: AbortSignal): Promise<boolean> =>
  (await state.read(signal)) === undefined && (await state.isEmpty(signal));

export async function openStoreKeys(deps: StoreKeysDeps, signal: AbortSignal): Promise<StoreKeys> {
  if (await mayMakeKeys(deps.state, signal)) {
    // Another instance may be first: what the store then holds is what counts.
    await deps.state.create(newIdentity(deps), signal);
  }
  const identity = await admitKeks(deps.state, deps.ring.all(), deps.ring.current(), signal);
  return storeKeysOf(identity, deps.ring.all(), admittedRing(deps));
}

/** For who only looks: no identity is made, and no KEK is taken into it. */
export async function readStoreKeys(
  { state, ring }: Pick<StoreKeysDeps, "state" | "ring">,
  signal: AbortSignal,
): Promise<StoreKeys> {
  const read = await state.read(signal);
  if (read === undefined) throw withoutIdentity();
  requireKnownKeks(read.identity, ring.all());
  return storeKeysOf(read.identity, ring.all(), ring);
}

function storeKeysOf(identity: StoreIdentity, keks: readonly Kek[], ring: KeyRing): StoreKeys {
  const { kek: epoch, wrapped } = identity.lookupKey;
  const kek = requireKek(keks, epoch);
  const l = unwrapLookupKey(kek, identity.storeId, wrapped);
  if (l === undefined) {
    throw new LastroError(
      "KEY_WRONG",
      `the store's lookup key does not open under KEK ${epoch}; restore the store's identity from a backup`,
    );
  }
  return { storeId: identity.storeId, lookupKey: lookupKey(l), identity, ring };
}

/** Changes the store's identity by compare-and-set; `change` answers undefined when nothing is left to change. */
export async function updateIdentity(
  state: StoreState,
  change: (identity: StoreIdentity) => StoreIdentity | undefined,
  signal: AbortSignal,
): Promise<StoreIdentity> {
  for (let attempt = 0; attempt < casAttemptsMax; attempt++) {
    const read = await state.read(signal);
    if (read === undefined) throw withoutIdentity();
    const next = change(read.identity);
    if (next === undefined) return read.identity;
    if (await state.replace(next, read.revision, signal)) return next;
  }
  throw new LastroError("STORE_UNAVAILABLE", "the store's identity is changed by others again and again");
}

const withoutIdentity = (): LastroError =>
  new LastroError(
    "KEY_MISSING",
    "the store does not hold the identity its keys belong to; restore the store from a backup",
  );

/** Throws where the ring lacks a KEK that the store names, or has another of its epoch. */
function requireKnownKeks(identity: StoreIdentity, keks: readonly Kek[]): void {
  for (const { epoch, check } of identity.keks) {
    if (kekCheck(requireKek(keks, epoch), identity.storeId) === check) continue;
    throw new LastroError(
      "KEY_WRONG",
      `KEK ${epoch} in the key ring is not the one this store was written with; put the right key ring in place`,
    );
  }
}

/** Holds the ring against the store, and records the check value of each KEK that is new to it. */
function admitKeks(
  state: StoreState,
  keks: readonly Kek[],
  current: Kek,
  signal: AbortSignal,
): Promise<StoreIdentity> {
  const admit = (identity: StoreIdentity): StoreIdentity | undefined => {
    requireKnownKeks(identity, keks);
    const known = new Set(identity.keks.map(({ epoch }) => epoch));
    const newest = Math.max(...known);
    // An older epoch that the store no longer names was rotated out, and stays out unless it is made current.
    const added = keks.filter(
      (kek) => !known.has(kek.epoch) && (kek.epoch > newest || kek.epoch === current.epoch),
    );
    if (added.length === 0) return undefined;
    return { ...identity, keks: [...identity.keks, ...checksOf(added, identity.storeId)] };
  };
  return updateIdentity(state, admit, signal);
}

function requireKek(keks: readonly Kek[], epoch: number): Kek {
  const kek = keks.find((known) => known.epoch === epoch);
  if (kek !== undefined) return kek;
  throw new LastroError(
    "KEY_MISSING",
    `KEK ${epoch}, which this store relies on, is not in the key ring; restore the key ring from its backup`,
  );
}

function admittedRing({ state, ring }: StoreKeysDeps): KeyRing {
  let [keks, current] = [ring.all(), ring.current()];
  return {
    current: () => current,
    all: () => keks,
    async refresh() {
      await ring.refresh();
      const [read, newCurrent] = [ring.all(), ring.current()];
      try {
        await admitKeks(state, read, newCurrent, AbortSignal.timeout(ringRefreshTimeoutMs));
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : "the store did not answer";
        throw new LastroError("KEY_UNAVAILABLE", `the key ring was not taken over: ${why}`, { cause });
      }
      [keks, current] = [read, newCurrent];
    },
  };
}

function newIdentity({ ring, random, now }: StoreKeysDeps): StoreIdentity {
  const storeId = Buffer.from(random(storeIdBytes)).toString("hex") as StoreId;
  const current = ring.current();
  return {
    storeId,
    createdAtMs: now(),
    lookupKey: {
      kek: current.epoch,
      wrapped: wrapLookupKey(current, storeId, random(keyBytes), random),
    },
    keks: checksOf(ring.all(), storeId),
    kafka: undefined,
  };
}

const checksOf = (keks: readonly Kek[], storeId: StoreId): StoreIdentity["keks"] =>
  keks.map((kek) => ({ epoch: kek.epoch, check: kekCheck(kek, storeId) }));
