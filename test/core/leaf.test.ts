import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import canonicalize from "canonicalize";
import fc from "fast-check";
import type { Kid, Rid, StreamAlias } from "../../src/core/ids.ts";
import { isoTime, leafHash, parseRecordEntry, type RecordEntry, recordEntry } from "../../src/core/leaf.ts";

type Vector = { readonly name: string; readonly entry: string; readonly leaf: string };
const vectors: { valid: Vector[]; invalid: Vector[] } = JSON.parse(
  readFileSync(new URL("../vectors/leaf/records.json", import.meta.url), "utf8"),
);
const sha256 = (bytes: Uint8Array): Uint8Array => createHash("sha256").update(bytes).digest();

const b64 = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((b) => Buffer.from(b).toString("base64url"));
const name = fc.string({
  unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
  minLength: 1,
  maxLength: 200,
});
const entries: fc.Arbitrary<RecordEntry> = fc.record({
  rid: b64(16).map((id) => `${id}.3.42` as Rid),
  recordedAtMs: fc.integer({ min: 0, max: 253_402_300_799_999 }),
  tenant: name,
  producerService: name,
  eventType: name,
  action: fc.constantFrom("new", "update", "delete", "disable", "enable", "none"),
  kind: fc.constantFrom("change", "activity"),
  alias: b64(16) as fc.Arbitrary<StreamAlias>,
  version: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  parts: fc.array(
    fc.record({
      c: fc.constantFrom("s", "p", "a"),
      k: b64(16) as fc.Arbitrary<Kid>,
      h: b64(32),
      m: b64(32),
    }),
    { minLength: 1, maxLength: 16 },
  ),
});

test("an entry is RFC 8785 text and is read back as what was written", () => {
  fc.assert(
    fc.property(entries, (entry) => {
      const text = recordEntry(entry);
      expect(text).toBe(canonicalize(JSON.parse(text ?? "")));
      expect(parseRecordEntry(text ?? "")).toEqual(entry);
    }),
  );
});

const strange = [
  '"',
  "\\",
  '\\"',
  "\\u0041",
  "{}",
  ",",
  "0",
  "-",
  "9",
  "Z",
  " ",
  "é",
  "new",
  "null",
  "1e3",
  "24:00",
  "02-30",
];

test("a text that was changed anywhere is read only if it is again one that is written for what it says", () => {
  let refused = 0;
  const change = fc.record({ at: fc.nat(), cut: fc.nat(3), put: fc.constantFrom("", ...strange) });
  fc.assert(
    fc.property(entries, change, (entry, { at, cut, put }) => {
      const text = recordEntry(entry) ?? "";
      const start = at % (text.length + 1);
      const changed = text.slice(0, start) + put + text.slice(start + cut);
      const read = parseRecordEntry(changed);
      if (read === undefined) refused++;
      else expect(recordEntry(read)).toBe(changed);
    }),
    { numRuns: 2_000 },
  );
  expect(refused).toBeGreaterThan(200);
});

test.each([
  "2026-02-30T00:00:00.000Z",
  "2026-01-01T24:00:00.000Z",
  "2026-01-01T00:00:60.000Z",
  "2026-13-01T00:00:00.000Z",
])("an entry of %s, which no clock shows, is not read", (at) => {
  const [entry] = fc.sample(entries, 1);
  const text = entry && recordEntry({ ...entry, recordedAtMs: 0 });
  expect(parseRecordEntry(text ?? "")).toBeDefined();
  expect(parseRecordEntry(text?.replace("1970-01-01T00:00:00.000Z", at) ?? "")).toBeUndefined();
});

test("an entry of 16 parts and the longest names stays within 4,096 bytes", () => {
  const [entry] = fc.sample(entries, 1);
  const [tenant, part] = ["t".repeat(200), entry?.parts[0]];
  if (entry === undefined || part === undefined) throw new Error("no sample");
  const longest = { ...entry, tenant, producerService: tenant, eventType: tenant };
  expect(recordEntry({ ...longest, parts: Array(16).fill(part) })?.length).toBeLessThanOrEqual(4096);
  expect(recordEntry({ ...longest, parts: Array(24).fill(part) })).toBeUndefined();
});

test.each(["", "a b", "é", "tab\t", "x".repeat(201)])("an entry cannot hold the name %j", (text) => {
  const [entry] = fc.sample(entries, 1);
  if (entry === undefined) throw new Error("no sample");
  expect(recordEntry({ ...entry, tenant: text })).toBeUndefined();
  expect(recordEntry({ ...entry, producerService: text })).toBeUndefined();
  expect(recordEntry({ ...entry, eventType: text })).toBeUndefined();
});

test.each(vectors.valid)("vector, $name: read, written again and hashed to the byte", ({ entry, leaf }) => {
  const fields = parseRecordEntry(entry);
  expect(fields).toBeDefined();
  expect(fields && recordEntry(fields)).toBe(entry);
  expect(Buffer.from(leafHash(sha256, entry)).toString("hex")).toBe(leaf);
});

test.each(vectors.invalid)("vector, $name: is no record entry", ({ entry }) => {
  expect(parseRecordEntry(entry)).toBeUndefined();
});

test("a time is written as RFC 3339 in UTC with three decimals, whichever was written before", () => {
  const ms = fc.oneof(
    fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 }),
    fc.integer({ min: -3_000, max: 3_000 }),
  );
  fc.assert(
    fc.property(ms, (at) => expect(isoTime(at)).toBe(new Date(at).toISOString())),
    { numRuns: 1_000 },
  );
});
