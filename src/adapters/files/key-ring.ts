/** Key ring in a file that only the service's user can read. Whoever has it and the store can read everything: back it up apart from the data. */
import { z } from "zod";
import { LastroError } from "../../core/errors.ts";
import type { Randomness } from "../../ports/clock.ts";
import type { Kek, KeyRing } from "../../ports/key-ring.ts";
import { createPrivate, type PrivateFile, parsePrivate, readPrivate, unusable } from "./private-file.ts";

const kekBytes = 32;

const KeyRingFile = z
  .strictObject({
    v: z.literal(1),
    current: z.int().positive(),
    keks: z.record(z.string().regex(/^[1-9]\d{0,8}$/), z.base64url().length(43)),
  })
  .refine((file) => Object.hasOwn(file.keks, String(file.current)), "`current` names no key in `keks`");

type Snapshot = { readonly current: Kek; readonly all: readonly Kek[] };

/** `create` only for a store that is empty; a file that is there is never changed. */
export async function openKeyRing(options: {
  readonly path: string;
  readonly create: boolean;
  readonly random: Randomness;
}): Promise<KeyRing> {
  const file = { path: options.path, name: "the key ring" };
  if (options.create) await createPrivate(file, newRing(options.random), options.random);
  let snapshot = await read(file);
  return {
    current: () => snapshot.current,
    all: () => snapshot.all,
    async refresh() {
      try {
        snapshot = await read(file);
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : "it cannot be read";
        throw new LastroError("KEY_UNAVAILABLE", `the key ring was not read anew: ${why}`, { cause });
      }
    },
  };
}

async function read(ring: PrivateFile): Promise<Snapshot> {
  const text = await readPrivate(ring);
  if (text === undefined)
    throw new LastroError(
      "KEY_MISSING",
      `there is no key ring at ${ring.path}, and keys are made only for an empty store; restore the file from its backup`,
    );
  const { current: epoch, keks } = parsePrivate(ring, text, KeyRingFile);
  const all = Object.entries(keks)
    .map(([name, key]): Kek => ({ epoch: Number(name), key: Buffer.from(key, "base64url") }))
    .toSorted((a, b) => a.epoch - b.epoch);
  const current = all.find((kek) => kek.epoch === epoch);
  if (current === undefined) throw unusable(ring, "`current` names no key in `keks`");
  return { current, all };
}

function newRing(random: Randomness): string {
  const ring = { v: 1, current: 1, keks: { "1": Buffer.from(random(kekBytes)).toString("base64url") } };
  return `${JSON.stringify(ring, null, 2)}\n`;
}
