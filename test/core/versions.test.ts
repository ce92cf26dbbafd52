import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { StreamAlias } from "../../src/core/ids.ts";
import { activates, type Head } from "../../src/core/record.ts";
import { type Placeable, placeVersions } from "../../src/core/versions.ts";

const nowMs = 1_750_000_000_000;
const drawn = "drawn" as StreamAlias;
const newAlias = (): StreamAlias => drawn;
const head = (over: Partial<Head> = {}): Head => ({
  version: 7,
  alias: "alias" as StreamAlias,
  recordedAtMs: nowMs - 1000,
  actionAtMs: nowMs - 2000,
  isActive: true,
  ...over,
});
const event = (over: Partial<Placeable> = {}): Placeable => ({
  key: "s",
  action: "update",
  actionAtMs: nowMs,
  ...over,
});

test("R-06 the first record of a stream is version 1 under a new alias", () => {
  expect(placeVersions([event({ action: "new" })], new Map(), nowMs, newAlias)).toEqual([
    { version: 1, alias: drawn, recordedAtMs: nowMs, actionAtMs: nowMs, late: false, isActive: true },
  ]);
});

test("R-07 events of one stream in one batch get versions n, n+1; only the last of them is active", () => {
  const placed = placeVersions(
    [event(), event({ key: "t" }), event()],
    new Map([["s", head()]]),
    nowMs,
    newAlias,
  );
  expect(placed.map(({ version, isActive, alias }) => [version, isActive, alias])).toEqual([
    [8, false, "alias"],
    [1, true, drawn],
    [9, true, "alias"],
  ]);
});

test.each(["delete", "disable", "none"] as const)("a head whose action is %s is not active", (action) => {
  expect(placeVersions([event({ action })], new Map(), nowMs, newAlias)[0]?.isActive).toBe(false);
});

test("recorded_at never goes back within a stream, whatever the clock does", () => {
  const placed = placeVersions(
    [event()],
    new Map([["s", head({ recordedAtMs: nowMs + 5000 })]]),
    nowMs,
    newAlias,
  );
  expect(placed[0]?.recordedAtMs).toBe(nowMs + 5000);
});

test("an older timestamp after a newer one is the next version, flagged late", () => {
  const placed = placeVersions(
    [event({ actionAtMs: 5 }), event({ actionAtMs: 4 })],
    new Map(),
    nowMs,
    newAlias,
  );
  expect(placed.map(({ version, late }) => [version, late])).toEqual([
    [1, false],
    [2, true],
  ]);
});

test("versions have no holes and at most one record of a stream is active, for any mixture of streams", () => {
  const streams = fc.constantFrom("a", "b", "c");
  const action = fc.constantFrom("new", "update", "delete", "disable", "enable", "none");
  fc.assert(
    fc.property(fc.array(fc.record({ key: streams, action, actionAtMs: fc.nat() })), (events) => {
      const placed = placeVersions(events, new Map([["a", head()]]), nowMs, newAlias);
      for (const key of ["a", "b", "c"]) {
        const own = placed.filter((_, index) => events[index]?.key === key);
        const first = key === "a" ? 8 : 1;
        expect(own.map(({ version }) => version)).toEqual(own.map((_, index) => first + index));
        const last = events.findLast((candidate) => candidate.key === key);
        expect(own.map(({ isActive }) => isActive)).toEqual(
          own.map((_, index) => index === own.length - 1 && last !== undefined && activates(last.action)),
        );
      }
    }),
  );
});
