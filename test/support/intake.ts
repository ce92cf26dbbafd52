/** Intake over a real SQLite store in memory: batches are handed in, time stands still unless moved, dead letters are collected. */
import { openSqliteStore } from "../../src/adapters/sqlite/open.ts";
import { emptyCatalogue } from "../../src/core/catalogue.ts";
import { defaultParseOptions } from "../../src/core/envelope.ts";
import type { SourceEvent } from "../../src/core/event.ts";
import { srcOf, type TopicId, type Uid } from "../../src/core/ids.ts";
import type { IntakeDeps } from "../../src/ingest/deps.ts";
import { headCache } from "../../src/ingest/head-cache.ts";
import { watchIdSources } from "../../src/ingest/id-sources.ts";
import { openPace } from "../../src/ingest/pace.ts";
import { sleep } from "../../src/lib/backoff.ts";
import type { Randomness } from "../../src/ports/clock.ts";
import type { DeadLetter } from "../../src/ports/dead-letters.ts";
import type { DedupHints } from "../../src/ports/dedup-hints.ts";
import type { BatchControl, SourceBatch } from "../../src/ports/event-source.ts";
import type { Log } from "../../src/ports/log.ts";
import type { IntakePoint, LogPoint, Observer } from "../../src/ports/observer.ts";
import type { Store } from "../../src/ports/store.ts";
import { dataKeys } from "../../src/privacy/data-keys.ts";
import type { LookupKey } from "../../src/privacy/lookup-key.ts";
import { openStoreKeys } from "../../src/privacy/store-keys.ts";
import { countedRandomness, memoryKeyRing } from "./memory-keys.ts";

export const topicId = "AAAAAAAAAAAAAAAAAAAAAQ" as TopicId;
export const nowMs = Date.UTC(2026, 10, 21, 12);

export const stationSettings = {
  catalogue: emptyCatalogue,
  catalogueDigest: "none",
  parse: defaultParseOptions,
};

export type Intake = AsyncDisposable & {
  readonly store: Store;
  readonly deps: IntakeDeps;
  readonly lookup: LookupKey;
  readonly letters: DeadLetter[];
  readonly remembered: Set<Uid>;
  readonly reached: (IntakePoint | LogPoint)[];
  readonly control: BatchControl & { stale: boolean };
  hintsMode: "honest" | "unavailable" | "forgetful";
};

export async function openIntake(given?: Store, random: Randomness = countedRandomness()): Promise<Intake> {
  const store = given ?? (await openSqliteStore({ path: ":memory:" }));
  const ring = memoryKeyRing([1]);
  const signal = new AbortController().signal;
  const { lookupKey: lookup, ring: admitted } = await openStoreKeys(
    { state: store.state, ring, random, now: () => nowMs },
    signal,
  );
  const letters: DeadLetter[] = [];
  const remembered = new Set<Uid>();
  const reached: (IntakePoint | LogPoint)[] = [];
  const intake: Pick<Intake, "hintsMode"> = { hintsMode: "honest" };
  const hints: DedupHints = {
    known: async (uids) =>
      intake.hintsMode === "unavailable"
        ? "unavailable"
        : new Set(uids.filter((uid) => intake.hintsMode === "honest" && remembered.has(uid))),
    remember: async (uids) => uids.forEach((uid) => void remembered.add(uid)),
    isConnected: () => intake.hintsMode !== "unavailable",
    [Symbol.asyncDispose]: async () => undefined,
  };
  const deps: IntakeDeps = {
    records: store.records,
    recordsOf: store.audit.records,
    hints,
    deadLetters: {
      async send(sent) {
        letters.push(...sent);
        return sent.map((_, index) => ({
          topic: "audit.dlq",
          partition: 0,
          offset: letters.length - sent.length + index,
        }));
      },
      replay: async () => [],
      [Symbol.asyncDispose]: async () => undefined,
    },
    stations: { ...stationSettings, lookup, random, noteFault: () => undefined },
    dataKeys: dataKeys({ keys: store.keys, ring: admitted, now: () => nowMs, random }),
    heads: headCache(store.records, 1000),
    idSources: watchIdSources(silentObserver, silentLog),
    pace: openPace(),
    limits: { batchSizeMax: 1000, attemptsMax: 4, backoffMinMs: 1, backoffMaxMs: 2 },
    now: () => nowMs,
    random,
    sleep,
    observer: { ...silentObserver, reached: (point) => void reached.push(point) },
    log: silentLog,
  };
  const control = { stale: false, heartbeat: async () => undefined, isStale: () => control.stale, signal };
  return Object.assign(intake, {
    store,
    deps,
    lookup,
    letters,
    remembered,
    reached,
    control,
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  });
}

export const silentLog: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };
export const silentObserver: Observer = {
  aroundBatch: (_, work) => work(),
  batchDone: () => undefined,
  reached: () => undefined,
  partition: () => undefined,
  breaker: () => undefined,
  internalError: () => undefined,
  entityIdSourceChanged: () => undefined,
  logPass: () => undefined,
  logStandby: () => undefined,
  logHalted: () => undefined,
  witnessesAsked: () => undefined,
  anchorsAsked: () => undefined,
  connectionOverLimit: () => undefined,
  callerRefused: () => undefined,
  selfAudit: () => undefined,
  indexPass: () => undefined,
  switches: () => undefined,
  switchedOff: () => undefined,
};

/** The reference event, with changes to it. */
export function auditEvent(
  change: {
    readonly id?: string;
    readonly type?: string;
    readonly eventId?: string;
    readonly at?: string;
    readonly name?: string;
    readonly owner?: string;
    readonly producer?: string;
  } = {},
): string {
  return JSON.stringify({
    producer_service: change.producer ?? "team_service",
    producer_service_id: "123e4567-e89b-12d3-a456-426614174000",
    trace_id: "7b3bf470-9456-11e8-9eb6-529269fb1459",
    timestamp: change.at ?? "2026-11-21T11:00:00Z",
    event_type: change.type ?? "account.updated",
    payload: {
      id: 123,
      public_id: change.id ?? "a-1",
      document_registry: "12345678900",
      name: change.name ?? "John Doe",
    },
    metadata: {
      event_schema_version: "1.0",
      environment: "production",
      user_id: "789",
      user_role: "admin",
      user_ip: "192.168.1.100",
      ownership_id: change.owner ?? "1b08116e-74ff-4e71-8a17-26011cfea33f",
      ...(change.eventId !== undefined && { event_id: change.eventId }),
    },
  });
}

/** Values at consecutive offsets from `from`; undefined leaves a hole. */
export function batchOf(from: number, values: readonly (string | undefined)[], partition = 0): SourceBatch {
  const events: SourceEvent[] = values.flatMap((value, index) =>
    value === undefined
      ? []
      : [{ offset: from + index, key: null, value: Buffer.from(value), headers: [], timestampMs: nowMs - 5 }],
  );
  return {
    ...batchOfEvents(events, partition),
    from,
    to: from + values.length,
    logEnd: from + values.length,
  };
}

/** Events at consecutive offsets. */
export function batchOfEvents(events: readonly SourceEvent[], partition = 0): SourceBatch {
  const [from, to] = [events[0]?.offset ?? 0, (events.at(-1)?.offset ?? -1) + 1];
  return { src: srcOf(topicId, partition), topicId, topic: "audit", partition, from, to, events, logEnd: to };
}
