/** The log's thread with a store file of its own: real threads, real keys. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, constants, mkdirSync, openSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { openKeyRing } from "../src/adapters/files/key-ring.ts";
import { openSqliteStore } from "../src/adapters/sqlite/open.ts";
import { type Config, parseConfig } from "../src/config.ts";
import { anchoredFile } from "../src/core/anchored-files.ts";
import { openCheckpoint } from "../src/core/trust.ts";
import { endOfThread } from "../src/lib/end-of-thread.ts";
import type { LogThreadData } from "../src/log-thread.ts";
import type { ClientTlsSource } from "../src/ports/client-tls.ts";
import { logPoints } from "../src/ports/observer.ts";
import type { Store } from "../src/ports/store.ts";
import { openStoreKeys } from "../src/privacy/store-keys.ts";
import { type LogThread, type LogThreadOptions, startLogThread } from "../src/run-log-thread.ts";
import { checkLogged } from "./support/log-checker.ts";
import { accountFor } from "./support/log-world.ts";
import { makeScene } from "./support/records.ts";
import { temporaryFolder } from "./support/sqlite.ts";
import { until } from "./support/until.ts";

const never = new AbortController().signal;
let folder: ReturnType<typeof temporaryFolder>;
let store: Store;
let stop: AbortController;

beforeEach(async () => {
  folder = temporaryFolder();
  store = await openSqliteStore({ path: join(folder.path, "lastro.db") });
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await store[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

function configured(searchIndex: "on" | "off" = "off", more: Readonly<Record<string, string>> = {}): Config {
  const env = {
    LASTRO_DATA_DIR: folder.path,
    LASTRO_LOG_INTERVAL_MS: "10",
    LASTRO_SEARCH_INDEX: searchIndex,
    ...more,
  };
  const parsed = parseConfig(env, () => "");
  if (!parsed.ok) throw new Error(parsed.errors.join("\n"));
  return parsed.config;
}

const program = new URL("../src/log-thread.ts", import.meta.url);
const startProgram = (data: LogThreadData): Worker => new Worker(program, { workerData: data, env: {} });

const noTls: ClientTlsSource = { tls: {}, onChange: () => undefined };

type Started = { readonly thread: LogThread; readonly heard: string[]; readonly workers: Worker[] };

async function start(over: Partial<LogThreadOptions> = {}): Promise<Started> {
  const heard: string[] = [];
  const workers: Worker[] = [];
  const hear = (what: string): void => void heard.push(what);
  const thread = await startLogThread(
    {
      data: { config: configured(), holder: "test", tellsPoints: false },
      upstream: noTls,
      observer: {
        logPass: () => hear("logPass"),
        logStandby: () => hear("logStandby"),
        logHalted: () => hear("logHalted"),
        witnessesAsked: () => hear("witnessesAsked"),
        anchorsAsked: () => hear("anchorsAsked"),
        indexPass: () => undefined,
        reached: hear,
      },
      lines: { info: hear, warn: hear, error: hear },
      onStuck: () => hear("stuck"),
      random: (bytes) => randomBytes(bytes),
      startThread(data) {
        const worker = startProgram(data);
        workers.push(worker);
        return worker;
      },
      ...over,
    },
    stop.signal,
  );
  return { thread, heard, workers };
}

const hasLogged =
  ({ thread }: Started, size: number) =>
  () => {
    const state = thread.state();
    return state.kind === "sequencing" && state.size >= size;
  };

test("the thread logs what another connection to the file stored, and tells of it", async () => {
  const started = await start();
  await accountFor(store, makeScene(), "sss");
  await until("logged", hasLogged(started, 5));
  await checkLogged(store);
  expect(started.heard).toContain("log_runs");
  expect(started.heard).toContain("logPass");
});

test("the search index follows the log in its thread, from when the keys are there", async () => {
  const passes: { readonly size: number; readonly lag: number }[] = [];
  const heard: string[] = [];
  const hear = (what: string): void => void heard.push(what);
  const config = configured("on");
  const random = (bytes: number) => randomBytes(bytes);
  const ring = await openKeyRing({ path: config.keys.ringFile, create: true, random });
  await openStoreKeys({ state: store.state, ring, random, now: Date.now }, never);
  const away = join(folder.path, "away.json");
  renameSync(config.keys.ringFile, away);
  await startLogThread(
    {
      data: { config, holder: "test", tellsPoints: false },
      upstream: noTls,
      observer: {
        logPass: () => undefined,
        logStandby: () => undefined,
        logHalted: () => undefined,
        witnessesAsked: () => undefined,
        anchorsAsked: () => undefined,
        indexPass: (report) => void passes.push(report),
        reached: () => undefined,
      },
      lines: { info: hear, warn: hear, error: hear },
      random: (bytes) => randomBytes(bytes),
    },
    stop.signal,
  );
  await until("waiting for keys", () => heard.includes("search_index_waits"));
  renameSync(away, config.keys.ringFile);
  await accountFor(store, makeScene(), "sss");
  await until("indexed", () => passes.some(({ size, lag }) => size >= 5 && lag === 0));
  const found = await store.history.search(
    {
      filter: { kind: "compare", field: "text", operator: "has", value: "updated" },
      order: { field: "recorded_at", direction: "asc" },
      after: undefined,
      limit: 10,
      scanMax: 10,
    },
    never,
  );
  expect(found.rows).toHaveLength(3);
});

test("a thread that is lost is started again and goes on", async () => {
  const started = await start();
  const scene = makeScene();
  await accountFor(store, scene, "sss");
  await until("logged", hasLogged(started, 5));
  await started.workers[0]?.terminate();
  await until("lost", () => started.heard.includes("log_thread_lost"));
  await accountFor(store, scene, "ss");
  await until("logged by the next", hasLogged(started, 8));
  expect(started.workers).toHaveLength(2);
  await checkLogged(store);
});

test("a thread that throws ends neither the service nor the log", async () => {
  const opensAndThrows = `
    require("node:worker_threads").parentPort.postMessage({ kind: "opened" });
    setTimeout(() => { throw new Error("boom"); }, 10);`;
  const workers: Worker[] = [];
  const started = await start({
    startThread(data) {
      const worker = workers.length === 0 ? new Worker(opensAndThrows, { eval: true }) : startProgram(data);
      workers.push(worker);
      return worker;
    },
  });
  await until("it goes on in the next thread", hasLogged(started, 1));
  expect(started.heard).toContain("log_thread_lost");
  expect(workers).toHaveLength(2);
});

test("the start fails when the thread throws before it has opened what it needs", async () => {
  const startThread = () => new Worker(`throw new Error("boom")`, { eval: true });
  await expect(start({ startThread })).rejects.toMatchObject({ code: "INTERNAL" });
});

test("the start fails with what the thread refuses to start for", async () => {
  writeFileSync(join(folder.path, "file"), "");
  const config = configured();
  const transparency = { ...config.transparency, keyFile: join(folder.path, "file", "key.json") };
  await expect(
    start({
      data: { config: { ...config, transparency }, holder: "test", tellsPoints: false },
    }),
  ).rejects.toMatchObject({
    code: "KEY_MISSING",
  });
});

test("told to end, it gives its lease back and is gone", async () => {
  const started = await start();
  await until("it runs", hasLogged(started, 1));
  stop.abort();
  await started.thread.ended;
  expect(started.workers[0]?.threadId).toBe(-1);
  expect(await store.log.lease("another", Date.now(), Date.now() + 1_000, never)).toBe(true);
  expect(started.heard).not.toContain("log_thread_lost");
});

test("an anchor whose file system does not answer is told to be away, and keeps nobody waiting who ends the thread", async () => {
  const first = await start();
  await until("it has published", hasLogged(first, 1));
  stop.abort();
  await first.thread.ended;
  expect(first.heard).not.toContain("stuck");
  const note = openCheckpoint((await store.log.checkpoint("latest", never))?.note ?? "");
  if (note === undefined) throw new Error("nothing is published");
  const anchors = join(folder.path, "anchors");
  const path = join(anchors, anchoredFile(note.checkpoint.origin, note.checkpoint.size));
  mkdirSync(dirname(path), { recursive: true });
  // Whoever opens it to read waits in the kernel until somebody writes.
  execFileSync("mkfifo", [path]);
  stop = new AbortController();
  const config = configured("off", { LASTRO_ANCHOR_FOLDER: anchors, LASTRO_ANCHOR_TIMEOUT_MS: "1000" });
  const started = await start({ data: { config, holder: "test", tellsPoints: false } });
  const gone = started.workers.map(endOfThread);
  try {
    await until("it is away", () => started.heard.includes("anchor_away"));
    expect(started.thread.missing().anchors).toEqual(["folder"]);
    stop.abort();
    await started.thread.ended;
    expect(started.heard).toEqual(expect.arrayContaining(["log_thread_stuck", "stuck"]));
    expect(await store.log.lease("another", Date.now(), Date.now() + 1_000, never)).toBe(true);
  } finally {
    closeSync(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK));
    await Promise.all(gone);
  }
});

test("witnesses and anchors that were missing are told no more once another instance extends the log", async () => {
  const asksThenStandsBy = `
    const { parentPort } = require("node:worker_threads");
    const say = (...call) => parentPort.postMessage({ kind: "observed", call });
    parentPort.postMessage({ kind: "opened" });
    say("witnessesAsked", [{ hasCosigned: new Map([["w.test", false], ["x.test", true]]) }]);
    say("anchorsAsked", [{ size: 1, hasKept: new Map([["folder", false]]) }]);
    parentPort.on("message", (told) => {
      if (told === "end") parentPort.close();
      else say("logStandby", [1]);
    });`;
  const worker = new Worker(asksThenStandsBy, { eval: true });
  const { thread, heard } = await start({ startThread: () => worker });
  await until("both are missing", () => heard.includes("anchorsAsked"));
  expect(thread.missing()).toEqual({ witnesses: ["w.test"], anchors: ["folder"] });
  worker.postMessage("stand by");
  await until("it stands by", () => heard.includes("logStandby"));
  expect(thread.missing()).toEqual({ witnesses: [], anchors: [] });
});

test("one that halted is not started again", async () => {
  const started = await start();
  await accountFor(store, makeScene(), "sss");
  await until("logged", hasLogged(started, 5));
  const head = await store.log.head(never);
  const forged = { size: 5, root: new Uint8Array(32) };
  expect(await store.log.moveHead(head, forged, never)).toBe(true);
  await started.thread.ended;
  expect(started.thread.state()).toMatchObject({ kind: "halted", halt: { reason: "ROOT_MISMATCH" } });
  expect(started.workers).toHaveLength(1);
});

test("at each step it waits until the service has heard of it", async () => {
  const seen: string[] = [];
  const started = await start({
    data: { config: configured(), holder: "test", tellsPoints: true },
    observer: {
      logPass: () => undefined,
      logStandby: () => undefined,
      logHalted: () => undefined,
      witnessesAsked: () => undefined,
      anchorsAsked: () => undefined,
      indexPass: () => undefined,
      reached: (point) => void seen.push(point),
    },
  });
  await until("a whole pass", hasLogged(started, 1));
  expect(seen.filter((point, at) => seen.indexOf(point) === at)).toEqual([...logPoints]);
});

/** Tells the root it begins with, and each that it is told. */
const teller = `
  const { parentPort, workerData } = require("node:worker_threads");
  const tell = ({ ca }) => parentPort.postMessage({ kind: "line", call: ["info", [ca[0], ""]] });
  tell(workerData.tls);
  parentPort.on("message", (told) => told === "end" ? parentPort.close() : tell(told.tls));
  parentPort.postMessage({ kind: "opened" });
`;

test("certificates that are renewed reach the thread that runs, and each that takes its place", async () => {
  const listeners: (() => void)[] = [];
  const ca: [string] = ["first"];
  const renew = (next: string): void => {
    ca[0] = next;
    for (const listener of listeners) listener();
  };
  const workers: Worker[] = [];
  const started = await start({
    upstream: { tls: { ca }, onChange: (listener) => void listeners.push(listener) },
    startThread(data) {
      const worker = new Worker(teller, { eval: true, workerData: data });
      workers.push(worker);
      return worker;
    },
  });
  const told = (): readonly string[] => started.heard.filter((line) => line !== "log_thread_lost");
  renew("second");
  await until("the thread was told", () => told().length === 2);
  await workers[0]?.terminate();
  await until("the next one began", () => told().length === 3);
  renew("third");
  await until("it was told", () => told().length === 4);
  expect(told()).toEqual(["first", "second", "second", "third"]);
});
