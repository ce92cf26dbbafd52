/** Exports as folders of files that only the service's user can read. */
import { constants } from "node:fs";
import { lstat, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { LastroError } from "../../core/errors.ts";
import type { Randomness } from "../../ports/clock.ts";
import type { ExportFiles } from "../../ports/export-files.ts";

const codeOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "code" in error ? String(error.code) : "unknown error";

async function guarded<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const why = `${doing}: ${codeOf(cause)}; check space and permissions of the folder of exports`;
    throw new LastroError("STORE_UNAVAILABLE", why, { cause });
  }
}

/** Undefined where there is nothing of that name. */
async function unlessAbsent<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function write(path: string, bytes: Uint8Array): Promise<void> {
  await using file = await open(path, "wx", 0o600);
  await file.writeFile(bytes);
  await file.sync();
}

/** A folder for each, in `folder`, which other processes may have as well: none writes into a file of another. */
export function exportFiles(folder: string, random: Randomness): ExportFiles {
  const placeOf = (name: string): string => join(folder, name);
  return {
    create: (name) =>
      guarded("an export cannot be begun", async () => {
        await mkdir(placeOf(name), { recursive: true, mode: 0o700 });
      }),
    list: () =>
      guarded("exports cannot be listed", async () => {
        const names = (await unlessAbsent(readdir(folder))) ?? [];
        const found = names.map(async (name) => ({ name, at: await unlessAbsent(lstat(placeOf(name))) }));
        return (await Promise.all(found)).flatMap(({ name, at }) =>
          at === undefined ? [] : [{ name, changedAtMs: at.mtimeMs }],
        );
      }),
    put: (name, part, bytes) =>
      guarded("a part of an export cannot be written", async () => {
        const path = join(placeOf(name), part);
        const aside = `${path}.${Buffer.from(random(8)).toString("hex")}.new`;
        try {
          await write(aside, bytes);
          await rename(aside, path);
        } catch (error) {
          await rm(aside, { force: true }).catch(() => undefined);
          throw error;
        }
        await using directory = await open(placeOf(name), constants.O_RDONLY);
        await directory.sync();
      }),
    part: (name, part) =>
      guarded("a part of an export cannot be read", () => unlessAbsent(readFile(join(placeOf(name), part)))),
    tidy: (name, isKept) =>
      guarded("an export cannot be tidied", async () => {
        const parts = (await unlessAbsent(readdir(placeOf(name)))) ?? [];
        const spare = parts.filter((part) => !isKept(part));
        await Promise.all(spare.map((part) => rm(join(placeOf(name), part), { force: true })));
      }),
    remove: (name) =>
      guarded("an export cannot be removed", () => rm(placeOf(name), { recursive: true, force: true })),
  };
}
