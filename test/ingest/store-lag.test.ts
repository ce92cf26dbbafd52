import { expect, test } from "@jest/globals";
import { LastroError } from "../../src/core/errors.ts";
import { srcOf, type TopicId } from "../../src/core/ids.ts";
import { storeLag } from "../../src/ingest/store-lag.ts";

const signal = new AbortController().signal;
const topicId = "Ag0JAAAAAAAAAAAAAAAAAQ" as TopicId;
const anotherId = "Ag0JAAAAAAAAAAAAAAAAAg" as TopicId;

/** Kafka and a store as the test says they are, one partition unless said. */
function aWorld() {
  const world = { nowMs: 1_000, topicId, ends: [10], marks: [0], isAway: false };
  const lag = storeLag({
    source: {
      async partitions() {
        if (world.isAway) throw new LastroError("SOURCE_UNAVAILABLE", "away");
        return world.ends.map((logEnd, partition) => ({
          src: srcOf(world.topicId, partition),
          topicId: world.topicId,
          partition,
          logStart: 0,
          logEnd,
        }));
      },
    },
    records: {
      async sources() {
        return world.marks.map((mark, partition) => ({ src: srcOf(topicId, partition), begin: 0, mark }));
      },
    },
    steadyNow: () => world.nowMs,
  });
  const lookAt = (nowMs: number): Promise<void> => {
    world.nowMs = nowMs;
    return lag.look(signal);
  };
  return { world, lag, lookAt };
}

test("the lag is unknown until the marks reach what Kafka held, and then the time since it held that", async () => {
  const { world, lag, lookAt } = aWorld();
  await lookAt(1_000);
  expect(lag.ms()).toBeUndefined();
  world.marks = [10];
  world.ends = [15];
  await lookAt(3_000);
  expect(lag.ms()).toBe(2_000);
});

test("under a load that never rests the lag is bound by what Kafka held at an earlier look", async () => {
  const { world, lag, lookAt } = aWorld();
  for (let look = 1; look <= 50; look++) {
    world.marks = [look * 100 - 5];
    world.ends = [look * 100];
    await lookAt(look * 2_000);
    if (look > 1) expect(lag.ms()).toBeLessThanOrEqual(4_000);
  }
});

test("one partition that stands still makes the lag grow, and while Kafka is away it grows too", async () => {
  const { world, lag, lookAt } = aWorld();
  Object.assign(world, { ends: [10, 10], marks: [10, 10] });
  await lookAt(1_000);
  expect(lag.ms()).toBe(0);
  world.ends = [10, 20];
  await lookAt(3_000);
  world.ends = [30, 30];
  world.marks = [30, 10];
  await lookAt(9_000);
  expect(lag.ms()).toBe(8_000);
  world.isAway = true;
  await expect(lookAt(20_000)).rejects.toMatchObject({ code: "SOURCE_UNAVAILABLE" });
  expect(lag.ms()).toBe(19_000);
});

test("a partition that holds nothing needs no mark, one that holds events does", async () => {
  const { world, lag, lookAt } = aWorld();
  Object.assign(world, { ends: [0], marks: [] });
  await lookAt(1_000);
  expect(lag.ms()).toBe(0);
  world.ends = [1];
  await lookAt(2_000);
  await lookAt(3_000);
  expect(lag.ms()).toBe(2_000);
});

test("a topic that was made again is waited for as it is now", async () => {
  const { world, lag, lookAt } = aWorld();
  await lookAt(1_000);
  Object.assign(world, { topicId: anotherId, ends: [0] });
  await lookAt(3_000);
  expect(lag.ms()).toBe(0);
});
