/** The store goes away in the middle and comes back on the same disk: partitions wait, everybody is told, nothing turns into a dead letter. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { PartitionState } from "../../src/gen/lastro/v1/operations_pb.ts";
import { readTopic } from "../support/kafka-admin.ts";
import { until } from "../support/lastro.ts";
import { getIntake, grpcHealth, metric, readiness, untilReadiness } from "../support/operator.ts";
import { plainEvents, storedOnly } from "../support/published.ts";
import { fewRounds } from "../support/rounds.ts";
import { startMongo } from "../support/servers.ts";
import { temporaryFolder } from "../support/sqlite.ts";
import { makeWorld, outcomesSeen, untilDrained } from "../support/world.ts";

/** Longer than a session of Kafka (6 s here). */
const awayMs = fewRounds > 1 ? 60_000 : 8_000;

test(
  "while the store is away partitions wait and readiness and health say so; afterwards the lag returns to zero by itself",
  async () => {
    for (let round = 1; round <= fewRounds; round++) {
      await using open = new AsyncDisposableStack();
      const dir = open.use(temporaryFolder()).path;
      let mongo = await startMongo({ dir });
      open.defer(() => mongo.stop());
      const env = { LASTRO_STORE_URL: mongo.url, LASTRO_BATCH_SIZE_MAX: "20" };
      const world = open.use(await makeWorld("mongodb", env));
      const lastro = await world.start();
      await until("it serves", async () => (await grpcHealth(lastro)) === "SERVING", 10_000, lastro);
      const events = plainEvents(round, 300);
      await world.send(events.slice(0, 200));
      await until("it is at work", async () => (await outcomesSeen(lastro)) > 0, 30_000, lastro);

      mongo.kill("SIGKILL");
      await mongo.exited;
      const away = sleep(awayMs);
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
      await away;
      expect((await readiness(lastro)).parts["kafka"]?.ok).toBe(true);

      mongo = await startMongo({ dir, port: mongo.port });
      const backMs = performance.now();
      await untilDrained(lastro, events.length, 90_000);
      const recoveryMs = performance.now() - backMs;
      await untilReadiness(lastro, "all is well", ({ status }) => status === "ok");
      expect(await grpcHealth(lastro)).toBe("SERVING");
      const { partitions } = await getIntake(lastro);
      expect(partitions.every(({ state, lag }) => state === PartitionState.RUNNING && lag === 0n)).toBe(true);
      expect(await metric(lastro, "lastro_rejections_total")).toBe(0);
      expect(await readTopic(world.env["LASTRO_KAFKA_BROKERS"] ?? "", `${world.topic}.dlq`)).toEqual([]);
      expect(await lastro.stop()).toBe(0);
      await world.checkAfter(
        { fault: `the store is away for ${awayMs / 1_000} s`, recoveryMs },
        storedOnly(events),
      );
    }
  },
  fewRounds * (awayMs + 150_000),
);
