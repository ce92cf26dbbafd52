/** The key of a witness in a file that only its user can read. Whoever has it can cosign anything in the witness's name. */
import { z } from "zod";
import { LastroError } from "../../core/errors.ts";
import { formatVerifierKey, parseVerifierKey, type VerifierKey } from "../../core/signed-note.ts";
import { openEd25519 } from "../../lib/ed25519.ts";
import { sha256 } from "../../lib/sha256.ts";
import type { Randomness } from "../../ports/clock.ts";
import { createPrivate, parsePrivate, readPrivate, unusable } from "./private-file.ts";

const seedBytes = 32;

/** `seed` of RFC 8032, base64url. The name is kept with it, because another name would be another key to everybody else. */
const KeyFile = z.strictObject({ v: z.literal(1), name: z.string(), seed: z.base64url().length(43) });

export type WitnessKey = {
  readonly key: VerifierKey;
  readonly vkey: string;
  sign(message: Uint8Array): Uint8Array;
};

const fileAt = (path: string) => ({ path, name: "the witness's key" });

export const hasWitnessKey = async (path: string): Promise<boolean> =>
  (await readPrivate(fileAt(path))) !== undefined;

/** Made where no file is, if a name is given; a file that is there is never changed. Throws CONFIG_INVALID and KEY_MISSING. */
export async function openWitnessKey(options: {
  readonly path: string;
  readonly name: string | undefined;
  readonly random: Randomness;
}): Promise<WitnessKey> {
  const { path, name, random } = options;
  const file = fileAt(path);
  if (name !== undefined) {
    const seed = random(seedBytes);
    if (vkeyOf(name, seed) === undefined)
      throw new LastroError(
        "CONFIG_INVALID",
        "a witness's name is 1 to 255 characters without space and +, such as witness.example.org/w1",
      );
    const made = { v: 1, name, seed: Buffer.from(seed).toString("base64url") };
    await createPrivate(file, `${JSON.stringify(made, null, 2)}\n`, random);
  }
  const text = await readPrivate(file);
  if (text === undefined)
    throw new LastroError("CONFIG_INVALID", `there is no key at ${path} yet: name the witness, to make one`);
  const kept = parsePrivate(file, text, KeyFile);
  if (name !== undefined && kept.name !== name)
    throw unusable(
      file,
      `it is the key of ${kept.name}, not of ${name}; leave out the name or take another file`,
    );
  const seed = Buffer.from(kept.seed, "base64url");
  const vkey = vkeyOf(kept.name, seed);
  const key = vkey === undefined ? undefined : parseVerifierKey(sha256, vkey);
  if (vkey === undefined || key === undefined) throw unusable(file, "its name cannot be that of a key");
  return { vkey, key, sign: openEd25519(seed).sign };
}

/** Undefined for a name that no key can have. */
function vkeyOf(name: string, seed: Uint8Array): string | undefined {
  const { publicKey } = openEd25519(seed);
  const vkey = formatVerifierKey(sha256, { name, type: "cosignature/v1", publicKey });
  return parseVerifierKey(sha256, vkey)?.name === name ? vkey : undefined;
}
