import { expect, test } from "@jest/globals";
import { paceOf } from "../../src/ingest/pace.ts";

async function turnsFor(values: readonly (Uint8Array | null)[]): Promise<number> {
  let heartbeats = 0;
  const pace = paceOf({ heartbeat: async () => void heartbeats++ });
  for (const value of values) await pace(value);
  return heartbeats;
}

test("many small events give way as well as a few large ones: timers and heartbeats always get their turn", async () => {
  expect(await turnsFor(Array.from({ length: 256 }, () => null))).toBe(2);
  expect(await turnsFor(Array.from({ length: 4 }, () => new Uint8Array(300 * 1024)))).toBe(4);
  expect(await turnsFor(Array.from({ length: 10 }, () => new Uint8Array(100)))).toBe(0);
});
