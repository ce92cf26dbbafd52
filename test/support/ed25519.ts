/** Verifies signatures of notes by Node's own Ed25519. */
import { createPublicKey, verify } from "node:crypto";

const spkiPrefix = Buffer.from("302a300506032b6570032100", "hex");
export function verifyNote(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const key = createPublicKey({ key: Buffer.concat([spkiPrefix, publicKey]), format: "der", type: "spki" });
  return verify(null, message, key, signature);
}
