/** The composition root: the only place that builds adapters and joins them. Opened downwards, closed upwards. */
import { randomBytes } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { exportFiles } from "./adapters/files/export-files.ts";
import { startTelemetry, type Telemetry } from "./adapters/otel/telemetry.ts";
import { openLog } from "./adapters/pino/log.ts";
import { digestOf, readCatalogue } from "./catalogue-file.ts";
import { certificateHealth, certificatesOf } from "./certificate-health.ts";
import type { CollectDeps } from "./collect/publish-events.ts";
import type { Config } from "./config.ts";
import type { Catalogue } from "./core/catalogue.ts";
import { newBreaker } from "./ingest/breaker.ts";
import { consume } from "./ingest/consume.ts";
import type { IntakeDeps } from "./ingest/deps.ts";
import { headCache } from "./ingest/head-cache.ts";
import { hotAppend } from "./ingest/hot-append.ts";
import { watchIdSources } from "./ingest/id-sources.ts";
import { acceptedIncarnations, acceptIncarnation } from "./ingest/incarnations.ts";
import { operate } from "./ingest/operate.ts";
import { openPace } from "./ingest/pace.ts";
import type { StationSettings } from "./ingest/stations.ts";
import { type StoreLag, storeLag } from "./ingest/store-lag.ts";
import { keepFresh } from "./keep-fresh.ts";
import { keepKeysWrapped } from "./keep-keys-wrapped.ts";
import { sleep } from "./lib/backoff.ts";
import { hostPortText } from "./lib/env-values.ts";
import { pooledRandom } from "./lib/pooled-random.ts";
import { untilSignal } from "./lib/signals.ts";
import { aborted } from "./lib/upkeep.ts";
import { loadConfig } from "./load-config.ts";
import { type Access, openAccess } from "./open-access.ts";
import { openGuard } from "./open-guard.ts";
import { openKafka, partitionsConcurrently } from "./open-kafka.ts";
import { openHints, openHotCopies } from "./open-redis.ts";
import { openRing } from "./open-ring.ts";
import { openStore } from "./open-store.ts";
import { openSwitches } from "./open-switches.ts";
import { openUpstreamTls, type UpstreamTls } from "./open-upstream-tls.ts";
import type { Clock, Randomness } from "./ports/clock.ts";
import type { Log } from "./ports/log.ts";
import type { Observer } from "./ports/observer.ts";
import type { Store } from "./ports/store.ts";
import { dataKeys } from "./privacy/data-keys.ts";
import { mayMakeKeys, openStoreKeys, type StoreKeys } from "./privacy/store-keys.ts";
import type { Guard, QueryDeps } from "./query/deps.ts";
import { openExports } from "./query/exports.ts";
import { hotHistory } from "./query/hot-history.ts";
import { type PublishedLog, publishedLog } from "./query/published-log.ts";
import { openTail } from "./query/tail-records.ts";
import { readinessOf, showDependencies } from "./readiness.ts";
import { type LogThread, startLogThread } from "./run-log-thread.ts";
import { defaultGrpcLimits, startGrpcServer } from "./servers/grpc/server.ts";
import { type Readiness, startHttpServer } from "./servers/http/server.ts";
import { startRestServer } from "./servers/rest/server.ts";
import { startupTable } from "./startup-table.ts";
import { stoppableStart } from "./stoppable-start.ts";
import { knownError, untilUncaught } from "./uncaught.ts";
import { watchDeadLetters, watchLag, watchStore } from "./watch-store.ts";

export type ServiceHooks = Partial<
  Pick<Observer, "reached"> & {
    /** A file system or name server that does not answer holds a thread, and with it the process. */
    stuck(): void;
  }
>;

const now: Clock = Date.now;
/** For waiting: it does not jump with the machine's clock. */
const steadyNow: Clock = () => performance.now();
const random: Randomness = pooledRandom((bytes) => randomBytes(bytes));
const headCacheEntriesMax = 50_000;
/** Full batches in work at once. SQLite takes one while the next is prepared: more only hold memory. */
const fullBatchesMax = { sqlite: 2, mongodb: partitionsConcurrently } as const;
/** Growth of the heap before all of it is collected again. */
const heapGrowthPercent = 70;
/** Half of the young generation of each thread that is started from now on; what it is sent is gone within a batch. */
const threadSemiSpaceMb = 2;
/** Random bytes that name this process in the log's lease. */
const holderBytes = 8;
const exit = { ok: 0, failed: 1, usage: 2 } as const;

/** Runs until SIGTERM or SIGINT; returns the exit code. What keeps it from running goes to standard error, with what to do. */
export async function runService(env: NodeJS.ProcessEnv, hooks: ServiceHooks = {}): Promise<number> {
  // What a batch leaves behind is garbage within a second: V8 would let it pile up to four times what lives before it looks.
  setFlagsFromString(`--heap-growing-percent=${heapGrowthPercent}`);
  setFlagsFromString(`--max-semi-space-size=${threadSemiSpaceMb}`);
  const stop = untilSignal();
  const log = openLog({ level: "error" });
  const broken = untilUncaught(log);
  try {
    const loaded = await loadConfig(env, { random, steadyNow }, AbortSignal.any([stop, broken]));
    if (!loaded.ok) {
      process.stderr.write(`${loaded.errors.join("\n")}\n`);
      return exit.usage;
    }
    await serve(loaded.config, stop, broken, hooks);
    broken.throwIfAborted();
    return exit.ok;
  } catch (cause) {
    const { code, message } = knownError(log, broken.aborted ? broken.reason : cause);
    process.stderr.write(`${code}: ${message}\n`);
    return exit.failed;
  }
}

async function serve(
  config: Config,
  stop: AbortSignal,
  broken: AbortSignal,
  hooks: ServiceHooks,
): Promise<void> {
  const log = openLog({ level: config.log.level });
  await stoppableStart((onUp) => run(config, { stop, broken, onUp }, hooks, log), log, stop);
}

type Life = { readonly stop: AbortSignal; readonly broken: AbortSignal; readonly onUp: () => void };

async function run(
  config: Config,
  { stop, broken, onUp }: Life,
  hooks: ServiceHooks,
  log: Log,
): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const crash = new AbortController();
  const signal = AbortSignal.any([stop, broken, crash.signal]);
  const telemetry = opened.use(startTelemetry({ ...config.telemetry, log }));
  const observer: Observer = { ...telemetry.observer, ...hooks };
  const catalogue = readCatalogue(config.catalogueFile);
  const upstream = openUpstreamTls(config, { now, log });
  // What is repeated in the background ends with a start that fails, too: else the process would stay.
  const end = (): void => crash.abort(new Error("the service ends"));
  opened.defer(end);
  keepFresh(upstream.files, config.filesRefreshMs, signal);
  const how = { asIs: false, lines: log, signal };
  const store = telemetry.tracedStore(opened.use(await openStore(config, upstream.tls, how)));
  // Again, before the store is closed.
  opened.defer(end);
  const keys = await openKeys(config, store, opened, signal);
  const viewerKey = keys.lookupKey.viewerKey();
  const access = openAccess(config, { viewerKey, now, random, observer, log }, signal);
  const certificates = certificatesOf(access, upstream);
  telemetry.certificates(certificates);
  const around = { keys, log, now, steadyNow, random, tls: upstream.tls };
  const hints = opened.use(await openHints(config, around));
  const copies = await openHotCopies(config, around, opened);
  const history = copies === undefined ? store.history : hotHistory(store.history, copies);
  const transparency = await startLog(config, upstream, observer, hooks, log, signal);
  opened.defer(() => transparency?.ended);
  // Again, since its thread ends only when it is told to.
  opened.defer(end);
  const { topicReader, source, deadLetters, publisher } = await openKafka(
    config,
    store,
    keys,
    { tls: upstream.tls, log, now },
    opened,
    signal,
  );

  const intake: IntakeDeps = {
    records: copies && config.hot?.keepsNew ? hotAppend(store.records, copies) : store.records,
    recordsOf: store.audit.records,
    hints,
    deadLetters,
    stations: stationsOf(config, catalogue, keys, observer, log),
    dataKeys: dataKeys({ keys: store.keys, ring: keys.ring, now, random }),
    heads: headCache(store.records, headCacheEntriesMax),
    idSources: watchIdSources(observer, log),
    pace: openPace(),
    limits: config.intake,
    now,
    random,
    sleep,
    observer,
    log,
  };
  const consumer = consume(
    {
      ...intake,
      source,
      state: store.state,
      breaker: newBreaker(config.breaker),
      eventsInWorkMax: fullBatchesMax[config.store.kind] * config.intake.batchSizeMax,
      accepted: (until) => acceptedIncarnations(store.state, config.kafka.topic, until),
      accept: (topicId, until) => acceptIncarnation(store.state, config.kafka.topic, topicId, until),
      onCrash: (error) => crash.abort(error),
    },
    signal,
  );
  const lag = storeLag({ source, records: store.records, steadyNow });
  telemetry.storeLag(lag.ms);
  watchLag(lag, signal);
  telemetry.deadLetters(watchDeadLetters(topicReader, config.kafka.dlqTopic, signal));
  const replayAttemptsMax = config.deadLetters.attemptsMax;
  const published = publishedLog({ log: store.log, now });
  const operations = operate({ ...intake, source, state: store.state, replayAttemptsMax }, consumer);
  const switches = await openSwitches(config, { log, observer }, opened, signal);
  const guardAround = {
    storeId: keys.storeId,
    state: store.state,
    publisher,
    access,
    switches,
    observer,
    log,
    now,
    steadyNow,
    random,
  };
  const guard = openGuard(config, guardAround, opened, signal);
  const query = queryDeps(intake, keys, catalogue, { ...store, history }, published, guard);
  const tail = openTail(query, config.tails, steadyNow);
  const { folder, limits } = config.exports;
  const files = exportFiles(folder, random);
  const exports = openExports({ query, state: store.state, files, limits, log }, signal);
  const collect: CollectDeps = {
    guard,
    publisher,
    catalogue,
    parse: intake.stations.parse,
    history: store.history,
    operations,
    log: published,
    now,
  };
  const grpc = opened.use(
    await startGrpcServer(grpcOptions(config, log, telemetry, access, lag), {
      query,
      operations,
      collect,
      tail,
      exports,
      viewers: access.viewers,
    }),
  );
  const health = watchStore(store, grpc.setServing, consumer.noticeBreaker, signal);
  const parts = (): Readiness => ({
    ...readinessOf({ store: health(), source, hints, consumer, log: transparency }),
    ...certificateHealth(certificates(), now()),
  });
  showDependencies(parts, telemetry.dependency, signal);
  const http = opened.use(
    await startHttpServer({
      ...config.http,
      metrics: telemetry.metrics,
      observer,
      readiness: async () => parts(),
      tiles: { published, log },
      tls: access.tls,
    }),
  );
  const rest = opened.use(
    await startRestServer(
      {
        ...config.rest,
        authenticate: access.authenticate,
        observeRequest: telemetry.observeRequest,
        observer,
        tls: access.tls,
        storeLagMs: lag.ms,
        now,
        log,
      },
      { query, collect },
    ),
  );
  keepKeysWrapped(config, store, keys, { log, random }, signal);
  onUp();
  // Joining may wait for others to let go of their partitions; being told to stop does not.
  await Promise.race([consumer.start(), aborted(signal)]);
  if (!signal.aborted) announce(config, store, [grpc.address, rest.address, hostPortText(http.address)]);
  await aborted(signal);
  observer.reached("draining");
  await Promise.all([
    grpc.drain(config.drainMsMax),
    rest.drain(config.drainMsMax),
    source[Symbol.asyncDispose](),
  ]);
  if (!stop.aborted) throw signal.reason;
}

const withMajors = ({ parse }: Config, { majors }: Catalogue): Config["parse"] => ({
  ...parse,
  schemaVersions: { ...parse.schemaVersions, knownMajors: [...parse.schemaVersions.knownMajors, ...majors] },
});

const stationsOf = (
  config: Config,
  catalogue: Catalogue,
  { lookupKey: lookup }: StoreKeys,
  observer: Observer,
  log: Log,
): StationSettings => ({
  lookup,
  catalogue,
  catalogueDigest: digestOf(config.catalogueFile),
  parse: withMajors(config, catalogue),
  random,
  noteFault(cause) {
    observer.internalError();
    log.error(
      "pure_station_threw",
      "a station threw three times for one event; it goes to the dead letters",
      {},
      cause,
    );
  },
});

async function openKeys(
  config: Config,
  store: Store,
  opened: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<StoreKeys> {
  const create = await mayMakeKeys(store.state, signal);
  const ring = await openRing(config, { create, random, steadyNow }, opened, signal);
  return openStoreKeys({ state: store.state, ring, random, now }, signal);
}

/** Undefined where the log is left to other instances. */
async function startLog(
  { store, transparency, witnesses, anchors, searchIndex, keys, vault, catalogueFile }: Config,
  upstream: UpstreamTls,
  observer: Observer,
  hooks: ServiceHooks,
  lines: Log,
  signal: AbortSignal,
): Promise<LogThread | undefined> {
  if (!transparency.enabled) return undefined;
  const data = {
    config: { store, transparency, witnesses, anchors, searchIndex, keys, vault, catalogueFile },
    tellsPoints: hooks.reached !== undefined,
    holder: Buffer.from(random(holderBytes)).toString("hex"),
  };
  return startLogThread({ data, upstream, observer, lines, random, onStuck: hooks.stuck }, signal);
}

const queryDeps = (
  intake: IntakeDeps,
  { lookupKey }: StoreKeys,
  catalogue: Catalogue,
  { history, index }: Pick<Store, "history" | "index">,
  log: PublishedLog,
  guard: Guard,
): QueryDeps => ({
  history,
  index,
  log,
  keys: intake.dataKeys,
  lookup: lookupKey,
  catalogue,
  now,
  random,
  guard,
});

const grpcOptions = (
  { grpc }: Config,
  log: Log,
  { grpcInterceptor, observer }: Telemetry,
  { authenticate, tls }: Access,
  lag: StoreLag,
) => ({
  ...grpc.address,
  interceptors: [grpcInterceptor],
  observer,
  reflection: grpc.reflection,
  authenticate,
  tls,
  storeLagMs: lag.ms,
  now,
  log,
  limits: {
    ...defaultGrpcLimits,
    connectionsMax: grpc.connectionsMax,
    receiveBytesMax: grpc.messageBytesMax,
    sendBytesMax: grpc.answerBytesMax,
    concurrentStreamsMax: grpc.streamsMax,
    deadlineMsMax: grpc.deadlineMaxMs,
    metadataBytesMax: grpc.metadataBytesMax,
    resetsBurstMax: grpc.resetsBurstMax,
    resetsPerSecondMax: grpc.resetsPerSecondMax,
    connectionAgeMsMax: grpc.connectionAgeMsMax,
    connectionIdleMsMax: grpc.connectionIdleMsMax,
    streamStallMsMax: grpc.streamStallMsMax,
  },
});

function announce(config: Config, store: Store, [grpc, rest, http]: readonly [string, string, string]): void {
  const running = { store: store.description, grpc, rest, http };
  process.stdout.write(`${startupTable(config, running)}\nLastro is ready. Ctrl-C stops it.\n`);
}
