/** Events published several times, over all partitions and in any order, and again with other content: each is stored once, and the first content stands. */
import { expect, test } from "@jest/globals";
import { drawFrom } from "../support/draw.ts";
import { createTopic } from "../support/kafka-admin.ts";
import { idOf, type Message, type Published, plainEvents } from "../support/published.ts";
import { fewRounds, seed } from "../support/rounds.ts";
import { kafkaBrokers } from "../support/servers.ts";
import { makeWorld, untilDrained } from "../support/world.ts";

const eventsOf = { sqlite: 800, mongodb: 60 } as const;
const [partitions, copiesMax, changedPercent] = [6, 5, 3];

/** Copies fall into any partition; what has other content lies behind an unchanged one in the same partition. */
function copiedLoad(roundSeed: number, count: number): Published & { readonly batch: readonly Message[] } {
  const draw = drawFrom(roundSeed);
  const batch: Message[] = [];
  const bad: string[] = [];
  let duplicates = 0;
  const events = plainEvents(roundSeed, count);
  for (const [index, event] of events.entries()) {
    const copies = draw(copiesMax);
    duplicates += copies;
    const partition = draw(partitions);
    batch.push({ ...event, partition });
    for (let copy = 0; copy < copies; copy++) {
      const earlier = events[Math.max(0, index - draw(50))] ?? event;
      batch.push({ ...earlier, partition: draw(partitions) });
    }
    if (draw(100) >= changedPercent) continue;
    const value = event.value.replace('"environment":"production"', '"environment":"other"');
    batch.push({ ...event, value, partition });
    bad.push(value);
  }
  const ids = new Set(events.map(({ value }) => idOf(value)));
  return { batch, ids, bad, messages: batch.length, duplicates, conflicts: bad.length, rejected: 0 };
}

test.each(["sqlite", "mongodb"] as const)(
  "on %s events published one to five times over all partitions are stored once each, and other content under a known id is a conflict",
  async (kind) => {
    for (let round = 0; round < fewRounds; round++) {
      await using world = await makeWorld(kind);
      await createTopic(kafkaBrokers().join(","), world.topic, partitions);
      const load = copiedLoad(seed + round, eventsOf[kind]);
      await world.send(load.batch.slice(0, load.batch.length / 2));
      const lastro = await world.start();
      await world.send(load.batch.slice(load.batch.length / 2));
      const sentMs = performance.now();
      await untilDrained(lastro, load.messages, 120_000);
      const recoveryMs = performance.now() - sentMs;
      expect(await lastro.stop()).toBe(0);
      const note = `${load.duplicates} copies, ${load.conflicts} conflicts`;
      await world.checkAfter(
        { fault: "each event one to five times, over all partitions", recoveryMs, note },
        load,
      );
    }
  },
  fewRounds * 240_000,
);
