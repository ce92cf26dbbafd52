/** Keys wrapped by a key-encryption key: what a store may hold. The additional data ties a key to its place, so none can be moved. */
import type { Kid, StoreId } from "../core/ids.ts";
import type { Randomness } from "../ports/clock.ts";
import type { Kek } from "../ports/key-ring.ts";
import { decrypt, encrypt, nonceBytes, tagBytes } from "./aes-gcm.ts";
import { hmacSha256Text } from "./hmac.ts";

export const keyBytes = 32;
const wrappedBytes = nonceBytes + keyBytes + tagBytes;

export const wrapDek = (kek: Kek, id: string, kid: Kid, dek: Uint8Array, random: Randomness): Uint8Array =>
  wrap(kek, dekAad(id, kid), dek, random);

/** Undefined when these bytes are not this document's key under this KEK. */
export const unwrapDek = (kek: Kek, id: string, kid: Kid, wrapped: Uint8Array): Uint8Array | undefined =>
  unwrap(kek, dekAad(id, kid), wrapped);

export const wrapLookupKey = (kek: Kek, storeId: StoreId, l: Uint8Array, random: Randomness): Uint8Array =>
  wrap(kek, lookupAad(storeId), l, random);

export const unwrapLookupKey = (kek: Kek, storeId: StoreId, wrapped: Uint8Array): Uint8Array | undefined =>
  unwrap(kek, lookupAad(storeId), wrapped);

/** Tells whether a KEK is the one a store knows by its epoch, without telling anything of it. */
export const kekCheck = (kek: Kek, storeId: StoreId): string =>
  hmacSha256Text(kek.key, `lastro/v1/kek\0${storeId}\0${kek.epoch}`);

const dekAad = (id: string, kid: Kid): Uint8Array => Buffer.from(`lastro/v1/dek\0${id}\0${kid}`);
const lookupAad = (storeId: StoreId): Uint8Array => Buffer.from(`lastro/v1/lookup\0${storeId}`);

function wrap(kek: Kek, aad: Uint8Array, key: Uint8Array, random: Randomness): Uint8Array {
  const nonce = random(nonceBytes);
  const { ciphertext, tag } = encrypt(kek.key, nonce, aad, key);
  return Buffer.concat([nonce, ciphertext, tag]);
}

function unwrap(kek: Kek, aad: Uint8Array, wrapped: Uint8Array): Uint8Array | undefined {
  if (wrapped.length !== wrappedBytes) return undefined;
  const tagAt = wrappedBytes - tagBytes;
  const [nonce, tag] = [wrapped.subarray(0, nonceBytes), wrapped.subarray(tagAt)];
  return decrypt(kek.key, nonce, aad, wrapped.subarray(nonceBytes, tagAt), tag);
}
