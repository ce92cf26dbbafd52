import { readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import canonicalize from "canonicalize";
import fc from "fast-check";
import { type Kid, type Rid, ridOf, type Src, srcOf, type TopicId } from "../../src/core/ids.ts";
import { leafHash } from "../../src/core/leaf.ts";
import {
  type ControlData,
  type CoverageEntry,
  controlEntry,
  coverageEntry,
  outcomeList,
  parseLogEntry,
} from "../../src/core/log-entries.ts";
import { gapCauses, type OutcomeRow, rejectReasons } from "../../src/core/outcome.ts";
import { hex, sha256 } from "../support/log.ts";
import vectors from "../vectors/log/entries.json" with { type: "json" };

const b64 = (length: number): fc.Arbitrary<string> =>
  fc
    .uint8Array({ minLength: length, maxLength: length })
    .map((bytes) => Buffer.from(bytes).toString("base64url"));
const name = fc.string({
  unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
  minLength: 1,
  maxLength: 200,
});
const src: fc.Arbitrary<Src> = fc
  .tuple(b64(16), fc.nat(0x7fff_ffff))
  .map(([topic, partition]) => srcOf(topic as TopicId, partition));
const kids = fc.array(b64(16) as fc.Arbitrary<Kid>, { maxLength: 100 });
const atMs = fc.integer({ min: 0, max: 253_402_300_799_999 });
const count = fc.nat(10_000);

const coverages: fc.Arbitrary<CoverageEntry> = fc
  .record({
    atMs,
    src,
    from: fc.nat(),
    first: fc.nat(),
    counts: fc.record({ stored: count, duplicate: count, conflict: count, rejected: count, gap: count }),
    list: b64(32),
  })
  .map((entry) => {
    const sum = Object.values(entry.counts).reduce((total, each) => total + each, 0);
    const counts = sum === 0 ? { ...entry.counts, gap: 1 } : entry.counts;
    return { ...entry, counts, n: counts.stored, to: entry.from + Math.max(sum, 1) };
  });
const controlData: fc.Arbitrary<ControlData> = fc.oneof(
  fc.record({ kind: fc.constant("genesis"), data: fc.record({ origin: name, vkey: name }) }),
  fc.record({ kind: fc.constant("heartbeat"), data: fc.constant({}) }),
  fc.record({ kind: fc.constant("key"), data: fc.record({ vkey: name }) }),
  fc.record({
    kind: fc.constant("retire"),
    data: fc.record({ key: fc.constantFrom("00000000", "92aaac60", "ffffffff") }),
  }),
  fc.record({ kind: fc.constant("fence"), data: fc.record({ act: name, kids }) }),
  fc.record({
    kind: fc.constant("erase"),
    data: fc.record({
      act: name,
      kids,
      counts: fc.dictionary(fc.constantFrom("records", "terms", "__proto__"), count),
    }),
  }),
);

describe("a log entry", () => {
  test.each(vectors.valid)("vector, $name: read, written again and hashed to the byte", ({ entry, leaf }) => {
    const parsed = parseLogEntry(entry);
    if (parsed?.t !== "coverage" && parsed?.t !== "control") throw new Error("not read");
    expect(parsed.t === "coverage" ? coverageEntry(parsed) : controlEntry(parsed)).toBe(entry);
    expect(hex(leafHash(sha256, entry))).toBe(leaf);
  });

  test.each(vectors.invalid)("vector, $name: is none", ({ entry }) => {
    expect(parseLogEntry(entry)).toBeUndefined();
  });

  test("of coverage is RFC 8785 text and is read back as what was written", () => {
    fc.assert(
      fc.property(coverages, (entry) => {
        const text = coverageEntry(entry);
        expect(text).toBe(canonicalize(JSON.parse(text)));
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4096);
        expect(parseLogEntry(text)).toEqual({ t: "coverage", ...entry });
      }),
    );
  });

  test("of control is RFC 8785 text and is read back as what was written", () => {
    fc.assert(
      fc.property(controlData, name, atMs, (data, id, at) => {
        const text = controlEntry({ ...data, id, atMs: at });
        expect(text).toBe(canonicalize(JSON.parse(text)));
        expect(parseLogEntry(text)).toEqual({ t: "control", ...data, id, atMs: at });
      }),
    );
  });

  test("may be a record's", () => {
    const records: { valid: { entry: string }[] } = JSON.parse(
      readFileSync(new URL("../vectors/leaf/records.json", import.meta.url), "utf8"),
    );
    for (const { entry } of records.valid) expect(parseLogEntry(entry)).toMatchObject({ t: "record" });
  });

  test("is none with any letter changed to one that makes other JSON, and no text harms", () => {
    const [first] = fc.sample(coverages, 1);
    if (first === undefined) throw new Error("no sample");
    const text = coverageEntry(first);
    const letters = fc.constantFrom(...'0"{}[],: -\\é\u0000');
    fc.assert(
      fc.property(fc.nat(text.length), fc.nat(2), letters, (at, out, letter) => {
        const other = text.slice(0, at) + letter + text.slice(at + out);
        const parsed = parseLogEntry(other);
        if (parsed?.t === "coverage") expect(coverageEntry(parsed)).toBe(other);
        else expect(parsed).toBeUndefined();
      }),
      { numRuns: 1_000 },
    );
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: "binary" }), fc.json()),
        (other) => parseLogEntry(other) === undefined,
      ),
    );
  });

  test("is not written when it could not be read back", () => {
    const [coverage] = fc.sample(coverages, 1);
    if (coverage === undefined) throw new Error("no sample");
    const long = Array(200).fill("AAAAAAAAAAAAAAAAAAAAAA" as Kid);
    expect(() => coverageEntry({ ...coverage, n: coverage.n + 1 })).toThrow(RangeError);
    expect(() => coverageEntry({ ...coverage, to: coverage.to + 1 })).toThrow(RangeError);
    expect(() => coverageEntry({ ...coverage, src: "topic.0" as Src })).toThrow(RangeError);
    expect(() => controlEntry({ kind: "fence", data: { act: "a", kids: long }, id: "a", atMs: 0 })).toThrow(
      RangeError,
    );
    expect(() => controlEntry({ kind: "key", data: { vkey: "a b" }, id: "a", atMs: 0 })).toThrow(RangeError);
    expect(() => controlEntry({ kind: "heartbeat", data: {}, id: "", atMs: 0 })).toThrow(RangeError);
    expect(() => controlEntry({ kind: "heartbeat", data: {}, id: "a", atMs: Number.NaN })).toThrow(
      RangeError,
    );
  });
});

describe("the outcome list", () => {
  const deadLetter = { topic: "dead", partition: 0, offset: 0 };
  const original: Rid = ridOf("AAAAAAAAAAAAAAAAAAAAAA.0" as Src, 41);
  const m = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

  test.each(vectors.lists)("vector, $name", ({ outcomes, list, hash }) => {
    const text = outcomeList(
      outcomes.map(({ from, to, ...rest }) => ({ from, to, ...rest })) as OutcomeRow[],
    );
    expect(text).toBe(list);
    expect(Buffer.from(sha256(Buffer.from(text))).toString("base64url")).toBe(hash);
  });

  test("has a line of RFC 8785 text for each range that was not stored", () => {
    const rows = fc.oneof<fc.Arbitrary<OutcomeRow>[]>(
      fc.nat().map((from) => ({ kind: "duplicate", from, to: from + 1, original })),
      fc.nat().map((from) => ({ kind: "conflict", from, to: from + 1, original, commitment: m, deadLetter })),
      fc.tuple(fc.nat(), fc.constantFrom(...rejectReasons)).map(([from, reason]) => ({
        kind: "rejected",
        from,
        to: from + 1,
        rejection: { reason, pointer: "/secret", sentence: "secret" },
        commitment: m,
        deadLetter,
      })),
      fc
        .tuple(fc.nat(), fc.nat(), fc.constantFrom(...gapCauses))
        .map(([from, more, cause]) => ({ kind: "gap", from, to: from + 1 + more, cause })),
    );
    fc.assert(
      fc.property(fc.array(rows), (outcomes) => {
        const lines = outcomeList(outcomes).split("\n");
        expect(lines.pop()).toBe("");
        expect(lines).toHaveLength(outcomes.length);
        lines.forEach((line, at) => {
          const json = JSON.parse(line);
          expect(line).toBe(canonicalize(json));
          expect(json).toMatchObject({ o: outcomes[at]?.from, e: outcomes[at]?.to, r: outcomes[at]?.kind });
          expect(line).not.toMatch(/secret|dead/);
        });
      }),
    );
  });
});
