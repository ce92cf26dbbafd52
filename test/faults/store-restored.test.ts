/** The store goes back in time while Redis and Kafka's group offsets do not: its own mark decides, and it has the last word on duplicates. */
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { makeWorld, outcomesSeen, untilDrained } from "../support/world.ts";

test("a store restored from an older copy beside a warm Redis and a far group offset reads everything again from its mark", async () => {
  await using world = await makeWorld("sqlite");
  const first = await world.start();
  const early = await world.publish(1, 800);
  await untilDrained(first, early.messages);
  expect(await first.stop()).toBe(0);
  const copy = join(world.dataDir, "..", `${world.topic}-copy`);
  cpSync(world.dataDir, copy, { recursive: true });

  const second = await world.start();
  const late = await world.publish(2, 1_200);
  await untilDrained(second, early.messages + late.messages);
  expect(await second.stop()).toBe(0);
  rmSync(world.dataDir, { recursive: true });
  cpSync(copy, world.dataDir, { recursive: true });
  rmSync(copy, { recursive: true });

  const restored = await world.start();
  await untilDrained(restored, early.messages + late.messages);
  expect(await outcomesSeen(restored)).toBe(late.messages);
  expect(await restored.stop()).toBe(0);
  await world.check(early, late);
}, 60_000);
