import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { canonicalJson } from "../../src/core/canonical.ts";
import { emptyCatalogue } from "../../src/core/catalogue.ts";
import { classify } from "../../src/core/entity.ts";
import { defaultParseOptions, normaliseTraceId, parseEvent } from "../../src/core/envelope.ts";
import type { EventHeader } from "../../src/core/event.ts";
import type { JsonObject } from "../../src/core/json.ts";

/** Loaded machines run ten thousand cases slowly. */
const propertyTimeoutMs = 120_000;
const nowMs = Date.UTC(2024, 5, 22, 12, 1);
const options = { ...defaultParseOptions, nowMs };
const parse = (value: Uint8Array, headers: readonly EventHeader[] = []) =>
  parseEvent({ offset: 0, key: null, value, headers, timestampMs: 0 }, options);

const id = fc
  .string({ minLength: 1, maxLength: 60, unit: "grapheme" })
  .filter((text) => !text.includes("\u0000"));
const word = fc.stringMatching(/^[a-z0-9_]{1,12}$/);
const key = fc.oneof(
  id,
  fc.constantFrom("__proto__", "constructor", "toString", "then", "$set", "a.b", "toJSON"),
);
const metadata = fc.record({
  owner_id: id,
  owner_ip: fc.oneof(
    fc.ipV4(),
    fc.ipV6().filter((text) => !text.includes(".")),
  ),
  owner_role: id,
  owner_type: fc.constantFrom("user", "service"),
  event_schema_version: fc.constant("1.0"),
  ownership_id: id,
});
const event = fc.record({
  producer_service: fc.stringMatching(/^[\x21-\x7e]{1,40}$/),
  producer_service_id: id,
  trace_id: id,
  timestamp: fc.constant("2024-06-22T12:00:00Z"),
  event_type: fc.tuple(word, word).map(([type, verb]) => `${type}.${verb}`),
  payload: fc
    .array(fc.tuple(key, fc.jsonValue({ maxDepth: 3 })), { maxLength: 6 })
    .map((members) => Object.fromEntries(members)),
  metadata,
});

test(
  "generated envelopes come back as they were sent",
  () => {
    fc.assert(
      fc.property(event, (sent) => {
        const text = JSON.stringify(sent);
        const bytes = Buffer.from(text);
        const result = parse(bytes);
        if (!result.ok) throw new Error(JSON.stringify(result.rejection));
        const { envelope } = result;
        const received = JSON.parse(text) as JsonObject;
        const cuts = envelope.cuts.map(
          ({ start, end }) => JSON.parse(bytes.toString("utf8", start, end)) as string,
        );
        const { owner_id, owner_role, owner_ip } = sent.metadata;
        const back = [envelope.payload, envelope.metadata, envelope.actor.id, envelope.actor.role, cuts];
        const wanted = [
          received["payload"],
          received["metadata"],
          owner_id,
          owner_role,
          [owner_id, owner_ip],
        ];
        expect(JSON.stringify(back)).toBe(JSON.stringify(wanted));
        expect(canonicalJson(JSON.parse(envelope.canonical) as JsonObject)).toBe(canonicalJson(received));
      }),
      { numRuns: 10_000 },
    );
  },
  propertyTimeoutMs,
);

const template = Buffer.from(
  JSON.stringify({
    producer_service: "team_service",
    producer_service_id: "123e4567",
    trace_id: "7b3bf470-9456-11e8-9eb6-529269fb1459",
    timestamp: "2024-06-22T12:00:00Z",
    event_type: "account.created",
    payload: { id: 9007199254740000, name: "Jo\u00e3o \\ \u{1f600}", tags: [1.5e3, true, null, { a: {} }] },
    metadata: {
      event_schema_version: "1.0",
      user_id: "789",
      user_role: "admin",
      user_ip: "10.0.0.1",
      ownership_id: "o1",
    },
  }),
);

const structured = Buffer.from(
  `{"specversion":"1.0","id":"e1","source":"team_service","type":"account.created","data":${template}}`,
);
const structuredHeader: EventHeader = ["content-type", Buffer.from("application/cloudevents+json")];

test.each([
  ["a plain message", template, []],
  ["a structured CloudEvent", structured, [structuredHeader]],
])(
  "10,000 mutations of %s never throw",
  (_, valid, headers) => {
    expect(parse(valid, headers)).toMatchObject({ ok: true });
    const mutation = fc.tuple(
      fc.nat(valid.length - 1),
      fc.nat(255),
      fc.constantFrom("replace", "insert", "remove", "cut"),
    );
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 3 }), (mutations) => {
        let bytes = [...valid];
        for (const [at, byte, kind] of mutations) {
          if (kind === "cut") bytes = bytes.slice(0, at);
          else bytes.splice(at, kind === "insert" ? 0 : 1, ...(kind === "remove" ? [] : [byte]));
        }
        const result = parse(Uint8Array.from(bytes), headers);
        if (result.ok) classify(result.envelope, emptyCatalogue);
      }),
      { numRuns: 10_000 },
    );
  },
  propertyTimeoutMs,
);

test("prototypes stay as they were", () => {
  const text = template
    .toString()
    .replace('"name"', '"__proto__":{"isAdmin":true},"name"')
    .replace('"user_id"', '"__proto__":{"isAdmin":true},"user_id"');
  const result = parse(Buffer.from(text));
  if (!result.ok) throw new Error(result.rejection.sentence);
  const { payload, metadata: kept } = result.envelope;
  for (const object of [payload as JsonObject, kept]) {
    expect(Object.hasOwn(object, "__proto__")).toBe(true);
    expect(Object.getPrototypeOf(object)).toBe(Object.prototype);
  }
  expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
});

test("a trace id looked for is normalised as a stored one", () => {
  expect(normaliseTraceId("7B3BF470-9456-11E8-9EB6-529269FB1459")).toBe("7b3bf470945611e89eb6529269fb1459");
  expect(normaliseTraceId("checkout 7")).toBe("checkout 7");
});

test("a replayed dead letter may bear the header of its attempt beside as many as an event may have", () => {
  const { headersMax } = options.limits;
  const many = Array.from({ length: headersMax }, (_, i): EventHeader => [`h${i}`, Buffer.from("1")]);
  const reasonWith = (header: EventHeader) => {
    const parsed = parse(Buffer.from("{"), [...many, header]);
    return parsed.ok ? undefined : parsed.rejection.reason;
  };
  expect(reasonWith(["one.more", null])).toBe("HEADERS");
  expect(reasonWith(["audit.dlq.attempt", Buffer.from("1")])).toBe("INVALID_JSON");
  expect(reasonWith(["audit.dlq.attempt", Buffer.alloc(options.limits.headerBytesMax)])).toBe("HEADERS");
});
