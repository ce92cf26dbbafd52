/** What happens inside the process: its event loop is blocked, something throws that nobody catches, a promise is rejected that nobody awaits. */
import { expect, test } from "@jest/globals";
import { insertOfRecords, primaryPort } from "../support/forged-answers.ts";
import { membersOf } from "../support/kafka-admin.ts";
import { until } from "../support/lastro.ts";
import { openLink, through } from "../support/link.ts";
import { blockedMs, meets, personal } from "../support/mishap.ts";
import { metric } from "../support/operator.ts";
import { seed } from "../support/rounds.ts";
import { kafkaBrokers } from "../support/servers.ts";
import { endure } from "../support/storm.ts";
import { makeWorld, outcomesSeen, untilDrained } from "../support/world.ts";

const brokers = kafkaBrokers().join(",");
const blocksMin = 2;

test.concurrent("R-05 R-07 nothing is lost or doubled and no hole is left by a process whose event loop is blocked for 5 s, and again", async () => {
  await using world = await makeWorld("sqlite");
  const lastro = await world.start({ nodeArgs: meets("blocks") });
  const blocked = (): number => lastro.output().split("no longer blocked").length - 1;
  const block = (): boolean => lastro.process.kill("SIGUSR2");
  await endure(world, lastro, {
    name: `the event loop is blocked for ${blockedMs / 1_000} s, and again`,
    events: 2_000,
    seed,
    fault: {
      begin: block,
      async meanwhile() {
        await until("it was blocked", async () => blocked() === 1, 4 * blockedMs, lastro);
        block();
        await until("it was blocked again", async () => blocked() === blocksMin, 4 * blockedMs, lastro);
      },
      end: () => undefined,
    },
  });
}, 180_000);

type Line = Readonly<Record<string, unknown>>;
const linesOf = (output: string): readonly Line[] =>
  output
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Line);

test.concurrent.each(["throws", "rejects", "throws and hangs"] as const)(
  "an error that nobody expects (%s) ends the process in order with exit code 1 and one line that has its frames and not its message; the next start loses nothing and repeats nothing",
  async (mishap) => {
    await using world = await makeWorld("sqlite", { LASTRO_BATCH_SIZE_MAX: "20" });
    const env = { LASTRO_KAFKA_GROUP: world.topic };
    const first = await world.start({ env, nodeArgs: meets(mishap) });
    const published = await world.publish(1, 2_000);
    await until("it is at work", async () => (await outcomesSeen(first)) > 0, 30_000, first);
    first.process.kill("SIGUSR2");
    expect(await first.ended).toBe(1);
    expect(linesOf(first.output()).filter((line) => line["event.code"] === "unexpected_error")).toEqual([
      expect.objectContaining({
        "log.level": "error",
        "lastro.code": "INTERNAL",
        "error.type": "TypeError",
        "error.stack_trace": expect.stringMatching(/^TypeError\n {4}at .*mishap\.ts/),
      }),
    ]);
    expect(first.output()).toMatch(/^INTERNAL: .*start it again/m);
    for (const text of personal) expect(first.output()).not.toContain(text);
    expect(await membersOf(brokers, world.topic)).toBe(0);

    const second = await world.start({ env });
    await untilDrained(second, published.messages);
    expect(await metric(second, "lastro_redeliveries_total")).toBe(0);
    expect(await second.stop()).toBe(0);
    await world.checkAfter({ fault: `an error that nobody expects: ${mishap}` }, published);
  },
  240_000,
);

test.concurrent("a second such error ends the process at once, in the middle of its work; the next start loses nothing and doubles nothing", async () => {
  await using link = await openLink(await primaryPort());
  await using world = await makeWorld("mongodb", { LASTRO_BATCH_SIZE_MAX: "20" });
  const storeUrl = through(world.env["LASTRO_STORE_URL"] ?? "", link);
  const env = { LASTRO_STORE_URL: storeUrl, LASTRO_KAFKA_GROUP: world.topic };
  const first = await world.start({ env, nodeArgs: meets("throws") });
  const held = link.hold(insertOfRecords);
  const published = await world.publish(1, 200);
  await held;
  const told = (): number => first.output().split('"unexpected_error"').length - 1;
  first.process.kill("SIGUSR2");
  await until("the first is told", async () => told() === 1, 10_000, first);
  first.process.kill("SIGUSR2");
  expect(await first.ended).toBe(1);
  expect(told()).toBe(2);
  // In order it would have left it.
  expect(await membersOf(brokers, world.topic)).toBe(1);

  const second = await world.start();
  await untilDrained(second, published.messages);
  expect(await second.stop()).toBe(0);
  await world.check(published);
}, 240_000);
