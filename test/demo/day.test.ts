import { expect, test } from "@jest/globals";
import { emptyCatalogue } from "../../src/core/catalogue.ts";
import { classify } from "../../src/core/entity.ts";
import { defaultParseOptions, parseEvent } from "../../src/core/envelope.ts";
import type { SourceEvent } from "../../src/core/event.ts";
import { brokenKinds } from "../../src/demo/broken.ts";
import { type DayMessage, makeDay, messagesOfDay } from "../../src/demo/day.ts";

const nowMs = Date.UTC(2026, 10, 21, 12);
const dayMs = 86_400_000;
const options = { ...defaultParseOptions, nowMs };
const day = makeDay("a1b2c3d4", nowMs);

const eventOf = ({ key, value, headers }: DayMessage): SourceEvent => ({
  offset: 0,
  key: Buffer.from(key),
  value,
  headers: Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)]),
  timestampMs: nowMs,
});

/** What the rules of the core make of the day, message by message, were every partition read in order. */
function simulate(messages: readonly DayMessage[]) {
  const first = new Map<string, { readonly at: number; readonly text: string }>();
  return messages.map((message, at) => {
    const parsed = parseEvent(eventOf(message), options);
    if (!parsed.ok) return { kind: "rejected", reason: parsed.rejection.reason };
    const classified = classify(parsed.envelope, emptyCatalogue);
    if (!classified.ok) return { kind: "rejected", reason: classified.rejection.reason };
    const { identity, canonical, producerService } = parsed.envelope;
    const parts = identity.form === "fp" ? [canonical] : identity.parts;
    const uid = JSON.stringify([producerService, identity.form, parts]);
    const before = first.get(uid);
    if (before === undefined) {
      first.set(uid, { at, text: canonical });
      return { kind: "stored" };
    }
    return { kind: before.text === canonical ? "duplicate" : "conflict", of: before.at };
  });
}

test("a day is exactly 2,000 messages, in order, of the 24 hours before now", () => {
  expect(day.messages).toHaveLength(2_000);
  expect(messagesOfDay).toBe(2_000);
  const times = day.messages.map(({ atMs }) => atMs);
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(times[0]).toBeGreaterThanOrEqual(nowMs - dayMs);
  expect(times.at(-1)).toBeLessThanOrEqual(nowMs);
});

test("the parser and the rules of duplicates make of each message what the day promises", () => {
  expect(simulate(day.messages)).toEqual(day.messages.map(({ promised }) => promised));
});

test("the promised counts are those of the messages, and there is one conflict", () => {
  const counts = { stored: 0, duplicate: 0, conflict: 0, rejected: 0, gap: 0 };
  for (const { promised } of day.messages) counts[promised.kind] += 1;
  expect(day.promised).toEqual(counts);
  expect(counts).toMatchObject({ duplicate: 62, conflict: 1, rejected: 40, gap: 0 });
});

test("there are twelve kinds of broken messages, each in the day and refused for another reason", () => {
  expect(new Set(brokenKinds.map(({ reason }) => reason)).size).toBe(12);
  const refused = day.messages.flatMap((message) => {
    const parsed = parseEvent(eventOf(message), options);
    return parsed.ok ? [] : [parsed.rejection.reason];
  });
  expect(new Set(refused)).toEqual(new Set(brokenKinds.map(({ reason }) => reason)));
});

test("no broken message counts towards the breaker as one of a producer outside the demo", () => {
  const broken = day.messages.filter(({ promised }) => promised.kind === "rejected");
  const tenants = broken.flatMap(({ value }) => {
    try {
      const event = JSON.parse(String(value));
      return event === null || Array.isArray(event) ? [] : [event.metadata.tenant_id];
    } catch {
      return [];
    }
  });
  expect(tenants.length).toBeGreaterThan(0);
  expect(new Set(tenants)).toEqual(new Set(["demo"]));
});

test("three producers create, change, disable, enable, remove, read and log in", () => {
  const seen = day.messages.flatMap((message) => {
    const parsed = parseEvent(eventOf(message), options);
    const classified = parsed.ok ? classify(parsed.envelope, emptyCatalogue) : parsed;
    if (!parsed.ok || !classified.ok) return [];
    const { action, flags } = classified.classification;
    expect([...parsed.envelope.flags, ...flags].filter((flag) => flag !== "aliased")).toEqual([]);
    return [
      {
        producer: parsed.envelope.producerService,
        does: action.kind === "change" ? action.action : message.eventType,
      },
    ];
  });
  const done = new Set(seen.map(({ does }) => does));
  expect([...done]).toEqual(
    expect.arrayContaining(["new", "update", "disable", "enable", "delete", "account.viewed", "user.login"]),
  );
  expect(new Set(seen.map(({ producer }) => producer))).toEqual(
    new Set(["team_service", "billing_service", "identity_service"]),
  );
});

test("the account the report looks at begins with the reference event under its alias names", () => {
  const first = day.messages.find(({ key }) => key === day.hero.entity.entityId);
  const event = JSON.parse(String(first?.value));
  expect(Object.keys(event.payload)).toEqual(["id", "public_id", "document_registry", "name"]);
  expect(event.metadata).toMatchObject({
    user_id: "789",
    user_role: "admin",
    user_ip: "192.168.1.100",
    tenant_id: "demo",
  });
  expect(event).toMatchObject({ producer_service: "team_service", event_type: "account.created" });
});

test("the same run at the same hour is the same day; another run has the same shape and no id in common", () => {
  expect(JSON.stringify(makeDay("a1b2c3d4", nowMs))).toBe(JSON.stringify(day));
  const other = makeDay("ffff0000", nowMs);
  expect(other.messages.map(({ eventType, atMs, promised }) => ({ eventType, atMs, promised }))).toEqual(
    day.messages.map(({ eventType, atMs, promised }) => ({ eventType, atMs, promised })),
  );
  const keys = new Set(day.messages.map(({ key }) => key));
  expect(other.messages.filter(({ key }) => keys.has(key))).toEqual([]);
});
