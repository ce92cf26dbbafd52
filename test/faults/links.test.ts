/** The network between the service and its servers is cut, slow, thin or deaf: what cannot be reached is waited for, and named. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, test } from "@jest/globals";
import { type Draw, drawFrom, oneOf } from "../support/draw.ts";
import { type LastroProcess, until } from "../support/lastro.ts";
import type { Condition } from "../support/link.ts";
import { readiness, untilReadiness } from "../support/operator.ts";
import { fewRounds, seed } from "../support/rounds.ts";
import { endure, type Fault } from "../support/storm.ts";
import {
  type LinkName,
  type Links,
  linkNames,
  makeLinkedWorld,
  startLinkedKafka,
} from "../support/storm-world.ts";
import { untilDrained } from "../support/world.ts";

/** The stand-in for MongoDB walks the collection for every update, so it gets few. */
const events = 60;
const small = { LASTRO_BATCH_SIZE_MAX: "10" };
const isLong = fewRounds > 1;
/** Longer than a session of Kafka (6 s here), so that partitions are given away. */
const awayMs = (draw: Draw): number => (isLong ? 5_000 + draw(55_000) : 8_000);
const badMs = isLong ? 30_000 : 8_000;
/** A connection that died unnoticed is given up after 30 s to the store, 40 s to Kafka. */
const recoverMsMax = 120_000;
const timeoutMs = fewRounds * 240_000;

const all = (links: Links, condition: Condition): Promise<unknown> =>
  Promise.all(linkNames.map((name) => links[name].become(condition)));

const saysAway = (lastro: LastroProcess, name: LinkName): Promise<void> =>
  untilReadiness(lastro, `it says that ${name} is away`, ({ parts }) => parts[name]?.ok === false);

/** Whoever asks next may get a new connection, so the store can be away for one partition only, or for a moment that no look at it meets. */
const noticesStore = (lastro: LastroProcess): Promise<void> =>
  until(
    "it notices that the store does not answer",
    async () =>
      lastro.output().includes('"STORE_UNAVAILABLE"') ||
      (await readiness(lastro)).parts["store"]?.ok === false,
    recoverMsMax,
    lastro,
  );

const cut =
  (name: LinkName) =>
  (links: Links, draw: Draw): Fault => ({
    begin: () => links[name].become({ holds: "both" }),
    meanwhile: (lastro) => Promise.all([sleep(awayMs(draw)), saysAway(lastro, name)]),
    end: () => links[name].become({}),
  });

const everywhere =
  (condition: Condition) =>
  (links: Links): Fault => ({
    begin: () => all(links, condition),
    meanwhile: () => sleep(badMs),
    end: () => all(links, {}),
  });

const resets = (links: Links): Fault => ({
  begin: () => undefined,
  async meanwhile() {
    for (let count = 0; count < 8; count++) {
      for (const name of linkNames) links[name].reset();
      await sleep(badMs / 8);
    }
  },
  end: () => undefined,
});

/** As when the machine on the other side lost its power: the next answer never comes. */
const halfOpen = (links: Links): Fault => ({
  begin() {
    for (const name of linkNames) links[name].forget();
  },
  meanwhile: (lastro) => Promise.all([noticesStore(lastro), saysAway(lastro, "kafka")]),
  end: () => undefined,
});

/** All links go bad one after the other and recover in another order. */
const swizzle = (links: Links, draw: Draw): Fault => {
  const conditions: readonly Condition[] = [
    { holds: "both" },
    { holds: "requests" },
    { holds: "replies" },
    { refuses: true },
    { delayMs: 150, jitterMs: 50 },
    { bytesPerSecond: 8_000 },
  ];
  const shuffled = (): readonly LinkName[] =>
    linkNames
      .map((name) => ({ name, place: draw(1_000) }))
      .toSorted((a, b) => a.place - b.place)
      .map(({ name }) => name);
  return {
    begin: () => undefined,
    async meanwhile() {
      for (const name of shuffled()) {
        await links[name].become(oneOf(draw, conditions));
        await sleep(draw(badMs / 2));
      }
      for (const name of shuffled()) {
        await links[name].become({});
        await sleep(draw(badMs / 4));
      }
    },
    end: () => undefined,
  };
};

const faults: Readonly<Record<string, (links: Links, draw: Draw) => Fault>> = {
  "to Kafka carries nothing": cut("kafka"),
  "to the store carries nothing": cut("store"),
  "to Redis carries nothing": cut("redis"),
  "carries requests, but no answers": everywhere({ holds: "replies" }),
  "carries answers, but no requests": everywhere({ holds: "requests" }),
  "takes 300 ms ± 100 there and back": everywhere({ delayMs: 150, jitterMs: 50 }),
  "carries 64 kbit/s": everywhere({ bytesPerSecond: 8_000 }),
  "is reset again and again": resets,
  "is dead, and nobody is told": halfOpen,
  "goes bad and recovers, each server's at another time": swizzle,
};

const kafka = startLinkedKafka(Object.keys(faults).length + 3);
afterAll(async () => {
  await (await kafka)[Symbol.asyncDispose]();
});

describe("R-05 R-07 nothing is lost or doubled and no hole is left", () => {
  test.concurrent.each(Object.entries(faults))(
    "while the network %s",
    async (name, faultOf) => {
      const kafkaLink = (await kafka).takeLink();
      for (let round = 0; round < fewRounds; round++) {
        const draw = drawFrom(seed + round);
        await using linked = await makeLinkedWorld(await kafka, small);
        const { lastro, links } = await linked.start(kafkaLink);
        const fault = faultOf(links, draw);
        await endure(linked.world, lastro, {
          name: `the network ${name}`,
          events,
          fault,
          seed: seed + 2 * round,
          recoverMsMax,
        });
      }
    },
    timeoutMs,
  );
});

test(
  "R-01 a process that is cut off from Kafka loses its partitions to another, and has a share again once it is back",
  async () => {
    const kafkaLinks = [(await kafka).takeLink(), (await kafka).takeLink()] as const;
    for (let round = 0; round < fewRounds; round++) {
      await using linked = await makeLinkedWorld(await kafka, small);
      const cutOff = await linked.start(kafkaLinks[0]);
      const { lastro } = await linked.start(kafkaLinks[1]);
      const fault: Fault = {
        begin: () => cutOff.links.kafka.become({ holds: "both" }),
        async meanwhile() {
          await saysAway(cutOff.lastro, "kafka");
          await untilDrained(lastro, 2 * events);
        },
        async end() {
          await cutOff.links.kafka.become({});
          await untilReadiness(
            cutOff.lastro,
            "it is back",
            ({ parts }) => parts["kafka"]?.ok === true,
            60_000,
          );
        },
      };
      await endure(linked.world, lastro, {
        name: "one of two processes is cut off from Kafka",
        events,
        fault,
        seed: seed + 2 * round,
      });
      expect(await cutOff.lastro.stop()).toBe(0);
    }
  },
  timeoutMs,
);

test("a bootstrap name that nobody knows does no harm beside one that answers; alone it ends the start with a sentence", async () => {
  const unknown = "kafka.invalid:9092";
  await using linked = await makeLinkedWorld(await kafka, small);
  const link = (await kafka).takeLink();
  const { lastro } = await linked.start(link, {
    env: { LASTRO_KAFKA_BROKERS: `${unknown},${link.address}` },
  });
  const published = await linked.world.publish(seed, events);
  await untilDrained(lastro, published.messages);
  expect(await lastro.stop()).toBe(0);
  await linked.world.check(published);

  const alone = await linked.world.spawn({ env: { LASTRO_KAFKA_BROKERS: unknown } });
  expect(await alone.ended).toBe(1);
  expect(alone.output()).toContain(`SOURCE_UNAVAILABLE: Kafka at ${unknown} did not answer`);
}, 120_000);
