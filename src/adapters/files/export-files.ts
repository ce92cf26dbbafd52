/** Exports as folders of files that only the service's user can read. */
import { constants } from "node:fs";
import { lstat, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { LastroError } from "../../core/errors.ts";
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

/** A folder for each, in `folder`. */
export function exportFiles(folder: string): ExportFiles {
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
        {
          await using file = await open(`${path}.new`, "w", 0o600);
          await file.writeFile(bytes);
          await file.sync();
        }
        await rename(`${path}.new`, path);
        await using directory = await open(placeOf(name), constants.O_RDONLY);
        await directory.sync();
      }),
    part: (name, part) =>
      guarded("a part of an export cannot be read", () => unlessAbsent(readFile(join(placeOf(name), part)))),
    remove: (name) =>
      guarded("an export cannot be removed", () => rm(placeOf(name), { recursive: true, force: true })),
  };
}
