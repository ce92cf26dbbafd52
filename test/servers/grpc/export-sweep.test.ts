/** Files of exports that another process ended: two processes on one store, each with a folder of its own. */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { exportFiles } from "../../../src/adapters/files/export-files.ts";
import { anyone } from "../../../src/core/caller.ts";
import { LastroError } from "../../../src/core/errors.ts";
import { sleep } from "../../../src/lib/backoff.ts";
import { type Exports, type ExportsDeps, openExports } from "../../../src/query/exports.ts";
import { type ExportWorld, events, limits, openExportWorld } from "../../support/export-world.ts";
import { temporaryFolder } from "../../support/sqlite.ts";
import { until } from "../../support/until.ts";

const { signal } = new AbortController();
const request = { filter: "", format: "ndjson", treeSize: undefined } as const;
const minute = 60_000;
const nameOf = (digit: string): string => `export-${digit.repeat(32)}`;

let x: ExportWorld;
let away: ReturnType<typeof temporaryFolder>;
let alive: AbortController[];
beforeEach(async () => {
  x = await openExportWorld();
  away = temporaryFolder();
  alive = [];
  await x.log(...events(5));
  await x.stop();
});
afterEach(async () => {
  for (const one of alive) one.abort(new Error("the test ends"));
  away[Symbol.dispose]();
  await x[Symbol.asyncDispose]();
});

type Process = Exports & { end(): void; readonly lines: readonly string[] };

function begin(path: string, over: Partial<ExportsDeps> = {}): Process {
  const [mine, lines]: [AbortController, string[]] = [new AbortController(), []];
  const line = (code: string): void => void lines.push(code);
  alive.push(mine);
  const deps = {
    query: x.deps,
    state: x.store.state,
    files: exportFiles(path, randomBytes),
    limits,
    log: { info: line, warn: line, error: line },
    ...over,
  };
  return { ...openExports(deps, mine.signal), lines, end: () => mine.abort(new Error("it dies")) };
}

/** On the folder of the test. */
async function done(exports: Exports): Promise<string> {
  const { name } = await exports.start(request, anyone, signal);
  await ended(exports, name);
  await until("its manifest, the last file, is there", () => existsSync(join(x.path, name, "manifest.json")));
  return name;
}
async function ended(exports: Exports, name: string): Promise<void> {
  for (;;) {
    const { state } = (await exports.get(name, anyone, signal)).job;
    if (state !== "running") return expect(state).toBe("done");
    await sleep(10, signal);
  }
}

/** As if nothing had been put into it for so long. */
function age(name: string, forMs: number): void {
  const at = (x.deps.now() - forMs) / 1000;
  utimesSync(join(x.path, name), at, at);
}
/** One that runs, of a process that has died. */
async function interrupted(): Promise<string> {
  const died = Promise.withResolvers<void>();
  const dying = begin(x.path, {
    files: {
      ...exportFiles(x.path, randomBytes),
      async put() {
        dying.end();
        died.resolve();
        throw new LastroError("STORE_UNAVAILABLE", "it is gone");
      },
    },
  });
  const { name } = await dying.start(request, anyone, signal);
  await died.promise;
  return name;
}
const swept = ({ lines }: Process): Promise<void> =>
  until("files were removed", () => lines.includes("export_files_removed"));

test("an export that was deleted through another process leaves no files once its own looks; what is done stays", async () => {
  const own = begin(x.path);
  const [deleted, kept] = [await done(own), await done(own)];
  own.end();
  await begin(away.path).remove(deleted, anyone, signal);
  for (const name of [deleted, kept]) {
    expect(existsSync(join(x.path, name))).toBe(true);
    age(name, 16 * minute);
  }
  await swept(begin(x.path));
  expect(readdirSync(x.path)).toEqual([kept]);
});

test("one that another process saw expire leaves none", async () => {
  const own = begin(x.path);
  const name = await done(own);
  own.end();
  age(name, 16 * minute);
  const forgotten = Promise.withResolvers<void>();
  const later = x.deps.now() + limits.keptMs;
  begin(away.path, {
    query: { ...x.deps, now: () => later },
    state: {
      ...x.store.state,
      async removeJob(...args) {
        await x.store.state.removeJob(...args);
        forgotten.resolve();
      },
    },
  });
  await forgotten.promise;
  expect(readdirSync(x.path)).toEqual([name]);
  await swept(begin(x.path));
  expect(readdirSync(x.path)).toEqual([]);
});

test("one that was cancelled through another process leaves none, and neither does one that failed as its process died", async () => {
  const [cancelled, failed, running] = [await interrupted(), await interrupted(), await interrupted()];
  await begin(away.path).cancel(cancelled, anyone, signal);
  const stored = await x.store.state.job(failed, signal);
  if (stored === undefined) throw new Error("no export is kept");
  const text = JSON.stringify({ ...JSON.parse(stored.text), state: "failed", endedAtMs: x.deps.now() });
  await x.store.state.putJob(failed, text, stored.revision, signal);
  expect(readdirSync(x.path).toSorted()).toEqual([cancelled, failed, running].toSorted());
  age(running, 16 * minute);
  const own = begin(x.path);
  await swept(own);
  await ended(own, running);
  expect(readdirSync(x.path)).toEqual([running]);
});

test("a folder without an export stays while one may be about to begin in it, and so does what is no export", async () => {
  for (const name of [nameOf("a"), nameOf("b"), "export-notes"]) mkdirSync(join(x.path, name));
  age(nameOf("a"), 16 * minute);
  age(nameOf("b"), 14 * minute);
  age("export-notes", 16 * minute);
  await swept(begin(x.path));
  expect(readdirSync(x.path).toSorted()).toEqual([nameOf("b"), "export-notes"].toSorted());
});

test("one that begins here while the folder is looked through stays, however old its folder looks", async () => {
  const real = exportFiles(x.path, randomBytes);
  await real.create(nameOf("a"));
  const created = Promise.withResolvers<void>();
  const own: Process = begin(x.path, {
    files: {
      ...real,
      async create(name) {
        await real.create(name);
        created.resolve();
      },
      async list() {
        await created.promise;
        return (await real.list()).map((one) => ({ ...one, changedAtMs: 0 }));
      },
    },
    state: {
      ...x.store.state,
      async putJob(...args) {
        await swept(own);
        return x.store.state.putJob(...args);
      },
    },
  });
  const { name } = await own.start(request, anyone, signal);
  await ended(own, name);
  expect(readdirSync(x.path)).toEqual([name]);
});

test("a folder that cannot be removed keeps no other from it, and the log tells", async () => {
  const real = exportFiles(x.path, randomBytes);
  for (const digit of ["a", "b"]) {
    await real.create(nameOf(digit));
    age(nameOf(digit), 16 * minute);
  }
  const { lines } = begin(x.path, {
    files: {
      ...real,
      async remove(name) {
        if (name === nameOf("a")) throw new LastroError("STORE_UNAVAILABLE", "it is held");
        await real.remove(name);
      },
    },
  });
  await until("the log tells", () => lines.includes("exports_not_kept_up"));
  expect(readdirSync(x.path)).toEqual([nameOf("a")]);
});
