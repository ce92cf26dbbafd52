/** Control entries whose place in line is taken each time. */
import { expect, test } from "@jest/globals";
import { MongoServerError } from "mongodb";
import type { Collections } from "../../../src/adapters/mongo/collections.ts";
import { queueControl } from "../../../src/adapters/mongo/log-controls.ts";

const options = { signal: new AbortController().signal, maxTimeMS: 1_000 };
const control = { id: "c-1", entry: "AA" };
const taken = () => Promise.reject(new MongoServerError({ code: 11_000, message: "duplicate key" }));

/** A line whose last place is 5, and in which each insertion ends so, one after the other; the last for ever. */
function line(...ends: (() => Promise<unknown>)[]) {
  const asked: number[] = [];
  const nothing = { sort: () => nothing, limit: () => nothing, toArray: async () => [] };
  const logControls = {
    findOne: async ({ _id }: { _id?: string }) => (_id === undefined ? { place: 5 } : null),
    find: () => nothing,
    insertOne: ({ place }: { place: number }) => {
      asked.push(place);
      return (ends.length > 1 ? ends.shift() : ends[0])?.();
    },
  };
  const collections = { logControls, logHead: { findOne: async () => null } } as unknown as Collections;
  return { asked, collections };
}

test("an entry whose place was taken meanwhile asks for one further on", async () => {
  const { asked, collections } = line(taken, taken, async () => undefined);
  await queueControl(collections, control, options);
  expect(asked).toEqual([6, 7, 8]);
});

test("an entry whose place is taken each time is not queued, and that is told as trouble that passes", async () => {
  const { asked, collections } = line(taken);
  await expect(queueControl(collections, control, options)).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
  });
  expect(asked).toEqual(Array.from({ length: 20 }, (_, attempt) => 6 + attempt));
});
