/** Two processes on one store and one folder of exports: one that shares it, or one that ends as the next begins. */
import { randomBytes } from "node:crypto";
import { readdirSync, renameSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { exportFiles } from "../../../src/adapters/files/export-files.ts";
import { anyone } from "../../../src/core/caller.ts";
import { LastroError } from "../../../src/core/errors.ts";
import { type Exports, type ExportsDeps, openExports } from "../../../src/query/exports.ts";
import { type ExportWorld, event, events, limits, openExportWorld } from "../../support/export-world.ts";
import { until } from "../../support/until.ts";

const { signal } = new AbortController();
const request = { filter: "", format: "json", treeSize: undefined } as const;
const line = (): void => {};

let x: ExportWorld;
let alive: AbortController[];
beforeEach(async () => {
  alive = [];
  x = await openExportWorld();
  await x.stop();
});
afterEach(async () => {
  for (const one of alive) one.abort(new Error("the test ends"));
  await x[Symbol.asyncDispose]();
});

function begin(over: Partial<ExportsDeps> = {}): Exports & { end(): void } {
  const mine = new AbortController();
  alive.push(mine);
  const files = exportFiles(x.path, randomBytes);
  const log = { info: line, warn: line, error: line };
  const exports = openExports(
    { query: x.deps, state: x.store.state, files, limits, log, ...over },
    mine.signal,
  );
  return { ...exports, end: () => mine.abort(new Error("it dies")) };
}

/** Files into which parts are put once they are let through. */
function held() {
  const [arrived, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const real = exportFiles(x.path, randomBytes);
  const files = {
    ...real,
    async put(...args: Parameters<typeof real.put>) {
      arrived.resolve();
      await released.promise;
      return real.put(...args);
    },
  };
  return { files, arrived: arrived.promise, release: released.resolve };
}

async function ended(exports: Exports, name: string): Promise<string> {
  const state = async () => (await exports.get(name, anyone, signal)).job.state;
  while ((await state()) === "running") await new Promise((resolve) => setTimeout(resolve, 10));
  return await state();
}

async function read(exports: Exports, name: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const { data } of exports.read(name, 0, anyone, signal)) chunks.push(data);
  return Buffer.concat(chunks).toString();
}

async function exported(exports: Exports): Promise<string> {
  const { name } = await exports.start(request, anyone, signal);
  expect(await ended(exports, name)).toBe("done");
  return read(exports, name);
}
const filesOf = (name: string): readonly string[] => readdirSync(join(x.path, name)).toSorted();

test("two processes that run the same export leave it whole, though an owner was erased before the later one read, and no part but those that it names", async () => {
  await x.log(...events(5));
  const [slow, second] = [held(), held()];
  const whole = await exported(begin());
  const own = begin({ files: slow.files });
  const { name } = await own.start(request, anyone, signal);
  await slow.arrived;
  const lost = Promise.withResolvers<void>();
  const other = begin({
    files: second.files,
    query: x.withoutKeys("s"),
    state: {
      ...x.store.state,
      async putJob(...args) {
        const isPut = await x.store.state.putJob(...args);
        if (!isPut) lost.resolve();
        return isPut;
      },
    },
  });
  await second.arrived;
  slow.release();
  expect(await ended(own, name)).toBe("done");
  second.release();
  await lost.promise;
  for (const one of [own, other]) expect((await read(one, name)) === whole).toBe(true);
  const { parts } = (await own.get(name, anyone, signal)).job;
  await until("its manifest is there alone with its parts", () => filesOf(name).length === parts.length + 1);
  expect(filesOf(name)).toEqual(["manifest.json", ...parts.map((part) => part.name)]);
});

test("one that another process runs is left to it, until nothing was put into it for a minute", async () => {
  await x.log(...events(5));
  let [begun, looks] = [0, 0];
  let lookAgain = (): void => {};
  const other = held();
  begin({
    files: other.files,
    query: {
      ...x.deps,
      // The first thing that a run asks.
      get guard() {
        begun += 1;
        return x.deps.guard;
      },
    },
    wait: () => {
      looks += 1;
      return new Promise((resolve) => {
        lookAgain = resolve;
      });
    },
  });
  await until("it has looked", () => looks === 1);
  const slow = held();
  const { name } = await begin({ files: slow.files }).start(request, anyone, signal);
  await slow.arrived;
  const lookAfter = async (quietMs: number): Promise<number> => {
    const [at, before] = [(x.deps.now() - quietMs) / 1000, looks];
    utimesSync(join(x.path, name), at, at);
    lookAgain();
    await until("it has looked", () => looks > before);
    return begun;
  };
  expect(await lookAfter(59_000)).toBe(0);
  expect(await lookAfter(61_000)).toBeGreaterThan(0);
  await other.arrived;
  for (const one of [slow, other]) one.release();
});

test("one of a release that named parts by their number alone goes on, and is read to the byte", async () => {
  const large = "x".repeat(250_000);
  await x.log(...Array.from({ length: 40 }, (_, n) => event(n, { payload: { public_id: "a", n, large } })));
  const real = exportFiles(x.path, randomBytes);
  const whole = await exported(begin());
  const died = Promise.withResolvers<void>();
  const dying = begin({
    files: {
      ...real,
      async put(name, part, bytes) {
        if (part.startsWith("part-00001")) return real.put(name, part, bytes);
        dying.end();
        died.resolve();
        throw new LastroError("STORE_UNAVAILABLE", "it is gone");
      },
    },
  });
  const { name } = await dying.start(request, anyone, signal);
  await died.promise;
  const stored = await x.store.state.job(name, signal);
  const job = JSON.parse(stored?.text ?? "");
  const [part] = job.parts;
  renameSync(join(x.path, name, part.name), join(x.path, name, "part-00001.json"));
  const older = { ...job, parts: [{ ...part, name: "part-00001.json" }] };
  await x.store.state.putJob(name, JSON.stringify(older), stored?.revision, signal);
  const next = begin();
  expect(await ended(next, name)).toBe("done");
  expect((await read(next, name)) === whole).toBe(true);
  await until("its manifest is there", () => filesOf(name).includes("manifest.json"));
  expect(filesOf(name)).toContain("part-00001.json");
});
