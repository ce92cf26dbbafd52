/** Walks as MongoDB queries: one equality and a range of times. */
import { describe, expect, test } from "@jest/globals";
import { ridKey } from "../../../src/adapters/mongo/bson-values.ts";
import { indexPlans } from "../../../src/adapters/mongo/collections.ts";
import {
  walkFilter,
  walkIndex,
  walkProjection,
  walkSort,
} from "../../../src/adapters/mongo/search-filter.ts";
import { anyOf, compare } from "../../../src/core/filter.ts";
import { orderFields, planWalk, type Walk } from "../../../src/core/search-walk.ts";
import { allOf, equal } from "../../support/filters.ts";
import { makeScene, startMs } from "../../support/records.ts";

const order = { field: "recorded_at", direction: "desc" } as const;
const walk = (over: Partial<Walk>): Walk => ({
  driver: undefined,
  order,
  min: Number.NEGATIVE_INFINITY,
  max: Number.POSITIVE_INFINITY,
  prefix: "",
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
    const after = { value: "", at: startMs, rid: makeScene().rid(3) };
    const [at, key] = [new Date(startMs), ridKey(after.rid)];
    expect(walkFilter(walk({ after }))).toEqual({
      $and: [
        { recordedAt: { $lte: at } },
        { $or: [{ recordedAt: { $lt: at } }, { recordedAt: { $eq: at }, _id: { $lt: key } }] },
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

  test("R-10 the page behind a record in the order of a text begins at its text and breaks ties by time and position", () => {
    const byTrace = { field: "trace_id", direction: "asc" } as const;
    const after = { value: "$t", at: startMs, rid: makeScene().rid(3) };
    const [at, key] = [new Date(startMs), ridKey(after.rid)];
    expect(walkFilter(walk({ order: byTrace, after, prefix: "$" }))).toEqual({
      $and: [
        { "p.traceId": { $gte: "$" } },
        { "p.traceId": { $lt: "%" } },
        { "p.traceId": { $gte: "$t" } },
        {
          $or: [
            { "p.traceId": { $gt: "$t" } },
            { "p.traceId": { $eq: "$t" }, recordedAt: { $gt: at } },
            { "p.traceId": { $eq: "$t" }, recordedAt: { $eq: at }, _id: { $gt: key } },
          ],
        },
      ],
    });
  });

  test("R-10 every walk names an index that is there, and its order is that of the index behind what it drives by", () => {
    const indexes = indexPlans.map(({ collection, key }) => `${collection} ${Object.keys(key).join()}`);
    const plans = orderFields.flatMap((field) =>
      (["asc", "desc"] as const).flatMap((direction) =>
        [
          allOf(),
          equal("tenant", "x"),
          equal("owner_id", "x"),
          equal("trace_id", ""),
          anyOf([equal("owner_id", "x"), compare("entity_id", "prefix", "x")]),
        ].map((filter) =>
          planWalk({ filter, order: { field, direction }, after: undefined, limit: 1, scanMax: 1 }),
        ),
      ),
    );
    const walks = plans.flatMap(({ ordered, collected }) => [...ordered, ...collected]);
    expect(walks.length).toBeGreaterThan(plans.length);
    for (const one of walks) {
      const keys = Object.keys(walkIndex(one));
      expect(indexes).toContain(`records ${keys.join()}`);
      expect(Object.keys(walkSort(one.order))).toEqual(keys.slice(one.driver === undefined ? 0 : 1));
    }
  });
});
