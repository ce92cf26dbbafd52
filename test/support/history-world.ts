/** A small world to ask questions of: real events, parsed, classified, sealed and appended to a SQLite store in memory. */
import { createHash, randomBytes } from "node:crypto";
import { openSqliteStore } from "../../src/adapters/sqlite/open.ts";
import { anyone, type Caller } from "../../src/core/caller.ts";
import { type Catalogue, emptyCatalogue } from "../../src/core/catalogue.ts";
import { classify } from "../../src/core/entity.ts";
import { defaultParseOptions, parseEvent } from "../../src/core/envelope.ts";
import type { EventHeader } from "../../src/core/event.ts";
import { ridOf, type StreamAlias, srcOf, type TopicId } from "../../src/core/ids.ts";
import { leafHash, recordEntry } from "../../src/core/leaf.ts";
import { asLate, projectionOf } from "../../src/core/projection.ts";
import type { RecordRow } from "../../src/core/record.ts";
import { placeVersions } from "../../src/core/versions.ts";
import type { HistoryReader } from "../../src/ports/history-reader.ts";
import type { OwnershipFacts } from "../../src/ports/record-store.ts";
import { headKeyText } from "../../src/ports/record-store.ts";
import type { Store } from "../../src/ports/store.ts";
import {
  actorKeyNeed,
  dataKeys,
  keyRefText,
  producerKeyNeed,
  subjectKeyNeed,
} from "../../src/privacy/data-keys.ts";
import { lookupKey } from "../../src/privacy/lookup-key.ts";
import { sealEvent } from "../../src/privacy/seal.ts";
import { sealedMetaText } from "../../src/privacy/sealed-meta.ts";
import type { QueryDeps } from "../../src/query/deps.ts";
import { publishedLog } from "../../src/query/published-log.ts";
import { unguarded } from "./unguarded.ts";

/** Another caller than `anyone`, who may as much. */
export const anna: Caller = { ...anyone, id: "anna" };

export const ownership = "1b08116e-74ff-4e71-8a17-26011cfea33f";
const topicId = "AAAAAAAAAAAAAAAAAAAAAQ" as TopicId;
export const worldSrc = srcOf(topicId, 0);

export type EventSpec = {
  readonly type?: string;
  readonly payload?: object;
  readonly metadata?: object;
  readonly producer?: string;
  readonly traceId?: string;
  readonly timestamp?: string;
  readonly headers?: readonly EventHeader[];
  /** Instead of all the others: the bytes themselves. */
  readonly text?: string;
};

export const eventText = (spec: EventSpec): string =>
  spec.text ??
  JSON.stringify({
    producer_service: spec.producer ?? "team_service",
    producer_service_id: "123e4567-e89b-12d3-a456-426614174000",
    trace_id: spec.traceId ?? "7b3bf470-9456-11e8-9eb6-529269fb1459",
    timestamp: spec.timestamp ?? "2024-06-22T12:00:00Z",
    event_type: spec.type ?? "account.updated",
    payload: spec.payload ?? { public_id: "a-1" },
    metadata: {
      event_schema_version: "1.0",
      user_id: "789",
      user_role: "admin",
      user_ip: "192.168.1.100",
      ownership_id: ownership,
      ...spec.metadata,
    },
  });

export type HistoryWorld = AsyncDisposable & {
  readonly deps: QueryDeps;
  readonly store: Store;
  /** One batch; a second later each time. */
  publish(...events: readonly EventSpec[]): Promise<readonly RecordRow[]>;
  nowMs(): number;
  /** The same questions asked of a store whose rows somebody has changed. */
  tampered(change: (row: RecordRow) => RecordRow): QueryDeps;
  /** The same questions after every key of that class was destroyed. */
  withoutKeys(keyClass: "s" | "a"): QueryDeps;
};

const never = new AbortController().signal;
const sha256 = (text: Uint8Array): Uint8Array => createHash("sha256").update(text).digest();

export async function openHistoryWorld(catalogue: Catalogue = emptyCatalogue): Promise<HistoryWorld> {
  const store = await openSqliteStore({ path: ":memory:" });
  const kek = { epoch: 1, key: randomBytes(32) };
  const ring = { current: () => kek, all: () => [kek], refresh: async () => {} };
  let nowMs = Date.parse("2024-06-22T12:00:00Z");
  let offset = 0;
  const now = (): number => nowMs;
  const keys = dataKeys({ keys: store.keys, ring, now, random: randomBytes });
  const lookup = lookupKey(randomBytes(32));
  const deps: QueryDeps = {
    history: store.history,
    index: store.index,
    log: publishedLog({ log: store.log, now }),
    keys,
    lookup,
    catalogue,
    now,
    random: randomBytes,
    guard: unguarded,
  };

  function candidate(spec: EventSpec) {
    const event = {
      offset: offset++,
      key: null,
      value: new TextEncoder().encode(eventText(spec)),
      headers: spec.headers ?? [],
      timestampMs: nowMs,
    };
    const parsed = parseEvent(event, { ...defaultParseOptions, nowMs });
    if (!parsed.ok) throw new Error(`${parsed.rejection.reason} ${parsed.rejection.pointer}`);
    const classified = classify(parsed.envelope, catalogue);
    if (!classified.ok) throw new Error(classified.rejection.sentence);
    const { envelope } = parsed;
    const { classification } = classified;
    const { entity, action } = classification;
    const stream = lookup.stream(envelope.tenant, entity.namespace, entity.type, entity.id);
    const owner =
      envelope.ownershipId === undefined
        ? undefined
        : lookup.ownership(envelope.tenant, envelope.ownershipId);
    return { event, envelope, classification, stream, kind: action.kind, owner };
  }

  async function rowsOf(candidates: readonly ReturnType<typeof candidate>[]): Promise<readonly RecordRow[]> {
    const heads = await store.records.heads(candidates, never);
    const places = placeVersions(
      candidates.map((c) => ({
        key: headKeyText(c),
        action: c.classification.action.kind === "change" ? c.classification.action.action : "none",
        actionAtMs: c.envelope.timestamp.ms,
      })),
      heads,
      nowMs,
      () => randomBytes(16).toString("base64url") as StreamAlias,
    );
    const rows: RecordRow[] = [];
    for (const [i, c] of candidates.entries()) {
      const place = places[i];
      if (place === undefined) throw new Error("no place");
      rows.push(await rowOf(c, place));
    }
    return rows;
  }

  async function rowOf(
    c: ReturnType<typeof candidate>,
    place: ReturnType<typeof placeVersions>[number],
  ): Promise<RecordRow> {
    const { envelope, classification } = c;
    const rid = ridOf(worldSrc, c.event.offset);
    const ownerNeed =
      c.owner === undefined
        ? producerKeyNeed(envelope.tenant, envelope.producerService)
        : subjectKeyNeed(envelope.tenant, c.owner, envelope.ownershipId);
    const actorNeed = actorKeyNeed(envelope.tenant, nowMs);
    const opened = await keys.forSealing([ownerNeed, actorNeed], never);
    const ownerKey = opened.get(keyRefText(ownerNeed));
    if (ownerKey === undefined) throw new Error("no key");
    const sealed = sealEvent(
      {
        event: c.event,
        rid,
        meta: sealedMetaText(c.event, envelope, classification, "none"),
        cuts: envelope.cuts,
        owner: { class: c.owner === undefined ? "p" : "s", key: ownerKey },
        actor: opened.get(keyRefText(actorNeed)),
      },
      randomBytes,
    );
    const action = classification.action.kind === "change" ? classification.action.action : "none";
    const entry = recordEntry({
      rid,
      recordedAtMs: place.recordedAtMs,
      tenant: envelope.tenant,
      producerService: envelope.producerService,
      eventType: envelope.eventType,
      action,
      kind: c.kind,
      alias: place.alias,
      version: place.version,
      parts: sealed.parts,
    });
    if (entry === undefined) throw new Error("entry too large");
    const fingerprint = lookup.fingerprint(envelope.canonical);
    return {
      rid,
      uid: lookup.uid(envelope.tenant, envelope.producerService, envelope.identity, fingerprint),
      fingerprint,
      stream: c.stream,
      kind: c.kind,
      version: place.version,
      alias: place.alias,
      action,
      recordedAtMs: place.recordedAtMs,
      isActive: place.isActive,
      ownership: c.owner,
      kids: sealed.kids,
      entry,
      leafHash: leafHash(sha256, entry),
      body: sealed.body,
      projection: place.late
        ? asLate(projectionOf(envelope, classification))
        : projectionOf(envelope, classification),
    };
  }

  const factsOf = (c: ReturnType<typeof candidate>): readonly OwnershipFacts[] =>
    c.owner === undefined || c.envelope.ownershipId === undefined
      ? []
      : [
          {
            ownership: c.owner,
            tenant: c.envelope.tenant,
            ownershipId: c.envelope.ownershipId,
            firstEventAtMs: c.envelope.timestamp.ms,
            lastEventAtMs: c.envelope.timestamp.ms,
            producers: [c.envelope.producerService],
            legalBases: [],
            purposes: [],
            retainUntilMs: undefined,
          },
        ];

  const withHistory = (change: (row: RecordRow) => RecordRow): HistoryReader => {
    const one = (row: RecordRow | undefined) => (row === undefined ? undefined : change(row));
    const { history } = store;
    return {
      ...history,
      byRid: async (...args) => one(await history.byRid(...args)),
      byUid: async (...args) => one(await history.byUid(...args)),
      async byRids(...args) {
        const { rows, looked } = await history.byRids(...args);
        return { rows: new Map([...rows].map(([rid, row]) => [rid, change(row)])), looked };
      },
      asOf: async (...args) => one(await history.asOf(...args)),
      versions: async (...args) => (await history.versions(...args)).map(change),
      async search(...args) {
        const answer = await history.search(...args);
        return { ...answer, rows: answer.rows.map(change) };
      },
    };
  };

  return {
    deps,
    store,
    nowMs: now,
    async publish(...events) {
      nowMs += 1000;
      const candidates = events.map(candidate);
      const records = await rowsOf(candidates);
      const first = new Map<string, RecordRow>();
      for (const row of records) if (!first.has(headKeyText(row))) first.set(headKeyText(row), row);
      const deactivate = [...first.values()]
        .filter((row) => row.kind === "change" && row.version > 1)
        .map((row) => ({ stream: row.stream, version: row.version - 1 }));
      const aliases = candidates.flatMap(({ envelope, classification: { entity }, stream }) =>
        entity.candidateIds.map((candidateId) => ({
          tenant: envelope.tenant,
          namespace: entity.namespace,
          entityType: entity.type,
          entityId: entity.id,
          candidateId,
          stream,
        })),
      );
      const verdict = await store.records.append(
        { records, deactivate, ownerships: candidates.flatMap(factsOf), aliases, account: undefined },
        never,
      );
      if (verdict.kind !== "done") throw new Error(`append: ${verdict.kind}`);
      return records;
    },
    tampered: (change) => ({ ...deps, history: withHistory(change) }),
    withoutKeys: (keyClass) => ({
      ...deps,
      keys: {
        async forOpening(kids, signal) {
          const open = await keys.forOpening(kids, signal);
          const destroyed = kids.filter((kid) => kid.class === keyClass).map((kid) => kid.kid);
          return new Map([...open].map(([kid, key]) => [kid, destroyed.includes(kid) ? "destroyed" : key]));
        },
      },
    }),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}
