/** What a check asks of a MongoDB database: nothing that the server would have to sort. */
import { expect, test } from "@jest/globals";
import type { Filter, Sort } from "mongodb";
import { mongoAuditReader } from "../../../src/adapters/mongo/audit-reader.ts";
import { type Collections, collectionsOf, indexPlans } from "../../../src/adapters/mongo/collections.ts";
import { makeScene } from "../../support/records.ts";

type Asked = {
  readonly collection: string;
  readonly filter: Filter<Record<string, unknown>>;
  readonly sort: Sort;
};

/** Empty ones that tell what they are asked. */
function listening(tell: (asked: Asked) => void): Collections {
  const collection = (name: string) => {
    const ask = (filter: Asked["filter"], { sort }: Pick<Asked, "sort">) =>
      tell({ collection: name, filter, sort });
    return {
      findOne: async (...of: Parameters<typeof ask>) => {
        ask(...of);
        return null;
      },
      find: (...of: Parameters<typeof ask>) => {
        ask(...of);
        return { toArray: async () => [], async *[Symbol.asyncIterator]() {} };
      },
    };
  };
  return collectionsOf({ collection } as unknown as Parameters<typeof collectionsOf>[0]);
}

/** The fields that the filter names one value of, in whatever order, and those of the sort behind them. */
function isAlong(index: readonly string[], { filter, sort }: Asked): boolean {
  const fixed = Object.keys(filter).filter((field) => typeof filter[field] !== "object");
  const sorted = Object.keys(sort);
  return (
    fixed.every((field) => index.slice(0, fixed.length).includes(field)) &&
    sorted.every((field, at) => index[fixed.length + at] === field)
  );
}

test("whatever a check reads in an order lies in the order of an index", async () => {
  const asked: Asked[] = [];
  const collections = listening((one) => asked.push(one));
  const audit = mongoAuditReader(collections, 1_000);
  const { src } = makeScene();
  const signal = new AbortController().signal;
  await audit.sources(signal);
  await audit.accounts(src, 5, 10, signal);
  await audit.outcomes(src, 5, 50, 10, signal);
  await audit.records(src, 5, 50, 10, signal);
  const names = new Map(collectionNames());
  const indexesOf = (name: string): readonly (readonly string[])[] => [
    ["_id"],
    ...indexPlans
      .filter(({ collection }) => names.get(collection) === name)
      .map(({ key }) => Object.keys(key)),
  ];
  expect(asked.length).toBeGreaterThan(6);
  const unsorted = asked.filter((one) => !indexesOf(one.collection).some((index) => isAlong(index, one)));
  expect(unsorted).toEqual([]);
});

/** Of the database, by those of the code. */
const collectionNames = (): readonly (readonly [string, string])[] =>
  Object.entries(
    collectionsOf({ collection: (name: string) => name } as unknown as Parameters<typeof collectionsOf>[0]),
  ).map(([key, name]) => [key, String(name)]);
