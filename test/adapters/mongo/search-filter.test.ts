/** Searches as filters: equality and ranges only. */
import { describe, expect, test } from "@jest/globals";
import { ridKey } from "../../../src/adapters/mongo/bson-values.ts";
import { searchFilter, searchSort } from "../../../src/adapters/mongo/search-filter.ts";
import type { RecordSearch, SearchField } from "../../../src/ports/history-reader.ts";
import { searchFields } from "../../../src/ports/history-reader.ts";
import { makeScene, startMs } from "../../support/records.ts";

const order = { field: "recorded_at", direction: "desc" } as const;
const search = (over: Partial<RecordSearch>): RecordSearch => ({
  conditions: [],
  order,
  after: undefined,
  limit: 10,
  ...over,
});

describe("search filters", () => {
  test("no condition is no filter; several on one field all hold", () => {
    expect(searchFilter(search({}))).toEqual({});
    const conditions = [
      { field: "recorded_at", operator: ">=", value: startMs },
      { field: "recorded_at", operator: "<", value: startMs + 9 },
    ] as const;
    expect(searchFilter(search({ conditions }))).toEqual({
      $and: [{ recordedAt: { $gte: new Date(startMs) } }, { recordedAt: { $lt: new Date(startMs + 9) } }],
    });
  });

  test("what a caller writes stays a value", () => {
    for (const field of Object.keys(searchFields) as SearchField[]) {
      const [clause] =
        searchFilter(search({ conditions: [{ field, operator: "=", value: "$where" }] })).$and ?? [];
      const [path, test] = Object.entries(clause ?? {})[0] ?? [];
      expect(path).not.toContain("$");
      expect(test).toEqual({ $eq: "$where" });
    }
  });

  test("R-10 the page behind a record begins at its time and breaks the tie by its position, either way", () => {
    const after = { value: startMs, rid: makeScene().rid(3) };
    const [at, key] = [new Date(startMs), ridKey(after.rid)];
    expect(searchFilter(search({ after }))).toEqual({
      $and: [
        { recordedAt: { $lte: at } },
        { $or: [{ recordedAt: { $lt: at } }, { recordedAt: at, _id: { $lt: key } }] },
      ],
    });
    const ascending = { field: "action_at", direction: "asc" } as const;
    expect(searchFilter(search({ after, order: ascending })).$and?.[0]).toEqual({
      "p.actionAt": { $gte: at },
    });
    expect(Object.entries(searchSort(ascending))).toEqual([
      ["p.actionAt", 1],
      ["_id", 1],
    ]);
    expect(Object.entries(searchSort(order))).toEqual([
      ["recordedAt", -1],
      ["_id", -1],
    ]);
  });
});
