/** A signing key in memory, and the memory of what it signed: both outlive the processes that use them. */
import { createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { formatCheckpoint } from "../../src/core/checkpoint.ts";
import { LastroError } from "../../src/core/errors.ts";
import { equalHashes } from "../../src/core/merkle.ts";
import {
  formatNote,
  formatVerifierKey,
  parseVerifierKey,
  type VerifierKey,
} from "../../src/core/signed-note.ts";
import { sha256 } from "../../src/lib/sha256.ts";
import type { CheckpointSigner, SignerState } from "../../src/ports/checkpoint-signer.ts";

const pkcs8Prefix = Buffer.from("302e020100300506032b657004220420", "hex");
const spkiPrefixBytes = 12;

export type MemorySigner = {
  readonly signed: () => SignerState | undefined;
  /** Those that its notes can be verified by. */
  keys(): readonly VerifierKey[];
  open(origin: string): CheckpointSigner;
  /** Puts a key behind those that are there. */
  addKey(seed: Uint8Array): void;
};

export function memorySigner(seed: Uint8Array): MemorySigner {
  const secrets = [secretOf(seed)];
  let signed: SignerState | undefined;
  return {
    signed: () => signed,
    keys: () => {
      const { origin } = signed ?? {};
      const vkeys = origin === undefined ? [] : secrets.map((secret) => keyOf(origin, secret).vkey);
      return vkeys.map((vkey) => parseVerifierKey(sha256, vkey)).filter((key) => key !== undefined);
    },
    addKey: (another) => void secrets.push(secretOf(another)),
    open(origin) {
      const keys = secrets.map((secret) => keyOf(origin, secret));
      return {
        vkeys: keys.map(({ vkey }) => vkey),
        state: async () => signed,
        async sign(checkpoint, vkeys) {
          const by = vkeys.map((vkey) => keys.find((key) => key.vkey === vkey) ?? notHeld(vkey));
          if (signed !== undefined) assertForward(signed, checkpoint);
          signed = checkpoint;
          const text = formatCheckpoint(checkpoint);
          const signatures = by.map(({ id, secret }) => ({
            name: origin,
            id,
            bytes: new Uint8Array(sign(null, Buffer.from(text), secret)),
          }));
          return formatNote({ text, signatures });
        },
      };
    },
  };
}

const secretOf = (seed: Uint8Array): KeyObject =>
  createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: "der", type: "pkcs8" });

function keyOf(name: string, secret: KeyObject) {
  const spki = createPublicKey(secret).export({ format: "der", type: "spki" });
  const publicKey = new Uint8Array(spki.subarray(spkiPrefixBytes));
  const vkey = formatVerifierKey(sha256, { name, type: "ed25519", publicKey });
  return { vkey, secret, id: parseVerifierKey(sha256, vkey)?.id ?? notHeld(vkey) };
}

function notHeld(vkey: string): never {
  throw new LastroError("KEY_MISSING", `the signing key of ${vkey} is not held`);
}

function assertForward(last: SignerState, next: SignerState): void {
  const isForward =
    last.origin === next.origin &&
    (next.size > last.size || (next.size === last.size && equalHashes(next.root, last.root)));
  if (!isForward)
    throw new LastroError("LOG_HALTED", `${last.size} leaves were signed, and now ${next.size} are to be`);
}
