/** XChaCha20-Poly1305 by libsodium, with 24-byte nonces and 16-byte tags. Nonces drawn at random never come twice, however many a key meets. */
import { AssertionError } from "node:assert";
import sodium from "sodium-native";

export const nonceBytes = 24;
export const tagBytes = 16;

/** The same bytes, not a copy of them. */
export const bufferOf = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** `bytes` holds the plaintext and room for the tag; afterwards ciphertext ‖ tag. */
export function encryptInPlace(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, bytes: Buffer): void {
  const plaintext = bytes.subarray(0, -tagBytes);
  sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
    bytes,
    plaintext,
    bufferOf(aad),
    null,
    bufferOf(nonce),
    bufferOf(key),
  );
}

/** `sealed` is ciphertext ‖ tag. Undefined when it does not belong together with key, nonce and additional data. */
export function decrypt(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
): Buffer | undefined {
  const plaintext = Buffer.allocUnsafe(sealed.length - tagBytes);
  try {
    sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
      plaintext,
      null,
      bufferOf(sealed),
      bufferOf(aad),
      bufferOf(nonce),
      bufferOf(key),
    );
    return plaintext;
  } catch (error) {
    // A key or nonce of a wrong length is a fault of ours, not of the bytes.
    if (error instanceof AssertionError) throw error;
    return undefined;
  }
}
