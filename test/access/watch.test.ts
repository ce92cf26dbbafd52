/** What becomes an event of our own, and what happens while nobody takes it. */
import { randomBytes } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import { countedMax, toldTypes, waitingMax } from "../../src/access/telling.ts";
import { lending } from "../../src/access/viewer-tokens.ts";
import { openWatch, type WatchOptions } from "../../src/access/watch.ts";
import type { Caller } from "../../src/core/caller.ts";
import { emptyCatalogue } from "../../src/core/catalogue.ts";
import { classify } from "../../src/core/entity.ts";
import { parseEvent } from "../../src/core/envelope.ts";
import { LastroError } from "../../src/core/errors.ts";
import type { Rid } from "../../src/core/ids.ts";
import { defaultParseOptions, selfProducer } from "../../src/core/parse-options.ts";
import type { EventToPublish } from "../../src/ports/event-publisher.ts";
import { grant, person } from "../support/callers.ts";

const nowMs = Date.UTC(2026, 10, 21, 12);
const signal = new AbortController().signal;
const anna = person("anna", grant("auditor"), grant("dpo", { tenants: ["a"] }));
/** One of many to whom anna lends a view. */
const viewer = (n: number): Caller => ({
  id: `viewer:${n}`,
  kind: "viewer",
  lentBy: anna.id,
  grants: [grant("reader")],
});
const record = (tenant = "a", producerService = "billing") => ({ tenant, producerService });
const away = () => new LastroError("SOURCE_UNAVAILABLE", "Kafka is away");

/** A topic that takes events, holds them back or refuses them. */
function openTopic(options: Partial<WatchOptions> = {}) {
  const events: EventToPublish[] = [];
  const outcomes = { published: 0, dropped: 0 };
  const topic = {
    events,
    outcomes,
    answer: async (): Promise<void> => undefined,
    /** Of `events`, what they say. */
    told: () => events.map(({ value }) => JSON.parse(Buffer.from(value).toString())),
  };
  const watch = openWatch({
    mode: "on",
    reads: "each",
    windowMs: 60_000,
    instance: "store-1",
    now: () => nowMs,
    random: (bytes) => randomBytes(bytes),
    observer: {
      selfAudit(outcome, count) {
        outcomes[outcome] += count;
      },
    },
    publisher: {
      async publish(event) {
        await topic.answer();
        events.push(event);
        return "" as Rid;
      },
    },
    ...options,
  });
  return { topic, watch };
}

describe("R-87 what becomes an event", () => {
  test("a read of bodies: one a call, with method, caller, tenants and number; a read without bodies: none", async () => {
    const { topic, watch } = openTopic();
    await watch.read(anna, "SearchRecords", [record("a"), record("a"), record("b")], signal);
    await watch.read(anna, "GetRecord", [record("b")], signal);
    await watch.read(anna, "GetRecord", [], signal);
    await watch[Symbol.asyncDispose]();
    expect(topic.told()).toEqual([
      expect.objectContaining({
        producer_service: "lastro",
        producer_service_id: "store-1",
        event_type: "personal_data.viewed",
        payload: { id: "SearchRecords", records: 3, tenants: ["a", "b"] },
        metadata: expect.objectContaining({
          owner_id: "person:test#anna",
          owner_role: "auditor,dpo",
          owner_type: "user",
          tenant_id: "default",
        }),
      }),
      expect.objectContaining({
        payload: { id: "GetRecord", records: 1, tenants: ["b"] },
        metadata: expect.objectContaining({ tenant_id: "b" }),
      }),
    ]);
    expect(topic.outcomes).toEqual({ published: 2, dropped: 0 });
  });

  test("counts of what was told here: one a caller and window, so that looking at them adds nothing to them", async () => {
    const { topic, watch } = openTopic({ mode: "strict" });
    const counts = { what: "records_counted", number: 7, tenants: [], isOfSelfAudit: true } as const;
    for (let n = 0; n < 3; n++) await watch.told(anna, "SummarizeRecords", counts, signal);
    expect(topic.told()).toEqual([]);
    await watch[Symbol.asyncDispose]();
    expect(topic.told()).toEqual([
      expect.objectContaining({
        event_type: "personal_data.viewed",
        payload: expect.objectContaining({ id: "SummarizeRecords of self-audit" }),
      }),
    ]);
  });

  test("what tells of persons without their records: one a call with the number of what was told, where anything was", async () => {
    const { topic, watch } = openTopic();
    const counts = { what: "records_counted", number: 7, tenants: [] } as const;
    await watch.told(anna, "SummarizeRecords", counts, signal);
    await watch.told(anna, "GetOwnership", { what: "ownerships", number: 1, tenants: ["b"] }, signal);
    await watch.told(anna, "ListOwnerships", { what: "ownerships", number: 0, tenants: [] }, signal);
    await watch[Symbol.asyncDispose]();
    expect(topic.told()).toEqual([
      expect.objectContaining({
        event_type: "personal_data.viewed",
        payload: { id: "SummarizeRecords", records_counted: 7, tenants: [] },
        metadata: expect.objectContaining({ owner_id: anna.id, tenant_id: "default" }),
      }),
      expect.objectContaining({
        payload: { id: "GetOwnership", ownerships: 1, tenants: ["b"] },
        metadata: expect.objectContaining({ tenant_id: "b" }),
      }),
    ]);
  });

  test("denied attempts: one a caller and window, however many; a flood from more callers than are counted is bounded too", async () => {
    const { topic, watch } = openTopic();
    for (let i = 0; i < 5_000; i++) watch.denied(anna, i % 2 === 0 ? "GetRecord" : "SkipOffsets");
    for (let i = 0; i < 2 * countedMax; i++) watch.denied(person(`p${i}`), "GetState");
    await watch[Symbol.asyncDispose]();
    expect(topic.told()[0]).toMatchObject({
      event_type: "access.access_denied",
      payload: { id: "several", times: { GetRecord: 2_500, SkipOffsets: 2_500 }, window_ms: 60_000 },
    });
    expect(topic.events).toHaveLength(countedMax);
    expect(topic.outcomes).toEqual({ published: countedMax, dropped: countedMax + 1 });
  });

  test("what a viewer reads names who lent it the view, in each event", async () => {
    const { topic, watch } = openTopic();
    await watch.read(viewer(1), "GetRecord", [record()], signal);
    watch.denied(viewer(1), "ExportRecords");
    await watch[Symbol.asyncDispose]();
    expect(topic.told()).toEqual([
      expect.objectContaining({
        payload: { id: "GetRecord", records: 1, tenants: ["a"], lent_by: anna.id },
        metadata: expect.objectContaining({ owner_id: "viewer:1", owner_role: "reader" }),
      }),
      expect.objectContaining({
        payload: { id: "ExportRecords", times: { ExportRecords: 1 }, window_ms: 60_000, lent_by: anna.id },
        metadata: expect.objectContaining({ owner_id: "viewer:1" }),
      }),
    ]);
  });

  test("denied attempts of all viewers of one maker are one event a window, and keep nobody else's from being told", async () => {
    const { topic, watch } = openTopic();
    for (let i = 0; i < 2 * countedMax; i++) watch.denied(viewer(i), "ExportRecords");
    watch.denied(anna, "GetState");
    await watch[Symbol.asyncDispose]();
    expect(topic.told()).toEqual([
      expect.objectContaining({
        payload: expect.objectContaining({ times: { ExportRecords: 2 * countedMax }, lent_by: anna.id }),
        metadata: expect.objectContaining({ owner_id: "viewer:several" }),
      }),
      expect.objectContaining({ metadata: expect.objectContaining({ owner_id: anna.id }) }),
    ]);
    expect(topic.outcomes).toEqual({ published: 2, dropped: 0 });
  });

  test("a window ends by itself", async () => {
    const { topic, watch } = openTopic({ windowMs: 20 });
    const published = Promise.withResolvers<void>();
    topic.answer = async () => published.resolve();
    watch.denied(anna, "GetRecord");
    await published.promise;
    await watch[Symbol.asyncDispose]();
    expect(topic.events).toHaveLength(1);
  });

  test("reads of our own events make one event a caller and window, so that a walk over them comes to its end", async () => {
    const { topic, watch } = openTopic();
    for (let i = 0; i < 1_000; i++) await watch.read(anna, "GetRecord", [record("a", selfProducer)], signal);
    await watch.read(anna, "SearchRecords", [record("a", selfProducer), record("a")], signal);
    await watch[Symbol.asyncDispose]();
    expect(topic.told().map(({ payload }) => payload)).toEqual([
      { id: "SearchRecords", records: 1, tenants: ["a"] },
      {
        id: "several",
        times: { "GetRecord of self-audit": 1_000, "SearchRecords of self-audit": 1 },
        window_ms: 60_000,
      },
    ]);
  });

  test("where reads are counted, one a caller and window; off, nothing at all", async () => {
    const counted = openTopic({ reads: "counted" });
    for (let i = 0; i < 100; i++) await counted.watch.read(anna, "GetRecord", [record(), record()], signal);
    const owners = { what: "ownerships", number: 3, tenants: ["a"] } as const;
    for (let i = 0; i < 2; i++) await counted.watch.told(anna, "ListOwnerships", owners, signal);
    await counted.watch[Symbol.asyncDispose]();
    expect(counted.topic.told().map(({ payload }) => payload.times)).toEqual([
      { GetRecord: 200, ListOwnerships: 6 },
    ]);
    const off = openTopic({ mode: "off" });
    await off.watch.read(anna, "GetRecord", [record()], signal);
    off.watch.denied(anna, "GetRecord");
    await off.watch[Symbol.asyncDispose]();
    expect([off.watch.isOn, off.topic.events]).toEqual([false, []]);
  });

  const smile = "\u{1f600}";
  test.each([
    ["a name like any other", "1"],
    ["one that is too long", "x".repeat(1_000)],
    ["one that is too long in code points alone", smile.repeat(1_000)],
    ["one with a pair of surrogates where it is cut", "x".repeat(255 - person("").id.length) + smile],
    ["half a pair of surrogates", smile.slice(0, 1)],
    ["NUL", "a\u0000b"],
  ])(
    "every event is accepted as it is: its verb is known, and its actor is sealed apart; whatever its caller and what it is about are called: %s",
    async (_, name) => {
      const { topic, watch } = openTopic();
      const caller = person(name, grant("auditor"));
      await watch.read(caller, "GetRecord", [record()], signal);
      watch.denied(caller, "GetRecord");
      for (const type of toldTypes)
        await watch.act(caller, { type, id: name, detail: { reason: name } }, signal);
      const lent = { id: "1", token: "", expiresAtMs: nowMs, grants: viewer(1).grants };
      await watch.act({ ...viewer(1), lentBy: caller.id }, lending(lent), signal);
      await watch[Symbol.asyncDispose]();
      expect(topic.events).toHaveLength(toldTypes.length + 3);
      for (const { key, value, headers } of topic.events) {
        const event = {
          offset: 0,
          key: Buffer.from(key),
          value,
          headers: Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)] as const),
          timestampMs: nowMs,
        };
        const parsed = parseEvent(event, { ...defaultParseOptions, nowMs });
        if (!parsed.ok) throw new Error(JSON.stringify(parsed));
        const classified = classify(parsed.envelope, emptyCatalogue);
        if (!classified.ok) throw new Error(JSON.stringify(classified));
        expect(classified.classification.action.kind).toBe("activity");
        expect([...parsed.envelope.flags, ...classified.classification.flags]).toEqual([]);
        expect(parsed.envelope.identity).toEqual({ form: "header", parts: [headers["event_id"]] });
        const cut = parsed.envelope.cuts.map(({ start, end }) =>
          Buffer.from(value.subarray(start, end)).toString(),
        );
        expect(cut).toContain(JSON.stringify(parsed.envelope.actor.id));
      }
    },
  );
});

describe("while Kafka is away", () => {
  test("reads neither wait nor fail; what was told meanwhile is published once it is back", async () => {
    const { topic, watch } = openTopic();
    const back = Promise.withResolvers<void>();
    let isAway = true;
    topic.answer = async () => {
      if (!isAway) return;
      await back.promise;
      throw away();
    };
    for (let i = 0; i < 200; i++) await watch.read(anna, "GetRecord", [record()], signal);
    expect(topic.events).toEqual([]);
    isAway = false;
    back.resolve();
    await watch[Symbol.asyncDispose]();
    expect(topic.outcomes).toEqual({ published: 200, dropped: 0 });
    expect(new Set(topic.events.map(({ headers }) => headers["event_id"])).size).toBe(200);
  });

  test("an event that may be there already is published again under the same event id", async () => {
    const { topic, watch } = openTopic();
    const ids: unknown[] = [];
    let attempts = 0;
    const publisher = {
      async publish(event: EventToPublish) {
        ids.push(event.headers["event_id"]);
        if (++attempts < 3) throw away();
        return "" as Rid;
      },
    };
    const other = openTopic({ publisher });
    await other.watch.read(anna, "GetRecord", [record()], signal);
    await other.watch[Symbol.asyncDispose]();
    await watch[Symbol.asyncDispose]();
    expect(ids).toHaveLength(3);
    expect(new Set(ids).size).toBe(1);
    expect([other.topic.outcomes, topic.outcomes.dropped]).toEqual([{ published: 1, dropped: 0 }, 0]);
  });

  test("the queue is bounded: what does not fit is dropped and counted, and so is what is left at the end", async () => {
    const { topic, watch } = openTopic();
    topic.answer = () => Promise.reject(away());
    const calls = waitingMax + 500;
    for (let i = 0; i < calls; i++) await watch.read(anna, "GetRecord", [record()], signal);
    expect(topic.outcomes.dropped).toBeGreaterThan(0);
    expect(topic.outcomes.dropped).toBeLessThanOrEqual(500);
    await watch[Symbol.asyncDispose]();
    expect(topic.outcomes).toEqual({ published: 0, dropped: calls });
  });

  test("strict, nothing is read or done that was not told", async () => {
    const { topic, watch } = openTopic({ mode: "strict" });
    await watch.read(anna, "GetRecord", [record()], signal);
    expect(topic.events).toHaveLength(1);
    topic.answer = () => Promise.reject(away());
    await expect(watch.read(anna, "GetRecord", [record()], signal)).rejects.toMatchObject({
      code: "SOURCE_UNAVAILABLE",
    });
    const act = { type: "offset_skip.submitted", id: "1", detail: {} } as const;
    const counts = { what: "records_counted", number: 1, tenants: [] } as const;
    await expect(watch.told(anna, "SummarizeRecords", counts, signal)).rejects.toMatchObject({
      code: "SOURCE_UNAVAILABLE",
    });
    await expect(watch.act(anna, act, signal)).rejects.toMatchObject({ code: "SOURCE_UNAVAILABLE" });
    await watch.read(anna, "GetRecord", [], signal);
    await watch[Symbol.asyncDispose]();
  });
});
