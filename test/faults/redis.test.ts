/** Redis that forgets everything or goes away in the middle: a hint is never a verdict. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Redis } from "ioredis";
import { until } from "../support/lastro.ts";
import { readiness, untilReadiness } from "../support/operator.ts";
import { type RunningServer, startRedis } from "../support/servers.ts";
import { makeWorld, outcomesSeen, untilDrained } from "../support/world.ts";

const events = 2_000;
const dir = mkdtempSync(join(tmpdir(), "lastro-redis-"));
let redis: RunningServer;
beforeAll(async () => {
  redis = await startRedis({ dir });
});
afterAll(async () => {
  await redis.stop();
  rmSync(dir, { recursive: true, force: true });
});

test("a Redis flushed, stopped and started again in the middle doubles nothing, and the service stays ready", async () => {
  await using world = await makeWorld("sqlite", { LASTRO_REDIS_URL: redis.url });
  const lastro = await world.start();
  const client = new Redis(redis.url);

  const warm = await world.publish(1, events);
  await until("some are stored", async () => (await outcomesSeen(lastro)) > events / 4, 30_000, lastro);
  await client.flushall();
  await untilDrained(lastro, events);
  client.disconnect();

  await redis.stop();
  const without = await world.publish(2, events);
  await untilDrained(lastro, 2 * events);
  const degraded = await readiness(lastro);
  expect(degraded.status).toBe("degraded");
  expect(degraded.parts["redis"]?.ok).toBe(false);

  const again = await world.publish(3, events);
  redis = await startRedis({ dir, port: redis.port });
  await untilReadiness(lastro, "Redis helps again", ({ status }) => status === "ok");
  await untilDrained(lastro, 3 * events);
  expect(await lastro.stop()).toBe(0);
  await world.check(warm, without, again);
}, 90_000);
