/** Every knob of the service, one zod schema: environment in, shaped object out. Nothing else reads environment variables. */
import { join } from "node:path";
import * as z from "zod";
import { accessRules, accessShape, accessVariables, kafkaSecurity } from "./config-access.ts";
import { servingShape, servingVariables } from "./config-serving.ts";
import {
  abouts,
  type Documented,
  day,
  httpUrl,
  kib,
  mib,
  minute,
  number,
  optional,
  type Rule,
  second,
  text,
  variable,
} from "./config-variable.ts";
import { vaultRules, vaultShape, vaultVariables } from "./config-vault.ts";
import { isTopicName } from "./core/ids.ts";
import { defaultLimits, defaultParseOptions, valueBytesHardMax } from "./core/parse-options.ts";
import { formatSecretReference, type SecretReference } from "./core/secret-reference.ts";
import { launched } from "./launched-parts.ts";
import { list, onOff, parseHostPort, share, wholeNumber, withoutSecrets } from "./lib/env-values.ts";
import { type Environment, type Given, readGiven } from "./variables-given.ts";
import { witnessesMax, witnessList } from "./witness-list.ts";

const topicName = z.string().refine(isTopicName, "must be a Kafka topic name");
const storeUrl = z
  .string()
  .regex(
    /^(?:sqlite:(?!:memory:).+|mongodb(?:\+srv)?:\/\/.+)$/s,
    "must be sqlite:<path of a file> or mongodb://host:port/name",
  );
const redisUrl = z.string().regex(/^rediss?:\/\/.+/s, "must be redis://host:port or rediss://host:port");
const brokers = list
  .refine(
    (items) => items.length > 0 && items.every((item) => parseHostPort(item) !== undefined),
    "must be host:port, several separated by commas",
  )
  .refine(
    (items) => !items.some((item) => item.startsWith("[")),
    "must name hosts instead of IPv6 addresses, which the Kafka client cannot read; a name may lead to one",
  );
/** Name of a signed note's key and first line of each checkpoint; what is put behind it must still fit an entry. */
const logName = z
  .string()
  .regex(
    /^[!-*,-~]{1,120}$/,
    "must be 1 to 120 visible characters without space and +, such as log.example.org",
  );
// biome-ignore format: a table
const Variables = z.object({
  LASTRO_DATA_DIR: variable(text, "./data", { description: "Folder of everything that is kept on this machine" }),
  LASTRO_STORE_URL: optional(storeUrl, { description: "Record store: `sqlite:<path>` or `mongodb://…`", secret: true, defaultText: "sqlite:<LASTRO_DATA_DIR>/lastro.db" }),
  LASTRO_STORE_ALLOW_UNSAFE: variable(onOff, "off", { description: "Accept a MongoDB that acknowledges writes one machine alone has seen; data can be lost" }),
  LASTRO_STORE_QUERY_MAX_MS: number(100, 10 * minute, 30 * second, "ms", "MongoDB: the longest that one read of records may take there"),
  LASTRO_SQLITE_CACHE_BYTES: number(mib, 4_096 * mib, 64 * mib, "bytes", "Page cache of SQLite; a quarter of it to read, the rest to write"),
  LASTRO_KAFKA_BROKERS: variable(brokers, "127.0.0.1:9092", { description: "Kafka brokers, separated by commas" }),
  LASTRO_KAFKA_TOPIC: variable(topicName, "audit", { description: "Topic the events come from" }),
  LASTRO_KAFKA_DLQ_TOPIC: variable(topicName, "audit.dlq", { description: "Topic for dead letters" }),
  LASTRO_KAFKA_GROUP: optional(text, { description: "Consumer group", defaultText: "lastro-<first 8 characters of the store's id>" }),
  LASTRO_KAFKA_CREATE_TOPICS: variable(onOff, "on", { description: "Create the two topics when they are absent" }),
  LASTRO_KAFKA_ACCEPT_CLUSTER: optional(text, { description: "Id of a Kafka cluster to accept in place of the one the store knows", defaultText: "none" }),
  LASTRO_KAFKA_SESSION_TIMEOUT_MS: number(6 * second, 5 * minute, 10 * second, "ms", "Silence after which Kafka gives the partitions of a process to others"),
  LASTRO_KAFKA_FETCH_BYTES_MAX: number(mib, 256 * mib, 8 * mib, "bytes", "Largest fetch of all partitions together"),
  LASTRO_KAFKA_FETCH_PARTITION_BYTES_MAX: number(64 * kib, 64 * mib, 5 * mib, "bytes", "Largest fetch of one partition; must hold the largest message"),
  LASTRO_REDIS_URL: optional(redisUrl, { description: "Redis for duplicate hints and hot records: `redis://…` or `rediss://…`", secret: true, defaultText: "a bounded map in the process" }),
  LASTRO_HINTS_BUDGET_MS: number(1, 10 * second, 250, "ms", "Longest wait for a duplicate hint; after it the store decides alone"),
  LASTRO_HINTS_TTL_MS: number(minute, 366 * day, 7 * day, "ms", "How long Redis remembers an event uid"),
  LASTRO_HINTS_ENTRIES_MAX: number(1, 10_000_000, 100_000, "uids", "Bound of the map used without Redis"),
  LASTRO_HOT_RECORDS: optional(z.enum(["off", "read", "recent"], "must be off, read or recent"), { description: "Sealed copies of records in Redis for reads by id: `read` keeps what was read, `recent` also what was just stored", defaultText: "read with LASTRO_REDIS_URL and MongoDB, else off: SQLite is nearer than Redis" }),
  LASTRO_HOT_AGE_MS: number(second, 10 * minute, minute, "ms", "No older copy of a record is answered"),
  LASTRO_HOT_BUDGET_MS: number(1, second, 10, "ms", "Longest wait for a copy; after it the store is read"),
  LASTRO_HOT_BYTES_MAX: number(mib, 16_384 * mib, 64 * mib, "bytes", "Copies that one process keeps in Redis within LASTRO_HOT_AGE_MS"),
  LASTRO_KEY_RING_FILE: optional(text, { description: "Key-encryption keys; back it up apart from the data", defaultText: "<LASTRO_DATA_DIR>/keys/keyring.json" }),
  LASTRO_KEY_REFRESH_MS: number(second, day, minute, "ms", "How often the key ring is read anew and older wrappings are renewed"),
  ...vaultVariables,
  ...servingVariables,
  ...accessVariables,
  LASTRO_LOG: variable(onOff, "on", { description: "Lay the transparency log over what is stored; `off` where another instance holds the signing key" }),
  LASTRO_LOG_NAME: variable(logName, "lastro.local", { description: "First part of the origin of a log that has still to begin; the rest is drawn" }),
  LASTRO_LOG_KEY_FILE: optional(text, { description: "Signing key of the log; what was signed last lies beside it. Back it up apart from the data", defaultText: "<LASTRO_DATA_DIR>/keys/log-key.json" }),
  LASTRO_LOG_KEY_OVERLAP_MS: number(0, 366 * day, 7 * day, "ms", "How long the old and the new key both sign during a rotation"),
  LASTRO_LOG_INTERVAL_MS: number(10, minute, 500, "ms", "Pause between two passes of the sequencer; while it lags there is none"),
  LASTRO_LOG_BATCH: number(300, 9_000, 2_000, "rows", "Rows of one pass of the sequencer: records, coverage, control entries"),
  LASTRO_LOG_HEARTBEAT_MS: number(second, 10 * minute, 30 * second, "ms", "A log to which nothing was appended for this long gets a heartbeat"),
  LASTRO_SEARCH_INDEX: variable(onOff, "on", { description: "Keep the index of full text and summaries in step with the log, where this process extends it; its terms lie in the store in the clear" }),
  LASTRO_SEARCH_INDEX_SHARE: number(1, 100, 10, "%", "Of the time that this index may take while intake is busy, that is, while the log grows by more than 1,000 entries a second; it catches up later"),
  LASTRO_WITNESSES: variable(witnessList, "", { description: "Witnesses that are asked to cosign checkpoints: `<verifier key>@<URL>`, separated by commas" }),
  LASTRO_WITNESS_QUORUM: optional(wholeNumber(1, witnessesMax), { unit: "witnesses", description: "Cosignatures that make a checkpoint `witnessed`", defaultText: "more than half of them" }),
  LASTRO_WITNESS_INTERVAL_MS: number(100, 10 * minute, 5 * second, "ms", "Pause between two askings of the witnesses"),
  LASTRO_WITNESS_TIMEOUT_MS: number(100, 8 * second, 5 * second, "ms", "Longest wait for a witness; below the 10 s for which the log is leased, since who takes the lease asks the witnesses first"),
  LASTRO_ANCHOR_FOLDER: optional(text, { description: "Folder outside this machine's reach, such as storage that is written once, that keeps checkpoints", defaultText: "none: no anchor" }),
  LASTRO_ANCHOR_TSA_URL: optional(httpUrl, { description: "Time-stamping authority (RFC 3161) that stamps the checkpoints in that folder", secret: true, defaultText: "none" }),
  LASTRO_ANCHOR_TSA_CA_FILE: optional(text, { description: "Root certificates (PEM) that its time stamps must lead to", defaultText: "none" }),
  LASTRO_ANCHOR_INTERVAL_MS: number(second, day, 60 * minute, "ms", "From one anchored checkpoint to the next"),
  LASTRO_ANCHOR_TIMEOUT_MS: number(100, minute, 20 * second, "ms", "Longest wait for an anchor"),
  LASTRO_CATALOGUE_FILE: optional(text, { description: "Event catalogue (JSON)", defaultText: "none: the built-in rules" }),
  LASTRO_EVENT_BYTES_MAX: number(kib, valueBytesHardMax, defaultLimits.valueBytesMax, "bytes", "Largest event"),
  LASTRO_EVENT_DEPTH_MAX: number(4, 128, defaultLimits.depthMax, "levels", "Deepest nesting of an event"),
  LASTRO_EVENT_NODES_MAX: number(100, 1_000_000, defaultLimits.nodesMax, "values", "JSON values in an event"),
  LASTRO_EVENT_OBJECT_KEYS_MAX: number(16, 1_000_000, defaultLimits.keysPerObjectMax, "keys", "Keys of one object"),
  LASTRO_EVENT_KEY_BYTES_MAX: number(64, 64 * kib, defaultLimits.keyBytesMax, "bytes", "Longest key"),
  LASTRO_EVENT_STRING_BYTES_MAX: number(kib, valueBytesHardMax, defaultLimits.stringBytesMax, "bytes", "Longest string"),
  LASTRO_EVENT_NUMBER_CHARS_MAX: number(16, kib, defaultLimits.numberCharsMax, "characters", "Longest number"),
  LASTRO_EVENT_HEADERS_MAX: number(8, kib, defaultLimits.headersMax, "headers", "Kafka headers of an event"),
  LASTRO_EVENT_HEADER_BYTES_MAX: number(256, 256 * kib, defaultLimits.headerBytesMax, "bytes", "Largest Kafka header, key and value"),
  LASTRO_EVENT_CLOCK_SKEW_MS: number(0, day, defaultParseOptions.clockSkewMs, "ms", "A timestamp further ahead is flagged `clock_skew`"),
  LASTRO_EVENT_LATE_AFTER_MS: number(second, 366 * day, defaultParseOptions.lateAfterMs, "ms", "A timestamp further behind is flagged `late`"),
  LASTRO_SCHEMA_MAJORS: variable(list, defaultParseOptions.schemaVersions.knownMajors.join(","), { description: "Known majors of `event_schema_version`, separated by commas" }),
  LASTRO_SCHEMA_UNKNOWN: variable(z.enum(["flag", "reject"], "must be flag or reject"), defaultParseOptions.schemaVersions.unknown, { description: "What happens to an event of another major" }),
  LASTRO_OWNERSHIP_EXEMPT: variable(list, "", { description: "Producer services whose events need no `ownership_id`, separated by commas" }),
  LASTRO_BATCH_SIZE_MAX: number(1, 10_000, 2_000, "events", "Events of one append"),
  LASTRO_APPEND_ATTEMPTS_MAX: number(1, 100, 8, "attempts", "Attempts to append a batch before its partition waits"),
  LASTRO_RETRY_MIN_MS: number(1, minute, 100, "ms", "Shortest wait before trying again"),
  LASTRO_RETRY_MAX_MS: number(1, 10 * minute, 15 * second, "ms", "Longest wait before trying again"),
  LASTRO_DRAIN_MS_MAX: number(100, 5 * second, 5 * second, "ms", "Time for running work to end on shutdown"),
  LASTRO_DEAD_LETTER_ATTEMPTS_MAX: number(1, 100, 3, "attempts", "Replays of a dead letter before it is parked"),
  LASTRO_BREAKER: variable(onOff, "on", { description: "Pause intake when a flood of rejections looks like a wrong deployment" }),
  LASTRO_BREAKER_WINDOW: number(10, 100_000, 1_000, "messages", "Messages the breaker looks back upon"),
  LASTRO_BREAKER_RATIO: variable(share(0.01, 1), "0.5", { description: "Share of rejections that opens the breaker" }),
  LASTRO_BREAKER_PRODUCERS_MIN: number(1, 100, 2, "producers", "Producers that must be among the rejected"),
  LASTRO_OTLP_ENDPOINT: optional(httpUrl, { description: "OTLP over HTTP, for example http://127.0.0.1:4318", secret: true, defaultText: "none: no export" }),
  LASTRO_OTLP_SAMPLE_RATIO: variable(share(0, 1), "0.1", { description: "Share of traces that are exported when the caller has not decided" }),
  LASTRO_LOG_LEVEL: variable(z.enum(["info", "warn", "error", "silent"], "must be info, warn, error or silent"), "info", { description: "Least level that is logged" }),
  LASTRO_LAUNCHED: variable(launched, "[]", { description: "Written by the launcher for the start-up table" }),
});
type Values = z.output<typeof Variables>;
type Name = keyof Values;
const names = Object.keys(Variables.shape) as Name[];

export type ConfigVariable = Documented & { readonly name: string };
/** What the README's table is made of. */
export const configVariables: readonly ConfigVariable[] = names.map((name) => {
  const about = abouts.get(Variables.shape[name]);
  if (about === undefined) throw new TypeError(`${name} is not described`);
  return { name, ...about };
});
const secretNames: ReadonlySet<string> = new Set(
  configVariables.filter(({ secret }) => secret).map(({ name }) => name),
);
const hiddenNames: ReadonlySet<string> = new Set(
  configVariables.filter(({ hidden }) => hidden).map(({ name }) => name),
);
/** A value as it may be shown. */
export type Setting = { readonly name: string; readonly value: string; readonly from: string };
export type Config = ReturnType<typeof shape> & { readonly settings: readonly Setting[] };
type Secrets<T> = ReadonlyMap<string, T>;
export type ConfigResult =
  /** `unread`: the variables whose secrets lie elsewhere and were not given; the configuration is as if they were not set. */
  | { readonly ok: true; readonly config: Config; readonly unread: Secrets<SecretReference> }
  /** One sentence per fault, each beginning with the variable's name. */
  | { readonly ok: false; readonly errors: readonly string[] };

/** Finds every fault at once and connects to nothing. `readFile` gives a file's text or throws; `secrets` are texts that lie elsewhere, by the names of their variables. */
export function parseConfig(
  env: Environment,
  readFile: (path: string) => string,
  secrets: Secrets<string> = new Map(),
): ConfigResult {
  const given = readGiven({ names, secretNames }, env, readFile);
  const errors = [...given.errors];
  const unread = readSecrets(given, secrets);
  const parsed = Variables.safeParse(Object.fromEntries(given.texts));
  const faulty = new Set<PropertyKey>(unread.keys());
  for (const { path, message } of parsed.error?.issues ?? []) {
    if (faulty.has(path[0] ?? "")) continue;
    faulty.add(path[0] ?? "");
    errors.push(`${String(path[0])} ${message}`);
  }
  // Rules about faulty variables would only repeat the fault, and those about unread ones cannot be held yet; every default is valid, so this parse succeeds.
  const values = Variables.parse(Object.fromEntries([...given.texts].filter(([name]) => !faulty.has(name))));
  for (const rule of rules) {
    const holds = rule.about.some((name) => faulty.has(name)) || rule.holds(values);
    if (!holds) errors.push(`${rule.about[0]} ${rule.otherwise}`);
  }
  if (given.references.size > 0 && values.LASTRO_VAULT_ADDR === undefined && !faulty.has("LASTRO_VAULT_ADDR"))
    errors.push(`${[...given.references.keys()].join(", ")} must not lie in Vault without LASTRO_VAULT_ADDR`);
  if (errors.length > 0) return { ok: false, errors };
  return { ok: true, config: { ...shape(values), settings: settingsOf(given) }, unread };
}

/** Puts the secrets where the environment names their places; gives those that are not there. */
function readSecrets({ texts, references }: Given, secrets: Secrets<string>): Secrets<SecretReference> {
  for (const name of references.keys()) {
    const text = secrets.get(name);
    if (text !== undefined) texts.set(name, text);
  }
  return new Map([...references].filter(([name]) => !secrets.has(name)));
}

const rules: readonly Rule<Values>[] = [
  ...accessRules,
  ...vaultRules,
  {
    about: ["LASTRO_HOT_RECORDS", "LASTRO_REDIS_URL"],
    holds: (v) => v.LASTRO_REDIS_URL !== undefined || (v.LASTRO_HOT_RECORDS ?? "off") === "off",
    otherwise: "needs LASTRO_REDIS_URL: the copies are kept there",
  },
  {
    about: ["LASTRO_SELF_AUDIT", "LASTRO_SELF_AUDIT_READS"],
    holds: (v) => v.LASTRO_SELF_AUDIT !== "strict" || v.LASTRO_SELF_AUDIT_READS === "each",
    otherwise: "must not be strict while reads are only counted: what is counted is told after the answer",
  },
  {
    about: ["LASTRO_RETRY_MIN_MS", "LASTRO_RETRY_MAX_MS"],
    holds: (v) => v.LASTRO_RETRY_MIN_MS <= v.LASTRO_RETRY_MAX_MS,
    otherwise: "must not be greater than LASTRO_RETRY_MAX_MS",
  },
  {
    about: ["LASTRO_KAFKA_FETCH_PARTITION_BYTES_MAX", "LASTRO_KAFKA_FETCH_BYTES_MAX"],
    holds: (v) => v.LASTRO_KAFKA_FETCH_PARTITION_BYTES_MAX <= v.LASTRO_KAFKA_FETCH_BYTES_MAX,
    otherwise: "must not be greater than LASTRO_KAFKA_FETCH_BYTES_MAX",
  },
  {
    about: ["LASTRO_KAFKA_FETCH_PARTITION_BYTES_MAX", "LASTRO_EVENT_BYTES_MAX"],
    holds: (v) => v.LASTRO_EVENT_BYTES_MAX <= v.LASTRO_KAFKA_FETCH_PARTITION_BYTES_MAX,
    otherwise: "must not be less than LASTRO_EVENT_BYTES_MAX",
  },
  {
    about: ["LASTRO_KAFKA_DLQ_TOPIC", "LASTRO_KAFKA_TOPIC"],
    holds: (v) => v.LASTRO_KAFKA_DLQ_TOPIC !== v.LASTRO_KAFKA_TOPIC,
    otherwise: "must not be LASTRO_KAFKA_TOPIC: dead letters would be read again as events",
  },
  {
    about: ["LASTRO_EVENT_STRING_BYTES_MAX", "LASTRO_EVENT_BYTES_MAX"],
    holds: (v) => v.LASTRO_EVENT_STRING_BYTES_MAX <= v.LASTRO_EVENT_BYTES_MAX,
    otherwise: "must not be greater than LASTRO_EVENT_BYTES_MAX",
  },
  {
    about: ["LASTRO_WITNESS_QUORUM", "LASTRO_WITNESSES"],
    holds: (v) => (v.LASTRO_WITNESS_QUORUM ?? 0) <= v.LASTRO_WITNESSES.length,
    otherwise: "must not be greater than the number of LASTRO_WITNESSES",
  },
  {
    about: ["LASTRO_ANCHOR_TSA_URL", "LASTRO_ANCHOR_FOLDER"],
    holds: (v) => v.LASTRO_ANCHOR_TSA_URL === undefined || v.LASTRO_ANCHOR_FOLDER !== undefined,
    otherwise: "needs LASTRO_ANCHOR_FOLDER: the time stamps are kept there",
  },
  {
    about: ["LASTRO_ANCHOR_TSA_CA_FILE", "LASTRO_ANCHOR_TSA_URL"],
    holds: (v) => (v.LASTRO_ANCHOR_TSA_CA_FILE === undefined) === (v.LASTRO_ANCHOR_TSA_URL === undefined),
    otherwise: "and LASTRO_ANCHOR_TSA_URL must be set together: a time stamp is taken only if it verifies",
  },
];

const sqliteScheme = "sqlite:";

function storeOf(v: Values) {
  const url = v.LASTRO_STORE_URL ?? sqliteScheme + join(v.LASTRO_DATA_DIR, "lastro.db");
  return url.startsWith(sqliteScheme)
    ? ({
        kind: "sqlite",
        path: url.slice(sqliteScheme.length),
        cacheBytes: v.LASTRO_SQLITE_CACHE_BYTES,
      } as const)
    : ({
        kind: "mongodb",
        url,
        allowUnsafe: v.LASTRO_STORE_ALLOW_UNSAFE,
        queryMaxMs: v.LASTRO_STORE_QUERY_MAX_MS,
      } as const);
}

const parseOptionsOf = (v: Values) => ({
  limits: {
    valueBytesMax: v.LASTRO_EVENT_BYTES_MAX,
    depthMax: v.LASTRO_EVENT_DEPTH_MAX,
    nodesMax: v.LASTRO_EVENT_NODES_MAX,
    keysPerObjectMax: v.LASTRO_EVENT_OBJECT_KEYS_MAX,
    keyBytesMax: v.LASTRO_EVENT_KEY_BYTES_MAX,
    stringBytesMax: v.LASTRO_EVENT_STRING_BYTES_MAX,
    numberCharsMax: v.LASTRO_EVENT_NUMBER_CHARS_MAX,
    headersMax: v.LASTRO_EVENT_HEADERS_MAX,
    headerBytesMax: v.LASTRO_EVENT_HEADER_BYTES_MAX,
  },
  schemaVersions: { knownMajors: v.LASTRO_SCHEMA_MAJORS, unknown: v.LASTRO_SCHEMA_UNKNOWN },
  ownershipExempt: new Set([...defaultParseOptions.ownershipExempt, ...v.LASTRO_OWNERSHIP_EXEMPT]),
  clockSkewMs: v.LASTRO_EVENT_CLOCK_SKEW_MS,
  lateAfterMs: v.LASTRO_EVENT_LATE_AFTER_MS,
});

/** Undefined: every read goes to the store. */
function hotOf(v: Values) {
  const kept = v.LASTRO_HOT_RECORDS ?? (storeOf(v).kind === "mongodb" ? "read" : "off");
  if (v.LASTRO_REDIS_URL === undefined || kept === "off") return undefined;
  return {
    redisUrl: v.LASTRO_REDIS_URL,
    keepsNew: kept === "recent",
    ageMsMax: v.LASTRO_HOT_AGE_MS,
    budgetMs: v.LASTRO_HOT_BUDGET_MS,
    bytesMax: v.LASTRO_HOT_BYTES_MAX,
  };
}

const authorityOf = ({ LASTRO_ANCHOR_TSA_URL: url, LASTRO_ANCHOR_TSA_CA_FILE: rootsFile }: Values) =>
  url === undefined || rootsFile === undefined ? undefined : { url, rootsFile };

function shape(v: Values) {
  return {
    dataDir: v.LASTRO_DATA_DIR,
    store: storeOf(v),
    kafka: {
      brokers: v.LASTRO_KAFKA_BROKERS,
      topic: v.LASTRO_KAFKA_TOPIC,
      dlqTopic: v.LASTRO_KAFKA_DLQ_TOPIC,
      group: v.LASTRO_KAFKA_GROUP,
      createTopics: v.LASTRO_KAFKA_CREATE_TOPICS,
      acceptCluster: v.LASTRO_KAFKA_ACCEPT_CLUSTER,
      sessionTimeoutMs: v.LASTRO_KAFKA_SESSION_TIMEOUT_MS,
      fetchBytesMax: v.LASTRO_KAFKA_FETCH_BYTES_MAX,
      fetchBytesPerPartitionMax: v.LASTRO_KAFKA_FETCH_PARTITION_BYTES_MAX,
      ...kafkaSecurity(v),
    },
    hints: {
      redisUrl: v.LASTRO_REDIS_URL,
      budgetMs: v.LASTRO_HINTS_BUDGET_MS,
      ttlMs: v.LASTRO_HINTS_TTL_MS,
      entriesMax: v.LASTRO_HINTS_ENTRIES_MAX,
    },
    hot: hotOf(v),
    keys: {
      ringFile: v.LASTRO_KEY_RING_FILE ?? join(v.LASTRO_DATA_DIR, "keys", "keyring.json"),
      /** In place of the file. */
      ringSecret: v.LASTRO_KEY_RING,
      refreshMs: v.LASTRO_KEY_REFRESH_MS,
    },
    ...vaultShape(v),
    transparency: {
      enabled: v.LASTRO_LOG,
      name: v.LASTRO_LOG_NAME,
      keyFile: v.LASTRO_LOG_KEY_FILE ?? join(v.LASTRO_DATA_DIR, "keys", "log-key.json"),
      intervalMs: v.LASTRO_LOG_INTERVAL_MS,
      limits: {
        batchMax: v.LASTRO_LOG_BATCH,
        heartbeatMs: v.LASTRO_LOG_HEARTBEAT_MS,
        keyOverlapMs: v.LASTRO_LOG_KEY_OVERLAP_MS,
      },
    },
    searchIndex: { enabled: v.LASTRO_SEARCH_INDEX, busyShare: v.LASTRO_SEARCH_INDEX_SHARE },
    witnesses: {
      list: v.LASTRO_WITNESSES,
      quorum: v.LASTRO_WITNESS_QUORUM ?? Math.floor(v.LASTRO_WITNESSES.length / 2) + 1,
      intervalMs: v.LASTRO_WITNESS_INTERVAL_MS,
      timeoutMs: v.LASTRO_WITNESS_TIMEOUT_MS,
    },
    anchors: {
      folder: v.LASTRO_ANCHOR_FOLDER,
      authority: authorityOf(v),
      intervalMs: v.LASTRO_ANCHOR_INTERVAL_MS,
      timeoutMs: v.LASTRO_ANCHOR_TIMEOUT_MS,
    },
    ...accessShape(v),
    ...servingShape(v),
    catalogueFile: v.LASTRO_CATALOGUE_FILE,
    parse: parseOptionsOf(v),
    intake: {
      batchSizeMax: v.LASTRO_BATCH_SIZE_MAX,
      attemptsMax: v.LASTRO_APPEND_ATTEMPTS_MAX,
      backoffMinMs: v.LASTRO_RETRY_MIN_MS,
      backoffMaxMs: v.LASTRO_RETRY_MAX_MS,
    },
    drainMsMax: v.LASTRO_DRAIN_MS_MAX,
    deadLetters: { attemptsMax: v.LASTRO_DEAD_LETTER_ATTEMPTS_MAX },
    breaker: {
      enabled: v.LASTRO_BREAKER,
      windowSize: v.LASTRO_BREAKER_WINDOW,
      ratio: v.LASTRO_BREAKER_RATIO,
      producersMin: v.LASTRO_BREAKER_PRODUCERS_MIN,
    },
    telemetry: { otlpEndpoint: v.LASTRO_OTLP_ENDPOINT, sampleRatio: v.LASTRO_OTLP_SAMPLE_RATIO },
    log: { level: v.LASTRO_LOG_LEVEL },
    launched: v.LASTRO_LAUNCHED,
  };
}

const settingsOf = ({ texts, files, references }: Given): readonly Setting[] =>
  configVariables.map(({ name, defaultText }) => {
    const reference = references.get(name);
    if (reference !== undefined) return { name, value: formatSecretReference(reference), from: "Vault" };
    const text = texts.get(name);
    if (text === undefined) return { name, value: defaultText, from: "default" };
    return {
      name,
      value: hiddenNames.has(name) ? "(hidden)" : secretNames.has(name) ? withoutSecrets(text) : text,
      from: files.has(name) ? "file" : "environment",
    };
  });

/** One line per variable, without secrets. */
export const describeConfig = (config: Config): string =>
  config.settings.map(({ name, value, from }) => `${name}=${value}  (${from})`).join("\n");
