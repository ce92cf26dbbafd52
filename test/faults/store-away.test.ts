/** The store goes away in the middle and comes back on the same disk: partitions wait, everybody is told, nothing turns into a dead letter. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { PartitionState } from "../../src/gen/lastro/v1/operations_pb.ts";
import { readTopic } from "../support/kafka-admin.ts";
import { until } from "../support/lastro.ts";
import { getIntake, grpcHealth, metric, readiness, untilReadiness } from "../support/operator.ts";
import { plainEvents, storedOnly } from "../support/published.ts";
import { startMongo } from "../support/servers.ts";
import { makeWorld, outcomesSeen, untilDrained } from "../support/world.ts";

const awayMs = process.env["LASTRO_TEST_LONG"] === "1" ? 60_000 : 20_000;

test(
  "while the store is away partitions wait and readiness and health say so; afterwards the lag returns to zero by itself",
  async () => {
    const dir = mkdtempSync(join(tmpdir(), "lastro-mongo-"));
    let mongo = await startMongo({ dir });
    try {
      await using world = await makeWorld("mongodb", {
        LASTRO_STORE_URL: mongo.url,
        LASTRO_BATCH_SIZE_MAX: "20",
      });
      const lastro = await world.start();
      await until("it serves", async () => (await grpcHealth(lastro)) === "SERVING", 10_000, lastro);
      const events = plainEvents(1, 300);
      await world.send(events.slice(0, 200));
      await until("it is at work", async () => (await outcomesSeen(lastro)) > 0, 30_000, lastro);

      mongo.kill("SIGKILL");
      await mongo.exited;
      const backAtMs = performance.now() + awayMs;
      await world.send(events.slice(200));
      await untilReadiness(
        lastro,
        "it says that the store is away",
        ({ parts }) => parts["store"]?.ok === false,
      );
      await untilReadiness(
        lastro,
        "partitions wait",
        ({ parts }) => parts["partitions"]?.detail?.includes("STORE_UNAVAILABLE") === true,
      );
      expect((await readiness(lastro)).status).toBe("unavailable");
      expect(await grpcHealth(lastro)).toBe("NOT_SERVING");
      await until("the store was away long enough", async () => performance.now() > backAtMs, awayMs, lastro);
      expect((await readiness(lastro)).parts["kafka"]?.ok).toBe(true);

      mongo = await startMongo({ dir, port: mongo.port });
      await untilDrained(lastro, events.length, 90_000);
      await untilReadiness(lastro, "all is well", ({ status }) => status === "ok");
      expect(await grpcHealth(lastro)).toBe("SERVING");
      const { partitions } = await getIntake(lastro);
      expect(partitions.every(({ state, lag }) => state === PartitionState.RUNNING && lag === 0n)).toBe(true);
      expect(await metric(lastro, "lastro_rejections_total")).toBe(0);
      expect(await readTopic(world.env["LASTRO_KAFKA_BROKERS"] ?? "", `${world.topic}.dlq`)).toEqual([]);
      expect(await lastro.stop()).toBe(0);
      await world.check(storedOnly(events));
    } finally {
      await mongo.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  },
  awayMs + 150_000,
);
