/** Runs test/vectors/envelope: the bad and good inputs of the intake, for any language. Format: the README there. */
import { describe, expect, test } from "@jest/globals";
import { emptyCatalogue } from "../../src/core/catalogue.ts";
import { classify } from "../../src/core/entity.ts";
import { parseEvent } from "../../src/core/envelope.ts";
import type { Envelope } from "../../src/core/event.ts";
import { rejectReasons } from "../../src/core/outcome.ts";
import { bytesOf, type Case, eventOf, optionsOf, vectors } from "../support/envelope-vectors.ts";

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
