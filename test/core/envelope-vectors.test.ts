/** Runs test/vectors/envelope: the bad and good inputs of the intake, for any language. Format: the README there. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { emptyCatalogue } from "../../src/core/catalogue.ts";
import { classify } from "../../src/core/entity.ts";
import { defaultParseOptions, type ParseOptions, parseEvent } from "../../src/core/envelope.ts";
import type { Envelope, EventHeader, SourceEvent } from "../../src/core/event.ts";
import { rejectReasons } from "../../src/core/outcome.ts";

type Bytes =
  | null
  | { readonly utf8: string }
  | { readonly base64: string }
  | { readonly generated: readonly (readonly [text: string, times: number])[] };
type Expected =
  | {
      readonly outcome: "accepted";
      readonly flags: readonly string[];
      readonly envelope?: Readonly<Record<string, unknown>>;
      readonly classification?: Readonly<Record<string, unknown>>;
      readonly cutTexts?: readonly string[];
      readonly canonical?: string;
      readonly canonicalOf?: Bytes;
      readonly payloadText?: string;
    }
  | {
      readonly outcome: "rejected";
      readonly reason: string;
      readonly pointer: string;
      readonly sentenceContains?: readonly string[];
      readonly sentenceOmits?: readonly string[];
    };
type Case = {
  readonly name: string;
  readonly value: Bytes;
  readonly key?: Bytes;
  readonly headers?: readonly (readonly [name: string, value: Bytes, times?: number])[];
  readonly timestampMs?: number;
  readonly options?: {
    readonly unknownSchemaVersions?: "flag" | "reject";
    readonly ownershipExempt?: readonly string[];
  };
  readonly expect: Expected;
};
type Vector = {
  readonly row: number;
  readonly title: string;
  readonly why?: string;
  readonly nowMs: number;
  readonly cases: readonly Case[];
};

const folder = new URL("../vectors/envelope/", import.meta.url);
const vectors = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .map((name) => JSON.parse(readFileSync(new URL(name, folder), "utf8")) as Vector);

function bytesOf(source: Bytes): Uint8Array | null {
  if (source === null) return null;
  if ("utf8" in source) return Buffer.from(source.utf8);
  if ("base64" in source) return Buffer.from(source.base64, "base64");
  return Buffer.from(source.generated.map(([text, times]) => text.repeat(times)).join(""));
}

const eventOf = (given: Case): SourceEvent => ({
  offset: 0,
  key: bytesOf(given.key ?? null),
  value: bytesOf(given.value),
  headers: (given.headers ?? []).flatMap(([name, value, times = 1]) =>
    Array.from({ length: times }, (): EventHeader => [name, bytesOf(value)]),
  ),
  timestampMs: given.timestampMs ?? 0,
});

const optionsOf = (given: Case, nowMs: number): ParseOptions => ({
  ...defaultParseOptions,
  nowMs,
  schemaVersions: { knownMajors: ["1"], unknown: given.options?.unknownSchemaVersions ?? "flag" },
  ownershipExempt: new Set(given.options?.ownershipExempt),
});

/** What became of the event at this station and the next, with the default catalogue. */
function outcomeOf(given: Case, nowMs: number) {
  const parsed = parseEvent(eventOf(given), optionsOf(given, nowMs));
  if (!parsed.ok) return parsed;
  const classified = classify(parsed.envelope, emptyCatalogue);
  return classified.ok
    ? ({ ok: true, envelope: parsed.envelope, classification: classified.classification } as const)
    : classified;
}

function checkEnvelope(envelope: Envelope, given: Case, nowMs: number): void {
  if (given.expect.outcome !== "accepted") throw new Error("not an accepted case");
  const { expect: wanted } = given;
  expect(envelope.flags).toEqual(wanted.flags);
  const { ownershipId, ...fields } = wanted.envelope ?? {};
  expect(envelope).toMatchObject(fields);
  if (ownershipId !== undefined) expect(envelope.ownershipId ?? null).toBe(ownershipId);
  const value = Buffer.from(bytesOf(given.value) ?? []);
  if (wanted.cutTexts !== undefined)
    expect(envelope.cuts.map(({ start, end }) => value.toString("utf8", start, end))).toEqual(
      wanted.cutTexts,
    );
  if (wanted.canonical !== undefined) expect(envelope.canonical).toBe(wanted.canonical);
  if (wanted.canonicalOf !== undefined) {
    const other = parseEvent(eventOf({ ...given, value: wanted.canonicalOf }), optionsOf(given, nowMs));
    expect(other.ok && other.envelope.canonical).toBe(envelope.canonical);
  }
  if (wanted.payloadText !== undefined) expect(JSON.stringify(envelope.payload)).toBe(wanted.payloadText);
}

for (const vector of vectors)
  describe(`${vector.row} ${vector.title}`, () => {
    for (const given of vector.cases)
      test(`${vector.title.match(/^(?:R-\d\d )+/)?.[0] ?? ""}${given.name}: ${given.expect.outcome}`, () => {
        const outcome = outcomeOf(given, vector.nowMs);
        if (given.expect.outcome === "accepted") {
          if (!outcome.ok) throw new Error(JSON.stringify(outcome.rejection));
          checkEnvelope(outcome.envelope, given, vector.nowMs);
          expect(outcome.classification).toMatchObject(given.expect.classification ?? {});
          return;
        }
        if (outcome.ok) throw new Error("accepted");
        const { reason, pointer, sentenceContains = [], sentenceOmits = [] } = given.expect;
        expect({ reason: outcome.rejection.reason, pointer: outcome.rejection.pointer }).toEqual({
          reason,
          pointer,
        });
        expect(rejectReasons).toContain(reason);
        expect(outcome.rejection.sentence).toMatch(/\.$/);
        for (const text of sentenceContains) expect(outcome.rejection.sentence).toContain(text);
        for (const text of sentenceOmits) expect(outcome.rejection.sentence).not.toContain(text);
      });
    if (vector.cases.length === 0)
      test("no case here says why", () => expect(vector.why?.length).toBeGreaterThan(20));
  });

test("every row of the intake's list of inputs has its vectors", () => {
  const rows = new Set(vectors.map(({ row }) => row));
  for (let row = 0; row <= 67; row++) expect(rows).toContain(row);
});
