/** SIGTERM in the middle of the work: what is begun is finished, nothing else is begun, and the next start repeats nothing. */
import { once } from "node:events";
import { connect } from "node:net";
import { expect, test } from "@jest/globals";
import { parseSrc, type Src } from "../../src/core/ids.ts";
import { endOf } from "../e2e/service.ts";
import { insertOfRecords, primaryPort } from "../support/forged-answers.ts";
import { withAdmin } from "../support/kafka-admin.ts";
import { type LastroProcess, until } from "../support/lastro.ts";
import { openLink, through } from "../support/link.ts";
import { getIntake, metric } from "../support/operator.ts";
import { combined, type Published } from "../support/published.ts";
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

/** Publishes a little at a time until the process has ended, so that there is always more to do. */
async function publishMeanwhile(world: World, ended: Promise<unknown>, events: number): Promise<Published> {
  const published: Published[] = [];
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
  });
  while (!hasEnded) published.push(await world.publish(2 + published.length, events));
  return combined(published);
}

/** Whether it takes no calls any more, as soon as it is told to stop. */
async function isStopping({ grpcAddress }: LastroProcess): Promise<boolean> {
  const [host, port] = grpcAddress.split(":");
  const socket = connect(Number(port), host);
  return once(socket, "connect")
    .then(
      () => false,
      () => true,
    )
    .finally(() => socket.destroy());
}

test.each([
  ["sqlite", 2_000, 500],
  ["mongodb", 100, 10],
] as const)(
  "on %s SIGTERM in mid-run ends the process in under 10 s with exit code 0; marks are committed and nothing is delivered again",
  async (kind, events, eventsMeanwhile) => {
    await using world = await makeWorld(kind, {
      LASTRO_BATCH_SIZE_MAX: "20",
      LASTRO_DRAIN_MS_MAX: "5000",
    });
    const env = { LASTRO_KAFKA_GROUP: world.topic };
    const first = await world.start({ env });
    const before = await world.publish(1, events);
    await until("it is at work", async () => (await outcomesSeen(first)) > 0, 30_000, first);
    const meanwhile = publishMeanwhile(world, first.ended, eventsMeanwhile);
    const started = performance.now();
    expect(await first.stop()).toBe(0);
    expect(performance.now() - started).toBeLessThan(stopMsMax);
    const published = combined([before, await meanwhile]);
    const marks = await marksOf(world);
    expect(Object.values(marks).reduce((sum, mark) => sum + mark, 0)).toBeLessThan(published.messages);
    expect(await committedOf(world)).toEqual(marks);

    const second = await world.start({ env });
    await untilDrained(second, published.messages);
    expect(await metric(second, "lastro_redeliveries_total")).toBe(0);
    expect((await getIntake(second)).partitions.every(({ lag }) => lag === 0n)).toBe(true);
    expect(await second.stop()).toBe(0);
    await world.check(published);
  },
  120_000,
);

test("SIGTERM while MongoDB builds indexes for the start ends the process with exit code 0, and the log says so", async () => {
  await using link = await openLink(await primaryPort());
  await using world = await makeWorld("mongodb", { LASTRO_LOG_LEVEL: "info" });
  const storeUrl = through(world.env["LASTRO_STORE_URL"] ?? "", link);
  const held = link.holdAnswer(Buffer.from("createIndexes"), 1);
  const lastro = await world.spawn({ env: { LASTRO_STORE_URL: storeUrl } });
  await held;
  void lastro.stop();
  const { code, output } = await endOf(lastro);
  expect([code, output]).toEqual([0, expect.stringContaining('"event.code":"start_stopped"')]);
  expect(output).not.toContain("STORE_UNAVAILABLE");
}, 120_000);

test("a second SIGTERM ends the process at once where it stands; the next start loses nothing and doubles nothing", async () => {
  await using link = await openLink(await primaryPort());
  await using world = await makeWorld("mongodb", {
    LASTRO_BATCH_SIZE_MAX: "20",
    LASTRO_DRAIN_MS_MAX: "5000",
  });
  const storeUrl = through(world.env["LASTRO_STORE_URL"] ?? "", link);
  const first = await world.start({ env: { LASTRO_STORE_URL: storeUrl } });
  const held = link.hold(insertOfRecords);
  const published = await world.publish(2, 200);
  await held;
  void first.stop();
  await until("it stops", () => isStopping(first), stopMsMax, first);
  expect(await first.stop()).toBe("SIGTERM");

  const second = await world.start();
  await untilDrained(second, published.messages);
  expect(await second.stop()).toBe(0);
  await world.check(published);
}, 120_000);
