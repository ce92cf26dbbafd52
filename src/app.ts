/** The composition root: the only place that builds adapters and joins them. Opened downwards, closed upwards. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { openKeyRing } from "./adapters/files/key-ring.ts";
import { openKafkajsSource } from "./adapters/kafkajs/event-source.ts";
import { prepareTopics } from "./adapters/kafkajs/topics.ts";
import { memoryHints } from "./adapters/memory/hints.ts";
import { startTelemetry, type Telemetry } from "./adapters/otel/telemetry.ts";
import { openLog } from "./adapters/pino/log.ts";
import { openDeadLetters } from "./adapters/platformatic-kafka/dead-letters.ts";
import { openTopicReader } from "./adapters/platformatic-kafka/topic-reader.ts";
import { openRedisHints } from "./adapters/redis/hints.ts";
import { digestOf, readCatalogue } from "./catalogue-file.ts";
import { type Config, parseConfig } from "./config.ts";
import type { Catalogue } from "./core/catalogue.ts";
import { LastroError } from "./core/errors.ts";
import { newBreaker } from "./ingest/breaker.ts";
import { type Consumer, consume } from "./ingest/consume.ts";
import type { IntakeDeps } from "./ingest/deps.ts";
import { headCache } from "./ingest/head-cache.ts";
import { watchIdSources } from "./ingest/id-sources.ts";
import { acceptedIncarnations, acceptIncarnation, bindSource } from "./ingest/incarnations.ts";
import { operate } from "./ingest/operate.ts";
import { openPace } from "./ingest/pace.ts";
import type { StationSettings } from "./ingest/stations.ts";
import { sleep } from "./lib/backoff.ts";
import { pooledRandom } from "./lib/pooled-random.ts";
import { untilSignal, withDeadline } from "./lib/signals.ts";
import { aborted, repeat } from "./lib/upkeep.ts";
import { openStore } from "./open-store.ts";
import type { Clock, Randomness } from "./ports/clock.ts";
import type { DeadLetters } from "./ports/dead-letters.ts";
import type { DedupHints } from "./ports/dedup-hints.ts";
import type { EventSource } from "./ports/event-source.ts";
import type { Log } from "./ports/log.ts";
import type { Observer } from "./ports/observer.ts";
import type { Store } from "./ports/store.ts";
import { dataKeys } from "./privacy/data-keys.ts";
import { rewrapKeys } from "./privacy/rotate.ts";
import { mayMakeKeys, openStoreKeys, type StoreKeys } from "./privacy/store-keys.ts";
import type { QueryDeps } from "./query/deps.ts";
import { type PublishedLog, publishedLog } from "./query/published-log.ts";
import { readinessOf } from "./readiness.ts";
import { type LogThread, startLogThread } from "./run-log-thread.ts";
import { defaultGrpcLimits, startGrpcServer } from "./servers/grpc/server.ts";
import { type Readiness, startHttpServer } from "./servers/http/server.ts";
import { startupTable } from "./startup-table.ts";

/** What a test may hang into the running service. */
export type ServiceHooks = Partial<Pick<Observer, "reached">>;

const now: Clock = Date.now;
/** For waiting: it does not jump with the machine's clock. */
const steadyNow: Clock = () => performance.now();
const random: Randomness = pooledRandom((bytes) => randomBytes(bytes));
const clientId = "lastro";
const headCacheEntriesMax = 50_000;
/** Small batches of several partitions share a round trip to Redis, and a commit of SQLite. */
const partitionsConcurrently = 6;
/** Full batches in work at once. SQLite takes one while the next is prepared: more only hold memory. */
const fullBatchesMax = { sqlite: 2, mongodb: partitionsConcurrently } as const;
/** Growth of the heap before all of it is collected again. */
const heapGrowthPercent = 70;
/** Random bytes that name this process in the log's lease. */
const holderBytes = 8;
const storeProbeMs = 2_000;
const storeProbeTimeoutMs = 5_000;
const dependencies = ["store", "kafka", "redis"] as const;
const exit = { ok: 0, failed: 1, usage: 2 } as const;

/** Runs until SIGTERM or SIGINT; returns the exit code. What keeps it from running goes to standard error, with what to do. */
export async function runService(env: NodeJS.ProcessEnv, hooks: ServiceHooks = {}): Promise<number> {
  // What a batch leaves behind is garbage within a second: V8 would let it pile up to four times what lives before it looks.
  setFlagsFromString(`--heap-growing-percent=${heapGrowthPercent}`);
  const stop = untilSignal();
  const parsed = parseConfig(env, (path) => readFileSync(path, "utf8"));
  if (!parsed.ok) {
    process.stderr.write(`${parsed.errors.join("\n")}\n`);
    return exit.usage;
  }
  try {
    await serve(parsed.config, stop, hooks);
    return exit.ok;
  } catch (error) {
    if (!(error instanceof LastroError)) throw error;
    process.stderr.write(`${error.code}: ${error.message}\n`);
    return exit.failed;
  }
}

async function serve(config: Config, stop: AbortSignal, hooks: ServiceHooks): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const crash = new AbortController();
  const signal = AbortSignal.any([stop, crash.signal]);
  const log = openLog({ level: config.log.level });
  const telemetry = opened.use(startTelemetry({ ...config.telemetry, log }));
  const observer: Observer = { ...telemetry.observer, ...hooks };
  const catalogue = readCatalogue(config.catalogueFile);
  const store = telemetry.tracedStore(opened.use(await openStore(config)));
  const keys = await openKeys(config, store, signal);
  const hints = opened.use(await openHints(config, keys, log));
  const transparency = await startLog(config, observer, hooks, log, signal);
  opened.defer(() => transparency?.ended);
  // What is repeated in the background ends with a start that fails, too: else the process would stay.
  opened.defer(() => crash.abort(new Error("the service ends")));
  const { source, deadLetters } = await openKafka(config, store, keys, log, opened, signal);

  const intake: IntakeDeps = {
    records: store.records,
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
      recordsOf: store.audit.records,
      breaker: newBreaker(config.breaker),
      eventsInWorkMax: fullBatchesMax[config.store.kind] * config.intake.batchSizeMax,
      accepted: (until) => acceptedIncarnations(store.state, config.kafka.topic, until),
      accept: (topicId, until) => acceptIncarnation(store.state, config.kafka.topic, topicId, until),
      onCrash: (error) => crash.abort(error),
    },
    signal,
  );
  const replayAttemptsMax = config.deadLetters.attemptsMax;
  const published = publishedLog({ log: store.log, now });
  const operations = operate(
    { ...intake, source, state: store.state, recordsOf: store.audit.records, replayAttemptsMax },
    consumer,
  );
  const grpc = opened.use(
    await startGrpcServer(grpcOptions(config, log, telemetry), {
      query: queryDeps(intake, keys, catalogue, store, published),
      operations,
    }),
  );
  const health = watchStore(store, grpc.setServing, consumer.noticeBreaker, signal);
  const parts = (): Readiness => readinessOf({ store: health(), source, hints, consumer, log: transparency });
  const showDependencies = async (): Promise<void> => {
    for (const name of dependencies) telemetry.dependency(name, parts()[name]?.ok ?? false);
  };
  void repeat(storeProbeMs, signal, showDependencies, () => undefined);
  const http = opened.use(
    await startHttpServer({
      address: config.http.address,
      metrics: telemetry.metrics,
      readiness: async () => parts(),
      tiles: { published, log },
    }),
  );
  keepKeysWrapped(config, store, keys, log, signal);
  // Joining may wait for others to let go of their partitions; being told to stop does not.
  await Promise.race([consumer.start(), aborted(signal)]);
  if (!signal.aborted) announce(config, store, grpc.address, http.address);
  await aborted(signal);
  observer.reached("draining");
  await Promise.all([grpc.drain(config.drainMsMax), source[Symbol.asyncDispose]()]);
  if (!stop.aborted) throw crash.signal.reason;
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

async function openKeys({ keys }: Config, store: Store, signal: AbortSignal): Promise<StoreKeys> {
  const create = await mayMakeKeys(store.state, signal);
  const ring = await openKeyRing({ path: keys.ringFile, create, random });
  return openStoreKeys({ state: store.state, ring, random, now }, signal);
}

async function openHints({ hints }: Config, { storeId }: StoreKeys, log: Log): Promise<DedupHints> {
  const { redisUrl: url, budgetMs, ttlMs, entriesMax } = hints;
  return url === undefined
    ? memoryHints({ uidsMax: entriesMax })
    : openRedisHints({ url, storeId, budgetMs, ttlMs, log, now: steadyNow });
}

/** Undefined where the log is left to other instances. */
async function startLog(
  { store, transparency, witnesses, anchors, searchIndex, keys, catalogueFile }: Config,
  observer: Observer,
  hooks: ServiceHooks,
  lines: Log,
  signal: AbortSignal,
): Promise<LogThread | undefined> {
  if (!transparency.enabled) return undefined;
  const data = {
    config: { store, transparency, witnesses, anchors, searchIndex, keys, catalogueFile },
    tellsPoints: hooks.reached !== undefined,
    holder: Buffer.from(random(holderBytes)).toString("hex"),
  };
  return startLogThread({ data, observer, lines, random }, signal);
}

async function openKafka(
  { kafka, drainMsMax }: Config,
  store: Store,
  { storeId }: StoreKeys,
  log: Log,
  opened: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<{ readonly source: EventSource; readonly deadLetters: DeadLetters }> {
  const { brokers, topic, dlqTopic: deadLetterTopic, createTopics: create } = kafka;
  const groupId = kafka.group ?? `lastro-${storeId.slice(0, 8)}`;
  await prepareTopics({ brokers, clientId, log, topic, deadLetterTopic, create });
  const topicReader = opened.use(openTopicReader({ brokers, clientId }));
  const found = await topicReader.read(topic, signal);
  await bindSource(store.state, topic, found, kafka.acceptCluster, signal);
  const incarnation = async () => {
    const until = withDeadline(signal, storeProbeTimeoutMs);
    return (await acceptedIncarnations(store.state, topic, until)).at(-1);
  };
  const deadLetters = opened.use(
    openDeadLetters({ brokers, clientId, topicReader, topic, deadLetterTopic, consumer: groupId }),
  );
  const source = opened.use(
    await openKafkajsSource({
      brokers, topic, groupId, clientId, topicReader, incarnation, log, now,
      partitionsConcurrently,
      drainBudgetMs: drainMsMax,
      sessionTimeoutMs: kafka.sessionTimeoutMs,
      fetchBytesMax: kafka.fetchBytesMax,
      fetchBytesPerPartitionMax: kafka.fetchBytesPerPartitionMax,
    }),
  ); // biome-ignore format: one line a name
  return { source, deadLetters };
}

const queryDeps = (
  intake: IntakeDeps,
  { lookupKey }: StoreKeys,
  catalogue: Catalogue,
  store: Store,
  log: PublishedLog,
): QueryDeps => ({
  history: store.history,
  index: store.index,
  log,
  keys: intake.dataKeys,
  lookup: lookupKey,
  catalogue,
  now,
  random,
});

const grpcOptions = ({ grpc }: Config, log: Log, { grpcInterceptor }: Telemetry) => ({
  ...grpc.address,
  interceptors: [grpcInterceptor],
  reflection: grpc.reflection,
  now,
  log,
  limits: {
    ...defaultGrpcLimits,
    receiveBytesMax: grpc.messageBytesMax,
    concurrentStreamsMax: grpc.streamsMax,
    deadlineMsMax: grpc.deadlineMaxMs,
  },
});

/** Serving while the store answers. Returns what the last probe found. */
function watchStore(
  store: Store,
  setServing: (isServing: boolean) => void,
  noticeBreaker: Consumer["noticeBreaker"],
  signal: AbortSignal,
): () => boolean {
  let isUp = false;
  const note = (answers: boolean): void => {
    isUp = answers;
    setServing(answers);
  };
  const probe = async (): Promise<void> => {
    noticeBreaker(await store.state.breaker(withDeadline(signal, storeProbeTimeoutMs)));
    note(true);
  };
  void repeat(storeProbeMs, signal, probe, () => note(false));
  return () => isUp;
}

/** Takes over new KEKs and re-wraps what older ones wrap, while serving. */
function keepKeysWrapped(
  config: Config,
  store: Store,
  { ring }: StoreKeys,
  log: Log,
  signal: AbortSignal,
): void {
  const rewrap = async (): Promise<void> => {
    const { rewrapped, left } = await rewrapKeys(
      { state: store.state, keys: store.keys, ring, random },
      signal,
    );
    if (rewrapped > 0)
      log.info("keys_rewrapped", "data keys were wrapped under the current KEK", { rewrapped, left });
  };
  void repeat(config.keys.refreshMs, signal, rewrap, (cause) =>
    log.warn(
      "keys_not_rewrapped",
      cause instanceof LastroError ? cause.message : "the next pass tries again",
    ),
  );
}

function announce(
  config: Config,
  store: Store,
  grpc: string,
  http: { readonly host: string; readonly port: number },
): void {
  const hints = config.hints.redisUrl === undefined ? `a map of ${config.hints.entriesMax} uids` : "Redis";
  const running = { store: store.description, hints, grpc, http: `${http.host}:${http.port}` };
  process.stdout.write(`${startupTable(config, running)}\nLastro is ready. Ctrl-C stops it.\n`);
}
