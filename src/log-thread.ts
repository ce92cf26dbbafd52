/**
 * The thread of the transparency log: it opens the store, the signing key and the ways to the witnesses for itself, and extends the log beside
 * intake. Nothing but messages passes between it and the service; whatever it was doing when it dies, the next one finishes.
 */
import { randomBytes } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import { folderAnchor } from "./adapters/anchors/folder.ts";
import { openCheckpointSigner } from "./adapters/files/checkpoint-signer.ts";
import { replaceClientTls } from "./adapters/files/client-tls.ts";
import type { LogFaces } from "./adapters/sqlite/open.ts";
import { httpWitness } from "./adapters/tlog-witness/witness.ts";
import { readCatalogue } from "./catalogue-file.ts";
import type { Config } from "./config.ts";
import { LastroError } from "./core/errors.ts";
import type { IndexPassDeps } from "./indexing/index-pass.ts";
import { runIndexing } from "./indexing/run-indexing.ts";
import { sleep } from "./lib/backoff.ts";
import { verifyEd25519 } from "./lib/ed25519.ts";
import { sha256 } from "./lib/sha256.ts";
import { openCosigner } from "./log/cosign.ts";
import { runAnchors } from "./log/run-anchors.ts";
import { type LogState, runLog } from "./log/run-log.ts";
import { runWitnesses, type WitnessRun } from "./log/run-witnesses.ts";
import { openRing } from "./open-ring.ts";
import { openLogStore } from "./open-store.ts";
import type { Anchor } from "./ports/anchor.ts";
import type { ClientTls } from "./ports/client-tls.ts";
import type { Clock, Randomness } from "./ports/clock.ts";
import type { Log } from "./ports/log.ts";
import type { LogStore } from "./ports/log-store.ts";
import type { LogPoint, Observer } from "./ports/observer.ts";
import { dataKeys } from "./privacy/data-keys.ts";
import { openStoreKeys } from "./privacy/store-keys.ts";

type Authority = NonNullable<Config["anchors"]["authority"]>;

/** What the thread is started with. */
export type LogThreadData = {
  readonly config: Pick<
    Config,
    "store" | "transparency" | "witnesses" | "anchors" | "searchIndex" | "keys" | "vault" | "catalogueFile"
  >;
  /** Whether it waits at each step until the service has heard of it. */
  readonly tellsPoints: boolean;
  /** Names this process in the log's lease: the next thread goes on at once. */
  readonly holder: string;
  /** For a store that is reached by TLS, as it is when the thread starts. */
  readonly tls: ClientTls;
};

export type LogObserver = Pick<
  Observer,
  "logPass" | "logStandby" | "logHalted" | "witnessesAsked" | "anchorsAsked" | "indexPass"
>;
type Calls<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => void ? readonly [K, A] : never;
}[keyof T];
export type ObservedCall = Calls<LogObserver>;

/** What the thread says. */
export type FromLogThread =
  | { readonly kind: "opened" }
  | { readonly kind: "refused"; readonly code: LastroError["code"]; readonly message: string }
  | { readonly kind: "state"; readonly state: LogState }
  | { readonly kind: "observed"; readonly call: ObservedCall }
  | { readonly kind: "line"; readonly call: Calls<Log> }
  | { readonly kind: "reached"; readonly point: LogPoint };
/** What it is told: to end, that the step was heard of, or what certificates take the place of those it has. */
export type ToLogThread = "end" | "heard" | { readonly tls: ClientTls };

/** The sequencer reads each row once, in order: a page cache would only be filled and emptied. */
const cacheBytes = 8 * 1024 * 1024;

/** For waiting: it does not jump with the machine's clock. */
const steadyNow: Clock = () => performance.now();

const { config, tellsPoints, holder, tls } = workerData as LogThreadData;
const say = (message: FromLogThread): void => parentPort?.postMessage(message);
const random: Randomness = (bytes) => randomBytes(bytes);
const end = new AbortController();
let heard: () => void = () => undefined;

parentPort?.on("message", (told: ToLogThread) => {
  if (typeof told === "object") {
    replaceClientTls(tls, told.tls);
    return;
  }
  if (told === "end") end.abort();
  heard();
});

const observer: LogObserver = {
  logPass: (...args) => say({ kind: "observed", call: ["logPass", args] }),
  logStandby: (...args) => say({ kind: "observed", call: ["logStandby", args] }),
  logHalted: (...args) => say({ kind: "observed", call: ["logHalted", args] }),
  witnessesAsked: (...args) => say({ kind: "observed", call: ["witnessesAsked", args] }),
  anchorsAsked: (...args) => say({ kind: "observed", call: ["anchorsAsked", args] }),
  indexPass: (...args) => say({ kind: "observed", call: ["indexPass", args] }),
};
const lines: Log = {
  info: (...args) => say({ kind: "line", call: ["info", args] }),
  warn: (...args) => say({ kind: "line", call: ["warn", args] }),
  error: (...args) => say({ kind: "line", call: ["error", args] }),
};

const reached = async (point: LogPoint): Promise<void> => {
  if (!tellsPoints) return;
  const answer = new Promise<void>((resolve) => {
    heard = resolve;
  });
  say({ kind: "reached", point });
  await answer;
};

const nobody: WitnessRun = { sizes: async () => [], forget: () => undefined, start: () => undefined };

function openWitnesses(log: LogStore): WitnessRun {
  const { list, quorum, intervalMs, timeoutMs } = config.witnesses;
  if (list.length === 0) return nobody;
  const witnesses = list.map(({ vkey, key, url }) => ({ ...httpWitness({ vkey, url }), key }));
  const cosigner = openCosigner({ log, witnesses, quorum, sha256, verify: verifyEd25519, timeoutMs });
  return runWitnesses({ cosigner, intervalMs, sleep, observer, lines }, end.signal);
}

async function openAnchors(log: LogStore): Promise<Pick<WitnessRun, "start">> {
  const { folder, authority, intervalMs, timeoutMs } = config.anchors;
  if (folder === undefined) return nobody;
  const anchors = [
    folderAnchor(folder, random),
    ...(authority ? [await openAuthority(folder, authority)] : []),
  ];
  const deps = { log, anchors, intervalMs, timeoutMs, now: steadyNow, sleep, observer, lines };
  return { start: (isSequencing) => void runAnchors(deps, isSequencing, end.signal) };
}

/** The library of time stamps is loaded only where there is an authority to ask. */
async function openAuthority(folder: string, authority: Authority): Promise<Anchor> {
  const { openTimeStampAnchor } = await import("./adapters/anchors/time-stamp.ts");
  return openTimeStampAnchor({ folder, ...authority, random });
}

/** The index opens bodies, with keys of its own thread: plain bytes pass no border. */
async function openIndexing(
  { state, keys, ...faces }: LogFaces,
  owner: AsyncDisposableStack,
): Promise<IndexPassDeps> {
  await using opened = new AsyncDisposableStack();
  const ring = await openRing(config, { create: false, random, steadyNow }, opened, end.signal);
  const storeKeys = await openStoreKeys({ state, ring, random, now: Date.now }, end.signal);
  const catalogue = readCatalogue(config.catalogueFile);
  owner.use(opened.move());
  return { ...faces, keys: dataKeys({ keys, ring: storeKeys.ring, now: Date.now, random }), catalogue };
}

/** Ends with the thread. */
async function keepIndexed(faces: LogFaces, mayRun: () => boolean): Promise<void> {
  const { enabled, busyShare } = config.searchIndex;
  if (!enabled) return;
  await using opened = new AsyncDisposableStack();
  const open = () => openIndexing(faces, opened);
  const deps = { open, mayRun, busyShare, now: steadyNow, random, sleep, observer, lines };
  await runIndexing(deps, end.signal);
}

async function main(): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const faces = opened.use(await openLogStore(config, tls, cacheBytes));
  const { log, records, rest = () => undefined } = faces;
  const { name: logName, keyFile: path, intervalMs, limits } = config.transparency;
  const create = (await log.size(end.signal)) === 0;
  const openSigner = await openCheckpointSigner({ path, create, random });
  const witnesses = openWitnesses(log);
  const anchors = await openAnchors(log);
  // Between two passes, with nothing that waits to be logged.
  let isResting = false;
  const run = runLog(
    {
      log, records, openSigner, logName, sha256, limits, random, sleep, intervalMs, observer, lines, holder,
      now: Date.now,
      witnessSizes: witnesses.sizes,
      onLease: witnesses.forget,
      rest() {
        isResting = true;
        rest();
      },
      reached(point) {
        isResting = false;
        return reached(point);
      },
      onState: (state) => say({ kind: "state", state }),
    },
    end.signal,
  ); // biome-ignore format: one line a name
  const isSequencing = (): boolean => run.state().kind === "sequencing";
  witnesses.start(isSequencing);
  anchors.start(isSequencing);
  const indexed = keepIndexed(faces, () => isSequencing() && isResting);
  say({ kind: "opened" });
  await run.ended;
  end.abort();
  await indexed;
}

try {
  await main();
} catch (error) {
  if (!(error instanceof LastroError)) throw error;
  say({ kind: "refused", code: error.code, message: error.message });
}
parentPort?.close();
