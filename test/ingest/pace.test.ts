import { expect, test } from "@jest/globals";
import { openPace } from "../../src/ingest/pace.ts";

const itself = (value: Uint8Array | null): Uint8Array | null => value;
const nothing = (): void => undefined;

async function turnsFor(values: readonly (Uint8Array | null)[]): Promise<number> {
  let heartbeats = 0;
  await openPace()(values, itself, { heartbeat: async () => void heartbeats++ }, nothing);
  return heartbeats;
}

test("many small events give way as well as a few large ones: timers and heartbeats always get their turn", async () => {
  expect(await turnsFor(Array.from({ length: 256 }, () => null))).toBe(2);
  expect(await turnsFor(Array.from({ length: 4 }, () => new Uint8Array(300 * 1024)))).toBe(4);
  expect(await turnsFor(Array.from({ length: 10 }, () => new Uint8Array(100)))).toBe(0);
});

test("one batch is worked through before the next, which goes on though the one before it failed", async () => {
  const pace = openPace();
  const seen: string[] = [];
  const through = (name: string, work: () => void) =>
    pace(
      Array.from({ length: 300 }, () => null),
      itself,
      { heartbeat: async () => undefined },
      () => {
        seen.push(name);
        work();
      },
    );
  const fails = through("a", () => {
    if (seen.length === 200) throw new Error("no");
  });
  await Promise.all([expect(fails).rejects.toThrow("no"), through("b", nothing)]);
  expect(seen.join("")).toBe("a".repeat(200) + "b".repeat(300));
});
