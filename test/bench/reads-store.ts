/** A filled store to read from: events sent through intake's own stations, kept between runs in the user's cache folder. */
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import { openKeyRing } from "../../src/adapters/files/key-ring.ts";
import { openSqliteStore } from "../../src/adapters/sqlite/open.ts";
import { emptyCatalogue } from "../../src/core/catalogue.ts";
import { defaultParseOptions } from "../../src/core/envelope.ts";
import { ridOf, srcOf, type TopicId } from "../../src/core/ids.ts";
import type { IntakeDeps } from "../../src/ingest/deps.ts";
import { headCache } from "../../src/ingest/head-cache.ts";
import { watchIdSources } from "../../src/ingest/id-sources.ts";
import { ingestBatch } from "../../src/ingest/ingest-batch.ts";
import { openPace } from "../../src/ingest/pace.ts";
import { sleep } from "../../src/lib/backoff.ts";
import type { Store } from "../../src/ports/store.ts";
import { dataKeys } from "../../src/privacy/data-keys.ts";
import { openStoreKeys } from "../../src/privacy/store-keys.ts";
import type { QueryDeps } from "../../src/query/deps.ts";
import { silentLog, silentObserver } from "../support/intake.ts";
import { eventStream, seededRandom } from "./events.ts";

const topicId = "AAAAAAAAAAAAAAAAAAAAAQ" as TopicId;
const partitions = 6;
const batchEvents = 1_000;
/** Of recorded time, from batch to batch. */
const batchMs = 60_000;
const startMs = Date.UTC(2026, 10, 1);
const shape = { entities: 50_000, ownerships: 1_000, startMs };
const owners = 5_000;
const signal = new AbortController().signal;

export type ReadsStore = {
  readonly path: string;
  readonly ringPath: string;
  readonly records: number;
  readonly rids: readonly string[];
  /** Entities of 100 to 120 versions. */
  readonly entities: readonly {
    readonly namespace: string;
    readonly entityType: string;
    readonly entityId: string;
  }[];
  /** Filters by owner and a time range that leaves more than a page. */
  readonly filters: readonly string[];
};

const cacheFolder = (): string =>
  process.env["LASTRO_CACHE_DIR"] ||
  join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "lastro");

/** What decides how the file comes out. */
function digestOfSources(): string {
  const digest = createHash("sha256").update(JSON.stringify([shape, partitions, batchEvents, batchMs]));
  const sources = ["../../src/adapters/sqlite/schema.ts", "../../src/privacy/sealed-format.ts", "events.ts"];
  for (const source of sources) digest.update(readFileSync(new URL(source, import.meta.url)));
  return digest.digest("hex").slice(0, 12);
}

/** Built once for each form of the store; later runs open what is there. */
export async function prepareReadsStore(records: number): Promise<ReadsStore> {
  const folder = join(cacheFolder(), "bench", `reads-${records}-${digestOfSources()}`);
  if (!existsSync(folder)) {
    const unfinished = `${folder}.${process.pid}`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished, { recursive: true, mode: 0o700 });
    await build(unfinished, records);
    renameSync(unfinished, folder);
  }
  const path = join(folder, "lastro.db");
  return { path, ringPath: join(folder, "keyring.json"), records, ...questions(path, records) };
}

async function build(folder: string, records: number): Promise<void> {
  await using store = await openSqliteStore({ path: join(folder, "lastro.db") });
  let nowMs = startMs;
  const deps = await intakeOver(store, {
    ringPath: join(folder, "keyring.json"),
    create: true,
    now: () => nowMs,
  });
  const events = eventStream(1, shape);
  for (let batch = 0; batch < records / batchEvents; batch++) {
    nowMs += batchMs;
    await ingest(deps, events, { ...placeOf(batch), count: batchEvents });
  }
}

/** Batches go to the partitions in turn. */
const placeOf = (batch: number): Omit<Place, "count"> => ({
  partition: batch % partitions,
  from: Math.floor(batch / partitions) * batchEvents,
});

/** Of the nth record that `build` stores, from 0. */
export function ridOfNth(n: number): string {
  const { partition, from } = placeOf(Math.floor(n / batchEvents));
  return ridOf(srcOf(topicId, partition), from + (n % batchEvents));
}

type Events = ReturnType<typeof eventStream>;
type Place = { readonly partition: number; readonly from: number; readonly count: number };
const control = { heartbeat: async () => undefined, isStale: () => false, signal };

/** One batch as a consumer would hand it over. */
async function ingest(deps: IntakeDeps, events: Events, { partition, from, count }: Place): Promise<void> {
  const batch = { src: srcOf(topicId, partition), topicId, topic: "audit", partition };
  const [to, timestampMs] = [from + count, deps.now()];
  const taken = Array.from({ length: count }, (_, at) => {
    const { key, value } = events.next().value;
    return { offset: from + at, key: Buffer.from(key), value: Buffer.from(value), headers: [], timestampMs };
  });
  const ended = await ingestBatch(deps, { ...batch, from, to, logEnd: to, events: taken }, control);
  if (ended.kind !== "done" || ended.report.counts.stored !== count)
    throw new Error(`the batch at ${from} of partition ${partition} was not stored whole`);
}

const feedMs = 10;

/** New events at that rate, until the process ends: batches of a few, as they come when nothing lags. */
export async function feed(deps: IntakeDeps, perSecond: number): Promise<never> {
  const events = eventStream(Date.now(), shape);
  const began = performance.now();
  for (let batch = 0, fed = 0; ; batch++) {
    const partition = batch % partitions;
    const count = Math.floor(((performance.now() - began) / 1_000) * perSecond) - fed;
    const from = (await deps.records.mark(srcOf(topicId, partition), signal)) ?? 0;
    if (count > 0) await ingest(deps, events, { partition, from, count });
    fed += count;
    await setTimeout(feedMs);
  }
}

type IntakeOptions = { readonly ringPath: string; readonly create: boolean; readonly now: () => number };

export async function intakeOver(
  store: Store,
  { ringPath, create, now }: IntakeOptions,
): Promise<IntakeDeps & Pick<QueryDeps, "lookup" | "catalogue">> {
  const ring = await openKeyRing({ path: ringPath, create, random: randomBytes });
  const keys = await openStoreKeys({ state: store.state, ring, random: randomBytes, now }, signal);
  return {
    records: store.records,
    recordsOf: store.audit.records,
    hints: {
      known: async () => new Set(),
      remember: async () => undefined,
      isConnected: () => true,
      [Symbol.asyncDispose]: async () => undefined,
    },
    deadLetters: {
      send: async () => {
        throw new Error("an event of the load was rejected");
      },
      replay: async () => [],
      [Symbol.asyncDispose]: async () => undefined,
    },
    stations: {
      lookup: keys.lookupKey,
      catalogue: emptyCatalogue,
      catalogueDigest: "none",
      parse: defaultParseOptions,
      random: randomBytes,
      noteFault: (cause) => {
        throw cause;
      },
    },
    lookup: keys.lookupKey,
    // Its keys are remembered by the real clock: the other one jumps.
    dataKeys: dataKeys({ keys: store.keys, ring: keys.ring, now: Date.now, random: randomBytes }),
    catalogue: emptyCatalogue,
    heads: headCache(store.records, shape.entities),
    limits: { batchSizeMax: batchEvents, attemptsMax: 1, backoffMinMs: 1, backoffMaxMs: 1 },
    now,
    random: randomBytes,
    sleep,
    observer: silentObserver,
    log: silentLog,
    idSources: watchIdSources(silentObserver, silentLog),
    pace: openPace(),
  };
}

const questionsMax = { rids: 20_000, filters: 500 };

/** Those with 100 to 120 versions. */
export const entitiesIn = (db: DatabaseSync): ReadsStore["entities"] =>
  db
    .prepare(`SELECT namespace, entity_type AS entityType, entity_id AS entityId FROM
      (SELECT stream AS wanted FROM records WHERE kind = 0 AND version = 100
        EXCEPT SELECT stream FROM records WHERE kind = 0 AND version = 121)
      JOIN records ON stream = wanted AND kind = 0 AND version = 100`)
    .all()
    .map(({ namespace, entityType, entityId }) => ({
      namespace: String(namespace),
      entityType: String(entityType),
      entityId: String(entityId),
    }));

function questions(path: string, records: number): Pick<ReadsStore, "rids" | "entities" | "filters"> {
  const random = seededRandom(2);
  const upTo = (count: number): number => Math.floor(random() * count);
  using db = new DatabaseSync(path, { readOnly: true });
  const entities = entitiesIn(db);
  const rids = Array.from({ length: questionsMax.rids }, () => ridOfNth(upTo(records)));
  const spanMs = (records / batchEvents) * batchMs;
  const filters = Array.from({ length: questionsMax.filters }, () => {
    const from = startMs + upTo(spanMs / 4);
    const range = [from, from + spanMs / 2].map((ms) => new Date(ms).toISOString());
    return `owner_id = "${1 + upTo(owners)}" AND recorded_at >= "${range[0]}" AND recorded_at < "${range[1]}"`;
  });
  return { rids, entities, filters };
}
