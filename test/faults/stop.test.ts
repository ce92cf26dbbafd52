/** SIGTERM in the middle of the work: what is begun is finished, nothing else is begun, and the next start repeats nothing. */
import { expect, test } from "@jest/globals";
import { parseSrc, type Src } from "../../src/core/ids.ts";
import { withAdmin } from "../support/kafka-admin.ts";
import { until } from "../support/lastro.ts";
import { getIntake, metric } from "../support/operator.ts";
import { kafkaBrokers } from "../support/servers.ts";
import { makeWorld, outcomesSeen, untilDrained, type World } from "../support/world.ts";

const stopMsMax = 10_000;

async function marksOf(world: World): Promise<Record<number, number>> {
  await using store = await world.openStore();
  const sources = await store.records.sources(AbortSignal.timeout(10_000));
  return Object.fromEntries(sources.map(({ src, mark }) => [parseSrc(src as Src).partition, mark]));
}

async function committedOf(world: World): Promise<Record<number, number>> {
  return withAdmin(kafkaBrokers().join(","), async (admin) => {
    const [topic] = await admin.fetchOffsets({ groupId: world.topic, topics: [world.topic] });
    const committed = topic?.partitions.filter(({ offset }) => Number(offset) >= 0) ?? [];
    return Object.fromEntries(committed.map(({ partition, offset }) => [partition, Number(offset)]));
  });
}

test.each([
  ["sqlite", 6_000],
  ["mongodb", 400],
] as const)(
  "on %s SIGTERM in mid-run ends the process in under 10 s with exit code 0; marks are committed and nothing is delivered again",
  async (kind, events) => {
    await using world = await makeWorld(kind, {
      LASTRO_BATCH_SIZE_MAX: "20",
      LASTRO_DRAIN_MS_MAX: "5000",
    });
    const env = { LASTRO_KAFKA_GROUP: world.topic };
    const first = await world.start({ env });
    const published = await world.publish(1, events);
    await until("it is at work", async () => (await outcomesSeen(first)) > 0, 30_000, first);
    const started = performance.now();
    expect(await first.stop()).toBe(0);
    expect(performance.now() - started).toBeLessThan(stopMsMax);
    const marks = await marksOf(world);
    expect(Object.values(marks).reduce((sum, mark) => sum + mark, 0)).toBeLessThan(events);
    expect(await committedOf(world)).toEqual(marks);

    const second = await world.start({ env });
    await untilDrained(second, events);
    expect(await metric(second, "lastro_redeliveries_total")).toBe(0);
    expect((await getIntake(second)).partitions.every(({ lag }) => lag === 0n)).toBe(true);
    expect(await second.stop()).toBe(0);
    await world.check(published);
  },
  120_000,
);

test("a second SIGTERM ends the process at once where it stands; the next start loses nothing and doubles nothing", async () => {
  await using world = await makeWorld("sqlite", { LASTRO_BATCH_SIZE_MAX: "20", LASTRO_DRAIN_MS_MAX: "5000" });
  const first = await world.start();
  const published = await world.publish(2, 6_000);
  await until("it is at work", async () => (await outcomesSeen(first)) > 0, 30_000, first);
  void first.stop();
  expect(["SIGTERM", 0]).toContain(await first.stop());

  const second = await world.start();
  await untilDrained(second, published.messages);
  expect(await second.stop()).toBe(0);
  await world.check(published);
}, 120_000);
