/** Key ring in a file that only the service's user can read. Whoever has it and the store can read everything: back it up apart from the data. */
import { constants } from "node:fs";
import { type FileHandle, link, mkdir, open, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { LastroError } from "../../core/errors.ts";
import type { Randomness } from "../../ports/clock.ts";
import type { Kek, KeyRing } from "../../ports/key-ring.ts";

const kekBytes = 32;
const fileBytesMax = 65_536;

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
  const { path } = options;
  if (options.create) await createFile(path, options.random);
  let snapshot = await read(path);
  return {
    current: () => snapshot.current,
    all: () => snapshot.all,
    async refresh() {
      try {
        snapshot = await read(path);
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : "it cannot be read";
        throw new LastroError("KEY_UNAVAILABLE", `the key ring was not read anew: ${why}`, { cause });
      }
    },
  };
}

async function read(path: string): Promise<Snapshot> {
  const text = await readPrivate(path);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // The cause would quote the file.
    throw invalid(path, "it is not JSON");
  }
  const file = KeyRingFile.safeParse(json);
  if (!file.success) {
    const issue = file.error.issues[0];
    throw invalid(path, `${issue?.path.join(".") || "the file"}: ${issue?.message ?? "is invalid"}`);
  }
  const all = Object.entries(file.data.keks)
    .map(([epoch, key]): Kek => ({ epoch: Number(epoch), key: Buffer.from(key, "base64url") }))
    .toSorted((a, b) => a.epoch - b.epoch);
  const current = all.find(({ epoch }) => epoch === file.data.current);
  if (current === undefined) throw invalid(path, "`current` names no key in `keks`");
  return { current, all };
}

async function readPrivate(path: string): Promise<string> {
  await using file = await openExisting(path);
  const { mode, size } = await file.stat();
  if ((mode & 0o077) !== 0) throw invalid(path, `others may read it; run: chmod 600 ${path}`);
  if (size > fileBytesMax) throw invalid(path, `it is larger than ${fileBytesMax} bytes`);
  return await file.readFile("utf8");
}

async function openExisting(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY);
  } catch (cause) {
    const missing = codeOf(cause) === "ENOENT";
    throw new LastroError(
      "KEY_MISSING",
      missing
        ? `there is no key ring at ${path}, and keys are made only for an empty store; restore the file from its backup`
        : `the key ring ${path} cannot be opened (${codeOf(cause)}); let the service's user read it`,
      { cause },
    );
  }
}

/** Whole or not at all, and only where nothing is: the file is written aside, then linked to its name. */
async function createFile(path: string, random: Randomness): Promise<void> {
  const aside = `${path}.${Buffer.from(random(8)).toString("hex")}.new`;
  const ring = { v: 1, current: 1, keks: { "1": Buffer.from(random(kekBytes)).toString("base64url") } };
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    {
      await using file = await open(aside, "wx", 0o600);
      await file.writeFile(`${JSON.stringify(ring, null, 2)}\n`);
      await file.sync();
    }
    try {
      await link(aside, path);
    } catch (error) {
      // Somebody else made it: theirs is used.
      if (codeOf(error) !== "EEXIST") throw error;
    } finally {
      await unlink(aside);
    }
    await using directory = await open(dirname(path), constants.O_RDONLY);
    await directory.sync();
  } catch (cause) {
    const message = `the key ring ${path} cannot be made (${codeOf(cause)}); give the service a folder it may write`;
    throw new LastroError("KEY_MISSING", message, { cause });
  }
}

const codeOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "code" in error ? String(error.code) : "unknown error";

const invalid = (path: string, why: string): LastroError =>
  new LastroError("CONFIG_INVALID", `the key ring ${path} cannot be used: ${why}`);
