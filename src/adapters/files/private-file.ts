/** Files that only the service's user can read: read whole, made where nothing is, replaced at once. What this writes survives loss of power. */
import { constants } from "node:fs";
import { type FileHandle, link, mkdir, open, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import type { z } from "zod";
import { LastroError } from "../../core/errors.ts";
import type { Randomness } from "../../ports/clock.ts";

const fileBytesMax = 65_536;

export type PrivateFile = {
  readonly path: string;
  /** For messages: `the key ring`. */
  readonly name: string;
};

const codeOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "code" in error ? String(error.code) : "unknown error";

export const unusable = ({ name, path }: PrivateFile, why: string): LastroError =>
  new LastroError("CONFIG_INVALID", `${name} ${path} cannot be used: ${why}`);

/** Its text; undefined where no file is. Throws CONFIG_INVALID for one that others may read, KEY_MISSING for one that cannot be opened. */
export async function readPrivate(file: PrivateFile): Promise<string | undefined> {
  const handle = await openExisting(file);
  if (handle === undefined) return undefined;
  await using opened = handle;
  const { mode, size } = await opened.stat();
  if ((mode & 0o077) !== 0) throw unusable(file, `others may read it; run: chmod 600 ${file.path}`);
  if (size > fileBytesMax) throw unusable(file, `it is larger than ${fileBytesMax} bytes`);
  return await opened.readFile("utf8");
}

async function openExisting({ name, path }: PrivateFile): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY);
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined;
    const message = `${name} ${path} cannot be opened (${codeOf(cause)}); let the service's user read it`;
    throw new LastroError("KEY_MISSING", message, { cause });
  }
}

/** What the schema makes of it. No message quotes the file. */
export function parsePrivate<T>(file: PrivateFile, text: string, schema: z.ZodType<T>): T {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw unusable(file, "it is not JSON");
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw unusable(file, `${issue?.path.join(".") || "the file"}: ${issue?.message ?? "is invalid"}`);
}

/** Whole or not at all, and only where nothing is: somebody else's file stays. */
export const createPrivate = (file: PrivateFile, text: string, random: Randomness): Promise<void> =>
  written(file, text, random, async (aside) => {
    try {
      await link(aside, file.path);
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
    } finally {
      await unlink(aside);
    }
  });

/** The old text or the new one, whatever happens meanwhile. */
export const replacePrivate = (file: PrivateFile, text: string, random: Randomness): Promise<void> =>
  written(file, text, random, (aside) => rename(aside, file.path));

async function written(
  { name, path }: PrivateFile,
  text: string,
  random: Randomness,
  put: (aside: string) => Promise<void>,
): Promise<void> {
  const aside = `${path}.${Buffer.from(random(8)).toString("hex")}.new`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    {
      await using file = await open(aside, "wx", 0o600);
      await file.writeFile(text);
      await file.sync();
    }
    await put(aside);
    await using directory = await open(dirname(path), constants.O_RDONLY);
    await directory.sync();
  } catch (cause) {
    const message = `${name} ${path} cannot be written (${codeOf(cause)}); give the service a folder it may write`;
    throw new LastroError("KEY_MISSING", message, { cause });
  }
}
