/** Key ring in a file that only the service's user can read. Whoever has it and the store can read everything: back it up apart from the data. */
import { LastroError } from "../../core/errors.ts";
import { KeyRingText, keyRingBy } from "../../core/key-ring.ts";
import type { Randomness } from "../../ports/clock.ts";
import type { KeyRing } from "../../ports/key-ring.ts";
import { createPrivate, type PrivateFile, parsePrivate, readPrivate } from "./private-file.ts";

const kekBytes = 32;

/** `create` only for a store that is empty; a file that is there is never changed. */
export async function openKeyRing(options: {
  readonly path: string;
  readonly create: boolean;
  readonly random: Randomness;
}): Promise<KeyRing> {
  const file = { path: options.path, name: "the key ring" };
  if (options.create) await createPrivate(file, newRing(options.random), options.random);
  return keyRingBy(() => read(file));
}

async function read(ring: PrivateFile) {
  const text = await readPrivate(ring);
  if (text === undefined)
    throw new LastroError(
      "KEY_MISSING",
      `there is no key ring at ${ring.path}, and keys are made only for an empty store; restore the file from its backup`,
    );
  return parsePrivate(ring, text, KeyRingText);
}

function newRing(random: Randomness): string {
  const ring = { v: 1, current: 1, keks: { "1": Buffer.from(random(kekBytes)).toString("base64url") } };
  return `${JSON.stringify(ring, null, 2)}\n`;
}
