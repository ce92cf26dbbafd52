/** Signed notes, their verifier keys and cosignatures: C2SP signed-note and tlog-cosignature. Ed25519 is passed in. */
import { fromBase64, toBase64, utf8 } from "./base64.ts";
import type { Sha256 } from "./merkle.ts";

export type Ed25519Verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

const typeBytes = { ed25519: 0x01, "cosignature/v1": 0x04 } as const;
export type KeyType = keyof typeof typeBytes;

/** `id` is the first four bytes of SHA-256(name ‖ LF ‖ type ‖ public key), big-endian. */
export type VerifierKey = {
  readonly name: string;
  readonly id: number;
  readonly type: KeyType;
  readonly publicKey: Uint8Array;
};

/** `bytes` is what follows the key id in a signature line. */
export type NoteSignature = { readonly name: string; readonly id: number; readonly bytes: Uint8Array };
/** `text` ends with LF. */
export type SignedNote = { readonly text: string; readonly signatures: readonly NoteSignature[] };

const noteCharactersMax = 1_000_000;
/** Of one note. */
export const signaturesMax = 100;
const publicKeyBytes = 32;
const signatureBytes = 64;
const timestampBytes = 8;
const nameForm = /^[^\p{White_Space}+]{1,255}$/u;
const isName = (name: string): boolean => nameForm.test(name) && name.isWellFormed();

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const u32 = (value: number): Uint8Array => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
};
const u32At = (bytes: Uint8Array): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);

type NamedKey = Omit<VerifierKey, "id">;

const keyId = (sha256: Sha256, { name, type, publicKey }: NamedKey): number =>
  u32At(sha256(joined(utf8(`${name}\n`), Uint8Array.of(typeBytes[type]), publicKey)));

export const verifierKey = (sha256: Sha256, key: NamedKey): VerifierKey => ({
  ...key,
  id: keyId(sha256, key),
});

/** As a verifier key and the log's control entries have it: 8 hex digits. */
export const keyIdText = (id: number): string => id.toString(16).padStart(8, "0");

/** `name+id+base64(type ‖ public key)`. */
export function formatVerifierKey(sha256: Sha256, key: NamedKey): string {
  const bytes = joined(Uint8Array.of(typeBytes[key.type]), key.publicKey);
  return `${key.name}+${keyIdText(keyId(sha256, key))}+${toBase64(bytes)}`;
}

export function parseVerifierKey(sha256: Sha256, text: string): VerifierKey | undefined {
  const [, name = "", id = "", encoded = ""] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/u.exec(text) ?? [];
  const bytes = fromBase64(encoded);
  const type = (Object.keys(typeBytes) as KeyType[]).find((known) => typeBytes[known] === bytes?.[0]);
  if (!isName(name) || bytes?.length !== 1 + publicKeyBytes || type === undefined) return undefined;
  const key = verifierKey(sha256, { name, type, publicKey: bytes.slice(1) });
  return keyIdText(key.id) === id ? key : undefined;
}

export const signatureLine = ({ name, id, bytes }: NoteSignature): string =>
  `— ${name} ${toBase64(joined(u32(id), bytes))}`;

export function parseSignatureLine(line: string): NoteSignature | undefined {
  const [, name = "", encoded = ""] = /^— ([^ ]+) ([^ ]+)$/u.exec(line) ?? [];
  const bytes = fromBase64(encoded);
  if (!isName(name) || bytes === undefined || bytes.length <= 4) return undefined;
  return { name, id: u32At(bytes), bytes: bytes.slice(4) };
}

export const formatNote = ({ text, signatures }: SignedNote): string =>
  `${text}\n${signatures.map((signature) => `${signatureLine(signature)}\n`).join("")}`;

/** Text that may be a note: no ASCII control characters but LF, and a last LF. */
const isNoteText = (text: string): boolean =>
  text.length <= noteCharactersMax &&
  text.endsWith("\n") &&
  !/[\p{Cc}--[\n\x7f-\x9f]]/v.test(text) &&
  text.isWellFormed();

export function parseNote(note: string): SignedNote | undefined {
  const border = note.lastIndexOf("\n\n");
  if (!isNoteText(note) || border < 0) return undefined;
  const text = note.slice(0, border + 1);
  const lines = note.slice(border + 2, -1).split("\n");
  if (lines.length > signaturesMax) return undefined;
  const signatures = lines.map(parseSignatureLine).filter((signature) => signature !== undefined);
  if (signatures.length !== lines.length) return undefined;
  return { text, signatures };
}

/** What a cosignature/v1 signs: the time it was given at, and the note's text. */
export const cosignedMessage = (timestampS: number, text: string): Uint8Array =>
  utf8(`cosignature/v1\ntime ${timestampS}\n${text}`);

/** Bytes of a cosignature/v1: u64 time ‖ Ed25519 signature. */
export function cosignatureBytes(timestampS: number, signature: Uint8Array): Uint8Array {
  const time = new Uint8Array(timestampBytes);
  new DataView(time.buffer).setBigUint64(0, BigInt(timestampS));
  return joined(time, signature);
}

export type VerifiedSignature = {
  readonly signature: NoteSignature;
  /** Of a cosignature: seconds since the epoch, as the witness says. */
  readonly timestampS: number | undefined;
};

/** The signature of that key, if there is one and it verifies. */
export function verifiedSignature(
  { text, signatures }: SignedNote,
  key: VerifierKey,
  verify: Ed25519Verify,
): VerifiedSignature | undefined {
  const signature = signatures.find(({ name, id }) => name === key.name && id === key.id);
  if (signature === undefined) return undefined;
  const { bytes } = signature;
  if (key.type === "ed25519") {
    const isValid = bytes.length === signatureBytes && verify(key.publicKey, utf8(text), bytes);
    return isValid ? { signature, timestampS: undefined } : undefined;
  }
  if (bytes.length !== timestampBytes + signatureBytes) return undefined;
  const timestampS = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0));
  if (!Number.isSafeInteger(timestampS)) return undefined;
  const isValid = verify(key.publicKey, cosignedMessage(timestampS, text), bytes.subarray(timestampBytes));
  return isValid ? { signature, timestampS } : undefined;
}
