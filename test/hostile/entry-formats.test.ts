/** Fuzz targets: the entries of the log, which are stored for ever, and the words of questions: filters, page tokens, addresses. */
import fc from "fast-check";
import { type Filter, parseFilter } from "../../src/core/filter.ts";
import {
  type Kid,
  type Rid,
  ridOf,
  type Src,
  type StreamAlias,
  srcOf,
  type TopicId,
} from "../../src/core/ids.ts";
import { normaliseIp } from "../../src/core/ip-address.ts";
import { parseRecordEntry, type RecordEntry, recordEntry } from "../../src/core/leaf.ts";
import { controlEntry, coverageEntry, type LogEntry, parseLogEntry } from "../../src/core/log-entries.ts";
import {
  decodePageToken,
  encodePageToken,
  type PageAead,
  type PagePosition,
} from "../../src/core/page-token.ts";
import { formOf } from "../../src/core/search-fields.ts";
import { decrypt, encrypt } from "../../src/privacy/aes-gcm.ts";
import { codecTests } from "../support/codec-tests.ts";
import { type Codec, orRefused } from "../support/codecs.ts";
import { filtersOf, filterText } from "../support/filters.ts";
import { must, timesOf } from "../support/fuzz.ts";
import entryVectors from "../vectors/log/entries.json" with { type: "json" };

const b64 = (length: number): fc.Arbitrary<string> =>
  fc
    .uint8Array({ minLength: length, maxLength: length })
    .map((bytes) => Buffer.from(bytes).toString("base64url"));
const visible = fc.stringMatching(/^[!-~]{1,30}$/);
const atMs = fc.integer({ min: 0, max: 253_402_300_799_999 });
const count = fc.nat(10_000);
const kid = b64(16) as fc.Arbitrary<Kid>;
const src: fc.Arbitrary<Src> = fc
  .tuple(b64(16), fc.nat(0x7fff_ffff))
  .map(([topic, partition]) => srcOf(topic as TopicId, partition));

const part = fc.record({
  c: fc.constantFrom("s" as const, "p" as const, "a" as const),
  k: kid,
  h: b64(32),
  m: b64(32),
});
const record: fc.Arbitrary<RecordEntry> = fc.record({
  rid: fc.tuple(src, fc.nat()).map(([of, offset]): Rid => ridOf(of, offset)),
  recordedAtMs: atMs,
  tenant: visible,
  producerService: visible,
  eventType: visible,
  action: fc.constantFrom("new" as const, "update" as const, "delete" as const, "disable" as const, "enable" as const, "none" as const),
  kind: fc.constantFrom("change" as const, "activity" as const),
  alias: b64(16) as fc.Arbitrary<StreamAlias>,
  version: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  parts: fc.array(part, { minLength: 1, maxLength: 16 }),
}); // biome-ignore format: a record
const records: Codec<RecordEntry> = {
  name: "entries of records",
  values: record,
  parse: parseRecordEntry,
  format: (entry) => recordEntry(entry) ?? "",
};

const coverage: fc.Arbitrary<LogEntry> = fc
  .record({ atMs, src, from: count, first: count, stored: fc.integer({ min: 1, max: 99 }), duplicate: count, conflict: count, rejected: count, gap: count, list: b64(32) })
  .map(({ stored, duplicate, conflict, rejected, gap, ...entry }) => {
    const counts = { stored, duplicate, conflict, rejected, gap };
    const to = entry.from + stored + duplicate + conflict + rejected + gap;
    return { t: "coverage", ...entry, n: stored, counts, to };
  }); // biome-ignore format: a chain
const data = fc.oneof(
  fc.record({ kind: fc.constant("genesis" as const), data: fc.record({ origin: visible, vkey: visible }) }),
  fc.record({ kind: fc.constant("heartbeat" as const), data: fc.constant({}) }),
  fc.record({ kind: fc.constant("key" as const), data: fc.record({ vkey: visible }) }),
  fc.record({ kind: fc.constant("fence" as const), data: fc.record({ act: visible, kids: fc.array(kid) }) }),
);
const control: fc.Arbitrary<LogEntry> = fc
  .tuple(data, visible, atMs)
  .map(([of, id, at]) => ({ t: "control", ...of, id, atMs: at }));
const entries: Codec<LogEntry> = {
  name: "entries of the log",
  values: fc.oneof(
    coverage,
    control,
    record.map((entry): LogEntry => ({ t: "record", ...entry })),
  ),
  texts: entryVectors.valid.map(({ entry }) => entry),
  parse: parseLogEntry,
  format: (entry) =>
    entry.t === "record"
      ? (recordEntry(entry) ?? "")
      : entry.t === "coverage"
        ? coverageEntry(entry)
        : controlEntry(entry),
};

const times = fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(9999, 0, 1) });
const filters: Codec<Filter> = {
  name: "filters",
  values: filtersOf({
    paths: ["/payload/plan", '/payload/a b/~0"*'],
    text: () => fc.string({ unit: "grapheme", maxLength: 20 }),
    number: (field) => (formOf(field).type === "time" ? times : fc.maxSafeInteger().map(Math.abs)),
    // Bounds on both sides may leave nothing, which is refused.
    ordering: [">", ">="],
  }),
  texts: [
    "((tenant=a) AND (action_at < 2024-06-22T12:00:00-03:00))",
    "owner_id='x y' AND active = true OR -severity >= HIGH flags:late",
    'payload.plan:* owner_id != "a*"',
    " ",
  ],
  parse: (text) =>
    orRefused("filter", () => parseFilter(text, new Set(["/payload/plan", '/payload/a b/~0"*']))),
  format: filterText,
  again: "another",
};

const key = Buffer.alloc(32, 7);
const nonce = Buffer.alloc(12, 1);
const aead: PageAead = {
  seal(iv, plaintext, additional) {
    const { ciphertext, tag } = encrypt(key, iv, additional, plaintext);
    return Buffer.concat([ciphertext, tag]);
  },
  open: (iv, sealed, additional) =>
    sealed.length < 16
      ? undefined
      : decrypt(key, iv, additional, sealed.subarray(0, -16), sealed.subarray(-16)),
};
const binding = { method: "SearchRecords", request: "h", caller: "anna", order: "recorded_at desc" };
const given = new Set<string>();
const tokens: Codec<PagePosition> = {
  name: "page tokens",
  values: fc.array(fc.oneof(fc.maxSafeInteger(), fc.string({ unit: "grapheme" })), { maxLength: 3 }),
  parse(text) {
    const position = orRefused("page_token", () => decodePageToken(aead, text, binding, 5));
    must(position === undefined || given.has(text), "a token was accepted that nobody gave");
    return position;
  },
  format(position) {
    const token = encodePageToken(aead, nonce, binding, position, 1);
    given.add(token);
    return token;
  },
};

const addresses: Codec<string> = {
  name: "addresses",
  values: fc
    .oneof(fc.ipV4(), fc.ipV6())
    .map(normaliseIp)
    .filter((ip) => ip !== undefined),
  parse: normaliseIp,
  format: (address) => address,
  again: "another",
};

codecTests(records);
codecTests(entries);
codecTests(filters, timesOf(20_000));
codecTests(tokens);
codecTests(addresses);
