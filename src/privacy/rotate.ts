/** Rotation of the key-encryption key while serving: wraps under the current KEK what older ones wrap. What is sealed stays as it is. */
import { LastroError } from "../core/errors.ts";
import type { Randomness } from "../ports/clock.ts";
import type { Kek, KeyRing } from "../ports/key-ring.ts";
import type { KeyDocument, KeyStore } from "../ports/key-store.ts";
import type { Log } from "../ports/log.ts";
import type { StoreState } from "../ports/store-state.ts";
import { kekOf } from "./data-keys.ts";
import { updateIdentity } from "./store-keys.ts";
import { unwrapDek, unwrapLookupKey, wrapDek, wrapLookupKey } from "./wrapped-key.ts";

export type RotateDeps = {
  readonly state: StoreState;
  readonly keys: KeyStore;
  /** The ring that `openStoreKeys` gives. */
  readonly ring: KeyRing;
  readonly random: Randomness;
};

const documentsPerBatch = 200;
const batchesPerPass = 50;

export type RotatePass = {
  /** The epoch of the current KEK. */
  readonly kek: number;
  readonly rewrapped: number;
  /** Of what still relies on another KEK: the lookup key, and the documents up to a batch. */
  readonly left: number;
  /** KEKs that the store relied on until this pass. */
  readonly retired: number;
};

/** One pass, to be repeated every so often: reads the ring anew, then re-wraps up to 10,000 documents. With 0 `left` the store no longer asks for the KEKs before the current one. */
export async function rewrapKeys(deps: RotateDeps, signal: AbortSignal): Promise<RotatePass> {
  await deps.ring.refresh();
  const kek = deps.ring.current();
  let rewrapped = await rewrapLookupKey(deps, kek, signal);
  let waiting = await deps.keys.notUnder(kek.epoch, documentsPerBatch, signal);
  for (let batch = 0; batch < batchesPerPass && waiting.length > 0; batch++) {
    for (const document of waiting) rewrapped += await rewrapDocument(deps, kek, document, signal);
    waiting = await deps.keys.notUnder(kek.epoch, documentsPerBatch, signal);
  }
  const done = { kek: kek.epoch, rewrapped };
  if (waiting.length > 0) return { ...done, left: waiting.length, retired: 0 };
  return { ...done, ...(await retireOlder(deps.state, kek, signal)) };
}

/** A pass that tells what it did, and once under each KEK that nothing is left: whoever rotates waits for that line of every instance. */
export function tellingRewrap(deps: RotateDeps, log: Log): (signal: AbortSignal) => Promise<void> {
  let wholeUnder: number | undefined;
  return async (signal) => {
    const pass = await rewrapKeys(deps, signal);
    const isNew = pass.rewrapped + pass.left + pass.retired > 0 || pass.kek !== wholeUnder;
    wholeUnder = pass.left === 0 ? pass.kek : undefined;
    if (isNew) log.info("keys_rewrapped", "data keys lie under the current KEK, but for those left", pass);
  };
}

async function rewrapLookupKey(deps: RotateDeps, kek: Kek, signal: AbortSignal): Promise<number> {
  const read = await deps.state.read(signal);
  if (read === undefined || read.identity.lookupKey.kek === kek.epoch) return 0;
  const { storeId, lookupKey } = read.identity;
  const l = unwrapLookupKey(await kekOf(deps.ring, lookupKey.kek), storeId, lookupKey.wrapped);
  if (l === undefined) throw unopened("the lookup key", lookupKey.kek);
  const next = { kek: kek.epoch, wrapped: wrapLookupKey(kek, storeId, l, deps.random) };
  // Lost to another instance: it did the same, or the next pass will.
  return (await deps.state.replace({ ...read.identity, lookupKey: next }, read.revision, signal)) ? 1 : 0;
}

async function rewrapDocument(
  deps: RotateDeps,
  kek: Kek,
  document: KeyDocument,
  signal: AbortSignal,
): Promise<number> {
  let rewrapped = 0;
  for (const { kid, kek: epoch, wrapped } of document.keys) {
    if (wrapped === null || epoch === kek.epoch) continue;
    const dek = unwrapDek(await kekOf(deps.ring, epoch), document.id, kid, wrapped);
    if (dek === undefined) throw unopened(`data key ${kid}`, epoch);
    const to = { kek: kek.epoch, wrapped: wrapDek(kek, document.id, kid, dek, deps.random) };
    if (await deps.keys.rewrap(document, kid, wrapped, to, signal)) rewrapped++;
  }
  return rewrapped;
}

/** The store stops relying on earlier KEKs, unless the lookup key still lies under one of them. */
async function retireOlder(
  state: StoreState,
  kek: Kek,
  signal: AbortSignal,
): Promise<Pick<RotatePass, "left" | "retired">> {
  let retired = 0;
  const identity = await updateIdentity(
    state,
    (before) => {
      const keks = before.keks.filter(({ epoch }) => epoch >= kek.epoch);
      retired = before.lookupKey.kek === kek.epoch ? before.keks.length - keks.length : 0;
      return retired === 0 ? undefined : { ...before, keks };
    },
    signal,
  );
  return { left: identity.lookupKey.kek === kek.epoch ? 0 : 1, retired };
}

const unopened = (what: string, epoch: number): LastroError =>
  new LastroError(
    "KEY_UNAVAILABLE",
    `${what} does not open under KEK ${epoch}, so it stays there; keep that KEK and restore what was changed`,
  );
