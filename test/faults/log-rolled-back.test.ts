/** A service over a store that was restored from an older copy, and one to which nothing happens. */
import { copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { until } from "../support/lastro.ts";
import { logGauge, untilLogged } from "../support/log-gauges.ts";
import { checkWorldLog, publishedNote } from "../support/log-process.ts";
import { makeWorld, untilDrained } from "../support/world.ts";

const haltedMaxMs = 60_000;

test("a store restored from an older copy halts the log as ROLLED_BACK, and intake goes on", async () => {
  await using world = await makeWorld("sqlite", { LASTRO_LOG_INTERVAL_MS: "50" });
  const [path, copy] = [join(world.dataDir, "lastro.db"), join(world.dataDir, "copy.db")];
  const first = await world.start();
  const early = await world.publish(1, 200);
  await untilDrained(first, 200);
  await untilLogged(first, early.ids.size);
  expect(await first.stop()).toBe(0);
  copyFileSync(path, copy);
  const second = await world.start();
  const late = await world.publish(2, 200);
  await untilDrained(second, 400);
  await untilLogged(second, early.ids.size + late.ids.size);
  expect(await second.stop()).toBe(0);
  for (const suffix of ["", "-wal", "-shm"]) rmSync(`${path}${suffix}`, { force: true });
  copyFileSync(copy, path);
  const restored = await world.start();
  await until(
    "the log is halted",
    async () => (await logGauge(restored, "halted")) === 1,
    haltedMaxMs,
    restored,
  );
  const answer: unknown = await (await fetch(`${restored.httpUrl}/readyz`)).json();
  expect(answer).toMatchObject({
    status: "degraded",
    parts: {
      log: {
        ok: false,
        required: false,
        detail: expect.stringMatching(/^halted, ROLLED_BACK: the store holds \d+ leaves/),
      },
    },
  });
  const more = await world.publish(3, 200);
  await untilDrained(restored, 600);
  expect(await restored.stop()).toBe(0);
  await world.check(early, late, more);
}, 240_000);

test("an idle log grows by heartbeats and is signed again, also after a restart", async () => {
  await using world = await makeWorld("sqlite", {
    LASTRO_LOG_INTERVAL_MS: "50",
    LASTRO_LOG_HEARTBEAT_MS: "1000",
  });
  const notes: string[] = [];
  for (const leaves of [3, 5]) {
    const lastro = await world.start();
    await untilLogged(lastro, leaves);
    expect(await lastro.stop()).toBe(0);
    notes.push(...(await publishedNote(world)));
  }
  await checkWorldLog(world, notes);
  expect(new Set(notes).size).toBe(2);
}, 120_000);
