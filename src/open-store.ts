/** The part of the composition root that opens the configured store; alone, for the commands of operators, without the rest of the service. */
import { existsSync } from "node:fs";
import { type LogFaces, openSqliteLog, openSqliteStore } from "./adapters/sqlite/open.ts";
import { digestOf, readCatalogue } from "./catalogue-file.ts";
import type { Config } from "./config.ts";
import { LastroError } from "./core/errors.ts";
import type { Report } from "./core/findings.ts";
import { indexRules } from "./core/index-rules.ts";
import { checkIndex } from "./indexing/check-index.ts";
import { readAgain } from "./keep-fresh.ts";
import type { CheckRange } from "./log/check-range.ts";
import { openRing } from "./open-ring.ts";
import { openUpstreamTls } from "./open-upstream-tls.ts";
import type { ClientTls } from "./ports/client-tls.ts";
import type { Clock, Randomness } from "./ports/clock.ts";
import type { Log } from "./ports/log.ts";
import type { Store } from "./ports/store.ts";
import { dataKeys } from "./privacy/data-keys.ts";
import { readStoreKeys } from "./privacy/store-keys.ts";
import { checkBodies } from "./query/check-bodies.ts";
import { type CheckThread, startCheckThread } from "./run-check-thread.ts";

type StoreConfig = Pick<Config, "store">;
type MongoConfig = Extract<Config["store"], { kind: "mongodb" }>;

/** MongoDB's driver is loaded where it is needed: it costs a command more than the check of a small store. */
async function openMongo(store: MongoConfig, tls: ClientTls, how: How): Promise<Store> {
  const { openMongoStore } = await import("./adapters/mongo/open-mongo-store.ts");
  return openMongoStore({ ...store, ...how, tls });
}

/** `asIs`: neither made nor migrated. While MongoDB builds indexes, the opening says so and waits, until the signal. */
type How = { readonly asIs: boolean; readonly lines?: Pick<Log, "info">; readonly signal?: AbortSignal };

export const openStore = (
  { store }: StoreConfig,
  tls: ClientTls,
  how: How = { asIs: false },
): Promise<Store> =>
  store.kind === "sqlite" ? openSqliteStore({ ...store, asIs: how.asIs }) : openMongo(store, tls, how);

/** The faces that extend and check the log, opened once more beside those of a store that is open, which has prepared it; `cacheBytes` is SQLite's page cache. */
export const openLogStore = (
  { store }: StoreConfig,
  tls: ClientTls,
  cacheBytes: number,
): Promise<LogFaces> =>
  store.kind === "sqlite"
    ? openSqliteLog({ path: store.path, cacheBytes, asIs: true })
    : openMongo(store, tls, { asIs: true });

/** What a check does with keys. */
export type CheckAids = {
  readonly openBodies: ReturnType<typeof checkBodies>;
  checkIndex(report: Report, onProgress: Progress, signal: AbortSignal): Promise<number>;
};
type Progress = Parameters<typeof checkIndex>[2];

export type OperatedStore = AsyncDisposable & {
  readonly store: Store;
  /** Opens the key ring that is configured; makes no key, and takes none into the store. */
  checkAids(signal: AbortSignal): Promise<CheckAids>;
  /** A second thread, on a connection of its own, that shares the work of `checkHere`; it opens no bodies. */
  startThread(checkHere: CheckRange): CheckThread;
};

/** A file is shown no certificate: one that has expired does not keep anybody from looking at it. */
const shownTo = ({ store, upstream }: Config): Pick<Config, "upstream"> => ({
  upstream: store.kind === "mongodb" ? upstream : noFiles,
});
const noFiles = { ca: undefined, cert: undefined, key: undefined };

/** A command tells its outcome and no more. */
const unheard: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** Throws NOT_FOUND for a store that is not there, and makes none; FAILED_PRECONDITION for one of an older release, and migrates none. */
export async function openOperatedStore(
  config: Config,
  around: { readonly now: Clock; readonly steadyNow: Clock; readonly random: Randomness },
): Promise<OperatedStore> {
  if (config.store.kind === "sqlite" && !existsSync(config.store.path))
    throw new LastroError(
      "NOT_FOUND",
      `there is no store at ${config.store.path}: set LASTRO_STORE_URL or LASTRO_DATA_DIR as the service has them`,
    );
  const upstream = openUpstreamTls(shownTo(config), { now: around.now, log: unheard });
  const opened = new AsyncDisposableStack();
  const store = opened.use(await openStore(config, upstream.tls, { asIs: true }));
  const closed = new AbortController();
  opened.defer(() => closed.abort());
  readAgain(upstream.files, config.filesRefreshMs, closed.signal);
  return {
    store,
    async checkAids(signal) {
      const ring = await openRing(config, { ...around, create: false }, opened, signal);
      const keys = await readStoreKeys({ state: store.state, ring }, signal);
      const { history, index, log } = store;
      const catalogue = readCatalogue(config.catalogueFile);
      const openBodies = checkBodies({
        history,
        keys: dataKeys({ keys: store.keys, ring: keys.ring, ...around }),
        lookup: keys.lookupKey,
        catalogue,
        catalogueDigest: digestOf(config.catalogueFile),
        textsOf: (await index.state(signal))?.rules === indexRules(catalogue) ? index.texts : undefined,
      });
      return {
        openBodies,
        checkIndex: (report, onProgress, over) =>
          checkIndex({ log, history, index, catalogue }, report, onProgress, over),
      };
    },
    startThread: (checkHere) => startCheckThread(config, upstream, checkHere),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
