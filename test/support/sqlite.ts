/** SQLite stores on files of their own that vanish with the store. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteStore } from "../../src/adapters/sqlite/open.ts";
import type { Store } from "../../src/ports/store.ts";

/** A folder for one test. */
export function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "lastro-sqlite-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export async function openSqliteFile(): Promise<Store> {
  const folder = temporaryFolder();
  const store = await openSqliteStore({ path: join(folder.path, "lastro.db") });
  return {
    ...store,
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}
