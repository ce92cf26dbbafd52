/** The store goes back in time while Redis and Kafka's group offsets do not: its own mark decides, and it has the last word on duplicates. */
import { cpSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { startMongo } from "../support/servers.ts";
import { temporaryFolder } from "../support/sqlite.ts";
import { makeWorld, outcomesSeen, untilDrained } from "../support/world.ts";

test.each([
  ["sqlite", 800, 1_200],
  ["mongodb", 60, 80],
] as const)(
  "on %s a store restored from an older copy beside a warm Redis and a far group offset reads everything again from its mark",
  async (kind, earlyEvents, lateEvents) => {
    await using open = new AsyncDisposableStack();
    const folder = open.use(temporaryFolder()).path;
    const [mongoDir, copy] = [join(folder, "mongo"), join(folder, "copy")];
    let mongo = kind === "mongodb" ? await startMongo({ dir: mongoDir }) : undefined;
    open.defer(() => mongo?.stop());
    const world = open.use(await makeWorld(kind, mongo && { LASTRO_STORE_URL: mongo.url }));
    const stored = mongo === undefined ? world.dataDir : mongoDir;
    const atRest = async (work: () => void): Promise<void> => {
      await mongo?.stop();
      work();
      if (mongo !== undefined) mongo = await startMongo({ dir: mongoDir, port: mongo.port });
    };

    const first = await world.start();
    const early = await world.publish(1, earlyEvents);
    await untilDrained(first, early.messages);
    expect(await first.stop()).toBe(0);
    await atRest(() => cpSync(stored, copy, { recursive: true }));

    const second = await world.start();
    const late = await world.publish(2, lateEvents);
    await untilDrained(second, early.messages + late.messages);
    expect(await second.stop()).toBe(0);
    await atRest(() => {
      rmSync(stored, { recursive: true });
      renameSync(copy, stored);
    });

    const restored = await world.start();
    await untilDrained(restored, early.messages + late.messages);
    expect(await outcomesSeen(restored)).toBe(late.messages);
    expect(await restored.stop()).toBe(0);
    await world.checkAfter({ fault: "the store is restored from an older copy" }, early, late);
  },
  120_000,
);
