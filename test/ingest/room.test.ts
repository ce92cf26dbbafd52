/** How many events are worked on at once, of all partitions together. */
import { expect, test } from "@jest/globals";
import { openRoom } from "../../src/ingest/room.ts";

/** Does each piece of work in a room for 8,000 events; returns the most events that were in work at once. */
async function mostInWork(sizes: readonly number[]): Promise<number> {
  const room = openRoom(8_000);
  let [now, most] = [0, 0];
  const work = (events: number) => async () => {
    now += events;
    most = Math.max(most, now);
    await new Promise(setImmediate);
    now -= events;
  };
  await Promise.all(sizes.map((events) => room(events, work(events))));
  return most;
}

test("small batches of all partitions are worked on at once", async () => {
  expect(await mostInWork([10, 0, 10, 10, 10, 10])).toBe(50);
});

test("large batches wait until there is room for them", async () => {
  expect(await mostInWork([2_900, 2_900, 2_900, 2_900, 4_000, 4_000])).toBeLessThanOrEqual(8_000);
});

test("a batch larger than the room is worked on alone", async () => {
  expect(await mostInWork([10, 9_000, 10])).toBe(9_000);
});

test("work that fails makes room as well", async () => {
  const room = openRoom(1);
  await expect(room(1, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await room(1, async () => "done")).toBe("done");
});
