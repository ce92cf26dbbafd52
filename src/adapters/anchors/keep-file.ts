/** Files that are put once and stay: whole or not at all, and what lies there already is never replaced. What this writes survives loss of power. */
import { constants } from "node:fs";
import { link, mkdir, open, readFile, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import type { Randomness } from "../../ports/clock.ts";

/** Resolves with what lies at the path now: these bytes, or those that were there before. Rejects as the file system does; it must know hard links. */
export async function keepFile(path: string, bytes: Uint8Array, random: Randomness): Promise<Uint8Array> {
  await mkdir(dirname(path), { recursive: true });
  const aside = `${path}.${Buffer.from(random(8)).toString("hex")}.new`;
  try {
    await using draft = await open(aside, "wx", 0o444);
    await draft.writeFile(bytes);
    await draft.sync();
    await link(aside, path);
  } catch (error) {
    if (!isThere(error)) throw error;
    return await readFile(path);
  } finally {
    await unlink(aside).catch(() => undefined);
  }
  await using folder = await open(dirname(path), constants.O_RDONLY);
  await folder.sync();
  return bytes;
}

const isThere = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "code" in error && error.code === "EEXIST";
