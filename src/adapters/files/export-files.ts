/** Exports as folders of files that only the service's user can read. */
import { constants } from "node:fs";
import { access, mkdir, open, readFile, rename, rm } from "node:fs/promises";
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

/** A folder for each, in `folder`. */
export function exportFiles(folder: string): ExportFiles {
  const placeOf = (name: string): string => join(folder, name);
  return {
    create: (name) =>
      guarded("an export cannot be begun", async () => {
        await mkdir(placeOf(name), { recursive: true, mode: 0o700 });
      }),
    has: (name) =>
      access(placeOf(name)).then(
        () => true,
        () => false,
      ),
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
      guarded("a part of an export cannot be read", async () => {
        try {
          return await readFile(join(placeOf(name), part));
        } catch (error) {
          if (codeOf(error) === "ENOENT") return undefined;
          throw error;
        }
      }),
    remove: (name) =>
      guarded("an export cannot be removed", () => rm(placeOf(name), { recursive: true, force: true })),
  };
}
