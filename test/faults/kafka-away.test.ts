/** Kafka dies and comes back on the same disk: the service waits, says so, and goes on by itself. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { until } from "../support/lastro.ts";
import { untilReadiness } from "../support/operator.ts";
import { keepReading } from "../support/reading.ts";
import { startKafka } from "../support/servers.ts";
import { makeWorld, outcomesSeen, untilDrained } from "../support/world.ts";

test.each([
  ["killed", "SIGKILL"],
  ["stopped", "SIGTERM"],
] as const)(
  "a Kafka %s and started again is read on from the mark, with every acknowledged event and without a restart; meanwhile reads are answered and say how far behind they are",
  async (how, signal) => {
    const dir = mkdtempSync(join(tmpdir(), "lastro-kafka-"));
    let kafka = await startKafka({ dir });
    try {
      await using world = await makeWorld("sqlite", { LASTRO_KAFKA_BROKERS: kafka.address });
      const lastro = await world.start();
      const before = await world.publish(1, 3_000);
      await until("some are stored", async () => (await outcomesSeen(lastro)) > 0, 30_000, lastro);
      await using reading = await keepReading(lastro);
      kafka.kill(signal);
      await kafka.exited;
      await untilReadiness(lastro, "it says that Kafka is away", ({ parts }) => parts["kafka"]?.ok === false);
      await until("answers say that they are behind", async () => (reading.lag() ?? 0) >= 5, 30_000, lastro);
      kafka = await startKafka({ dir, port: kafka.port });
      const backMs = performance.now();
      const after = await world.publish(2, 1_000);
      await untilDrained(lastro, before.messages + after.messages, 90_000);
      const recoveryMs = performance.now() - backMs;
      await untilReadiness(lastro, "all is well", ({ status }) => status === "ok");
      await until("answers are up to date again", async () => (reading.lag() ?? 5) < 5, 30_000, lastro);
      const note = await reading.end();
      expect(await lastro.stop()).toBe(0);
      await world.checkAfter({ fault: `Kafka is ${how} and started again`, recoveryMs, note }, before, after);
    } finally {
      await kafka.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  },
  150_000,
);

test("without Kafka the service ends and says what it lacks; started again with Kafka it takes in everything", async () => {
  const dir = mkdtempSync(join(tmpdir(), "lastro-kafka-"));
  let kafka = await startKafka({ dir });
  try {
    await using world = await makeWorld("sqlite", { LASTRO_KAFKA_BROKERS: kafka.address });
    const first = await world.start();
    const before = await world.publish(1, 500);
    await untilDrained(first, before.messages);
    expect(await first.stop()).toBe(0);
    await kafka.stop();
    const without = await world.spawn();
    expect(await without.ended).toBe(1);
    expect(without.output()).toContain(`SOURCE_UNAVAILABLE: Kafka at ${kafka.address} did not answer`);

    kafka = await startKafka({ dir, port: kafka.port });
    const backMs = performance.now();
    const lastro = await world.start();
    const after = await world.publish(2, 500);
    await untilDrained(lastro, before.messages + after.messages);
    const recoveryMs = performance.now() - backMs;
    expect(await lastro.stop()).toBe(0);
    await world.checkAfter({ fault: "Kafka is away when the service starts", recoveryMs }, before, after);
  } finally {
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}, 180_000);
