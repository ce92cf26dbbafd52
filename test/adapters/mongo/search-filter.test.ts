/** Walks as MongoDB queries: one equality and a range of times. */
import { describe, expect, test } from "@jest/globals";
import { ridKey } from "../../../src/adapters/mongo/bson-values.ts";
import { walkFilter, walkProjection, walkSort } from "../../../src/adapters/mongo/search-filter.ts";
import type { Walk } from "../../../src/core/search-walk.ts";
import { makeScene, startMs } from "../../support/records.ts";

const order = { field: "recorded_at", direction: "desc" } as const;
const walk = (over: Partial<Walk>): Walk => ({
  driver: undefined,
  order,
  min: Number.NEGATIVE_INFINITY,
  max: Number.POSITIVE_INFINITY,
  after: undefined,
  ...over,
});

describe("search filters", () => {
  test("a walk of everything has no filter; bounds and the driver all hold", () => {
    expect(walkFilter(walk({}))).toEqual({});
    const driver = { field: "owner_id", value: "x", isPrefix: false } as const;
    expect(walkFilter(walk({ driver, min: startMs, max: startMs + 9 }))).toEqual({
      $and: [
        { "p.actor.id": { $eq: "x" } },
        { recordedAt: { $gte: new Date(startMs) } },
        { recordedAt: { $lte: new Date(startMs + 9) } },
      ],
    });
  });

  test("R-23 what a caller writes is a value of $eq or does not reach the store", () => {
    const driver = { field: "owner_id", value: "$where", isPrefix: false } as const;
    expect(walkFilter(walk({ driver }))).toEqual({ $and: [{ "p.actor.id": { $eq: "$where" } }] });
    expect(walkProjection(["/payload/$where", "namespace"])).toEqual({
      _id: 1,
      recordedAt: 1,
      "p.actionAt": 1,
      "p.indexed": 1,
      "p.namespace": 1,
    });
  });

  test("R-10 the page behind a record begins at its time and breaks the tie by its position, either way", () => {
    const after = { value: startMs, rid: makeScene().rid(3) };
    const [at, key] = [new Date(startMs), ridKey(after.rid)];
    expect(walkFilter(walk({ after }))).toEqual({
      $and: [
        { recordedAt: { $lte: at } },
        { $or: [{ recordedAt: { $lt: at } }, { recordedAt: at, _id: { $lt: key } }] },
      ],
    });
    const ascending = { field: "action_at", direction: "asc" } as const;
    expect(walkFilter(walk({ after, order: ascending })).$and?.[0]).toEqual({ "p.actionAt": { $gte: at } });
    expect(Object.entries(walkSort(ascending))).toEqual([
      ["p.actionAt", 1],
      ["_id", 1],
    ]);
    expect(Object.entries(walkSort(order))).toEqual([
      ["recordedAt", -1],
      ["_id", -1],
    ]);
  });
});
