/** Layout of a sealed body, shared by sealing and opening. Frozen: another layout is another magic. */
import { hash } from "node:crypto";
import type { B64, Rid } from "../core/ids.ts";
import type { KeyClass } from "../ports/key-store.ts";
import { bufferOf, nonceBytes } from "./xchacha.ts";

export const magic = "LB1";
export const partsMax = 16;
export const saltBytes = 32;
export const kidBytes = 16;
export const lengthBytes = 4;
/** Class, key id and ciphertext length: what precedes the nonce in a part. */
export const partHeadBytes = 1 + kidBytes + lengthBytes;

/** Where the ciphertext begins in a part. */
export const sealedAt = partHeadBytes + nonceBytes;

const aadHeadBytes = magic.length + 1 + partHeadBytes;

/** Additional data of a part: it ties the part to its number and its record. `part` begins with its class, key id and length. */
export function partAad(partNumber: number, part: Buffer, rid: Rid): Buffer {
  const aad = Buffer.allocUnsafe(aadHeadBytes + rid.length);
  aad.write(magic, "latin1");
  aad[magic.length] = partNumber;
  part.copy(aad, magic.length + 1, 0, partHeadBytes);
  // A rid is ASCII.
  aad.write(rid, aadHeadBytes, "latin1");
  return aad;
}

/** What the entry tells of a plaintext: its SHA-256. It hides it, since the plaintext begins with a random salt that lies nowhere else. */
export const commitment = (plaintext: Uint8Array): B64 => hash("sha256", plaintext, "base64url");

export const classByte: Readonly<Record<KeyClass, number>> = { s: 0x73, p: 0x70, a: 0x61 };
export const classOf = (byte: number | undefined): KeyClass | undefined =>
  byte === 0x73 ? "s" : byte === 0x70 ? "p" : byte === 0x61 ? "a" : undefined;

export const b64 = (bytes: Uint8Array): B64 => bufferOf(bytes).toString("base64url");
