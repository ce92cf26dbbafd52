/**
 * Signing keys of the log in a file that only the service's user can read, and beside it what was signed last. Whoever has the file can sign
 * another log under this name; only witnesses and those who kept a checkpoint would notice. It never lies in the store.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { z } from "zod";
import { formatCheckpoint } from "../../core/checkpoint.ts";
import { LastroError } from "../../core/errors.ts";
import { equalHashes } from "../../core/merkle.ts";
import {
  formatNote,
  formatVerifierKey,
  type NoteSignature,
  parseVerifierKey,
} from "../../core/signed-note.ts";
import { sha256 } from "../../lib/sha256.ts";
import type { CheckpointSigner, SignerState } from "../../ports/checkpoint-signer.ts";
import type { Randomness } from "../../ports/clock.ts";
import { createPrivate, parsePrivate, readPrivate, replacePrivate } from "./private-file.ts";

const seedBytes = 32;
/** RFC 8410: what goes before an Ed25519 seed in PKCS #8, and before a public key in SPKI. */
const pkcs8Prefix = Buffer.from("302e020100300506032b657004220420", "hex");
const spkiPrefixBytes = 12;

const KeyFile = z.strictObject({
  v: z.literal(1),
  /** Seeds of RFC 8032, base64url; oldest first, two during a rotation. */
  keys: z.array(z.base64url().length(43)).min(1).max(2),
});
const StateFile = z.strictObject({
  v: z.literal(1),
  origin: z.string().min(1),
  size: z.int().nonnegative(),
  root: z.base64url().length(43),
});

export type SignerOptions = {
  readonly path: string;
  /** Only for a store without a log; a file that is there is never changed. */
  readonly create: boolean;
  readonly random: Randomness;
};

/** The keys are read anew for each signer, so that a rotation needs no restart. The file of what was signed belongs to one process. */
export async function openCheckpointSigner({
  path,
  create,
  random,
}: SignerOptions): Promise<(origin: string) => Promise<CheckpointSigner>> {
  const keyFile = { path, name: "the signing key" };
  if (create) await createPrivate(keyFile, newKeyFile(random), random);
  const memory = signerMemory(path, random);
  return async (origin) => {
    const text = await readPrivate(keyFile);
    if (text === undefined)
      throw new LastroError(
        "KEY_MISSING",
        `there is no signing key at ${path}, and one is made only for a store without a log; restore the file from its backup, or set LASTRO_LOG=off where another instance signs`,
      );
    const keys = parsePrivate(keyFile, text, KeyFile).keys.map((seed) => openKey(origin, seed));
    return {
      vkeys: keys.map(({ vkey }) => vkey),
      state: memory.read,
      async sign(checkpoint, vkeys) {
        const signing = vkeys.map((vkey) => keys.find((key) => key.vkey === vkey) ?? notHeld(vkey));
        await memory.advance(checkpoint);
        const note = formatCheckpoint(checkpoint);
        return formatNote({ text: note, signatures: signing.map((key) => signatureOf(key, origin, note)) });
      },
    };
  };
}

function newKeyFile(random: Randomness): string {
  return `${JSON.stringify({ v: 1, keys: [Buffer.from(random(seedBytes)).toString("base64url")] }, null, 2)}\n`;
}

type OpenKey = { readonly vkey: string; readonly id: number; readonly secret: KeyObject };

function openKey(name: string, seed: string): OpenKey {
  const der = Buffer.concat([pkcs8Prefix, Buffer.from(seed, "base64url")]);
  const secret = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const spki = createPublicKey(secret).export({ format: "der", type: "spki" });
  const publicKey = new Uint8Array(spki.subarray(spkiPrefixBytes));
  const vkey = formatVerifierKey(sha256, { name, type: "ed25519", publicKey });
  return { vkey, id: parseVerifierKey(sha256, vkey)?.id ?? notHeld(vkey), secret };
}

function notHeld(vkey: string): never {
  throw new LastroError("KEY_MISSING", `the signing key of ${vkey} is not in the file`);
}

const signatureOf = ({ id, secret }: OpenKey, name: string, text: string): NoteSignature => ({
  name,
  id,
  bytes: new Uint8Array(sign(null, Buffer.from(text), secret)),
});

/** What was signed last, in a file of its own beside the keys: durable before a signature leaves. */
function signerMemory(keyPath: string, random: Randomness) {
  const file = { path: `${keyPath.replace(/\.json$/, "")}.state.json`, name: "the signer's memory" };
  const read = async (): Promise<SignerState | undefined> => {
    const text = await readPrivate(file);
    if (text === undefined) return undefined;
    const { origin, size, root } = parsePrivate(file, text, StateFile);
    return { origin, size, root: new Uint8Array(Buffer.from(root, "base64url")) };
  };
  return {
    read,
    async advance(next: SignerState): Promise<void> {
      const last = await read();
      if (last !== undefined) assertForward(last, next);
      if (last?.size === next.size) return;
      const root = Buffer.from(next.root).toString("base64url");
      const text = JSON.stringify({ v: 1, origin: next.origin, size: next.size, root }, null, 2);
      await replacePrivate(file, `${text}\n`, random);
    },
  };
}

function assertForward(last: SignerState, next: SignerState): void {
  const isForward =
    last.origin === next.origin &&
    (next.size > last.size || (next.size === last.size && equalHashes(next.root, last.root)));
  if (!isForward)
    throw new LastroError(
      "LOG_HALTED",
      `${last.size} leaves of ${last.origin} were signed, and now ${next.size} of ${next.origin} are to be, of another tree`,
    );
}
