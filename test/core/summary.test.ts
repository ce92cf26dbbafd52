import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { allOf } from "../../src/core/filter.ts";
import { newTally } from "../../src/core/summary.ts";
import {
  addCells, type Cells, type CountedRecord, countCells, decodeCells, encodeCells, equalCells, quarterMs, withoutActors,
} from "../../src/core/summary-cells.ts"; // biome-ignore format: one line
import { bucketReader, type TimeBucket } from "../../src/core/time-buckets.ts";
import { seed } from "../support/fuzz.ts";

const at = (time: string): number => Math.floor(Date.parse(time) / quarterMs);

describe("R-64 time in buckets", () => {
  test.each([
    ["hour", "UTC", "2026-11-30T01:44:59Z", "2026-11-30T01:00:00+00:00"],
    ["day", "UTC", "2026-11-30T00:00:00Z", "2026-11-30"],
    ["month", "America/Sao_Paulo", "2026-12-01T02:59:00Z", "2026-11"],
    ["day", "America/Sao_Paulo", "2026-11-30T02:59:00Z", "2026-11-29"],
    ["hour", "America/Sao_Paulo", "2026-11-30T03:00:00Z", "2026-11-30T00:00:00-03:00"],
    ["hour", "Asia/Kolkata", "2026-11-30T18:15:00Z", "2026-11-30T23:00:00+05:30"],
    ["day", "Asia/Kathmandu", "2026-11-29T18:15:00Z", "2026-11-30"],
    ["day", "Asia/Kathmandu", "2026-11-29T18:14:00Z", "2026-11-29"],
    // The hour that clocks repeat is two hours.
    ["hour", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T02:00:00+02:00"],
    ["hour", "Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00+01:00"],
    ["day", "Europe/Berlin", "2026-10-25T22:59:00Z", "2026-10-25"],
    // A day that began at one o'clock.
    ["day", "America/Sao_Paulo", "2018-11-04T02:59:00Z", "2018-11-03"],
    ["hour", "America/Sao_Paulo", "2018-11-04T03:00:00Z", "2018-11-04T01:00:00-02:00"],
  ] as const)("%s in %s: %s lies in %s", (bucket, zone, time, expected) =>
    expect(bucketReader(bucket, zone)(at(time))).toBe(expected),
  );

  test(`days and months are those that the platform's own calendar says, in any zone (seed ${seed})`, () => {
    const zones = fc.constantFrom(...Intl.supportedValuesOf("timeZone"));
    const quarters = fc.integer({ min: at("1990-01-01T00:00:00Z"), max: at("2037-01-01T00:00:00Z") });
    const property = fc.property(zones, quarters, (timeZone, quarter) => {
      const parts = new Intl.DateTimeFormat("en-CA", {
        timeZone,
        year: "numeric",
        month: "2-digit",
        day: "2-digit",
      });
      const day = parts.format(quarter * quarterMs);
      const read = (bucket: TimeBucket) => bucketReader(bucket, timeZone)(quarter);
      expect([read("day"), read("month")]).toEqual([day, day.slice(0, 7)]);
      expect(Math.floor(Date.parse(read("hour")) / quarterMs)).toBeLessThanOrEqual(quarter);
      expect(read("hour").slice(0, 10)).toBe(day);
    });
    fc.assert(property, { seed, numRuns: 300 });
  });

  test("what is no zone is a RangeError", () =>
    expect(() => bucketReader("day", "Mars/Base")).toThrow(RangeError));
});

const records: fc.Arbitrary<readonly CountedRecord[]> = fc.array(
  fc.record({
    recordedAtMs: fc.integer({ min: 0, max: 20 * quarterMs }),
    values: fc.tuple(...Array.from({ length: 7 }, () => fc.constantFrom("a", "b", 'q"\\', ""))),
    actor: fc.constantFrom("ana", "bia", ""),
  }),
  { maxLength: 60 },
);
const sorted = ({ values, actors, rows }: Cells): readonly string[] =>
  Array.from({ length: rows.length / 4 }, (_, n) => {
    const [quarter = 0, value = 0, actor = 0, count = 0] = rows.subarray(4 * n);
    return JSON.stringify([quarter, values[value], actors[actor], count]);
  }).sort();

describe("R-64 cells", () => {
  for (const which of ["cells", "actors"] as const)
    test(`${which} of parts add up to those of the whole, and survive being written (seed ${seed})`, () => {
      const property = fc.property(records, fc.nat(60), (all, cut) => {
        const whole = countCells(all, which);
        const parts = addCells([countCells(all.slice(0, cut), which), countCells(all.slice(cut), which)]);
        expect(sorted(parts)).toEqual(sorted(whole));
        expect(equalCells(parts, whole)).toBe(true);
        expect(equalCells(countCells(all.slice(0, cut), which), whole)).toBe(cut >= all.length);
        const written = encodeCells(whole);
        expect(decodeCells(written)).toEqual(whole);
        expect(decodeCells(Buffer.from([7, ...written]).subarray(1))).toEqual(whole);
      });
      fc.assert(property, { seed, numRuns: 200 });
    });

  test("counts without some actors keep their sums", () => {
    const of = (actor: string): CountedRecord => ({
      recordedAtMs: 5,
      values: ["t", "", "", "", "", "", ""],
      actor,
    });
    const cells = withoutActors(
      countCells([of("ana"), of("bia"), of("ana"), of("")], "actors"),
      new Set(["ana"]),
    );
    expect(cells.actors.toSorted()).toEqual(["", "bia"]);
    const tally = newTally({ filter: allOf([]), groupBy: ["owner_id", "tenant"], bucketOf: undefined });
    tally.addCells(cells, 0, 1);
    const counts = tally.counts();
    expect([counts.total, ...counts.fields.map((field) => Object.fromEntries(field))]).toEqual([
      4,
      { "": 3, bia: 1 },
      { t: 4 },
    ]);
  });
});
