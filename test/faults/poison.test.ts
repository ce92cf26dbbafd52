/** Messages that cannot be read among good ones, few, many, all, in rows and at each place of a batch: they become dead letters and hold nothing up. */
import { expect } from "@jest/globals";
import { createTopic } from "../support/kafka-admin.ts";
import { type Message, type Published, plainEvents, storedOnly } from "../support/published.ts";
import { fewRounds, sideBySide } from "../support/rounds.ts";
import { kafkaBrokers } from "../support/servers.ts";
import { makeWorld, untilDrained } from "../support/world.ts";

const batchSize = 20;
const longBatch = 100;

type Load = Published & { readonly batch: readonly Message[] };

/** Good events, but poison where it is asked for. */
function loadOf(seed: number, count: number, isPoison: (index: number) => boolean): Load {
  const events = plainEvents(seed, count);
  const bad = events.flatMap((_, index) => (isPoison(index) ? [`{"broken": ${index},}`] : []));
  const batch = events.map((event, index) =>
    isPoison(index) ? { ...event, value: `{"broken": ${index},}` } : event,
  );
  const good = events.filter((_, index) => !isPoison(index));
  return { ...storedOnly(good), batch, bad, messages: count, rejected: bad.length };
}

const shapes: readonly { what: string; count: number; isPoison: (index: number) => boolean }[] = [
  { what: "no poison", count: 4_000, isPoison: () => false },
  { what: "1 % poison", count: 4_000, isPoison: (index) => index % 100 === 50 },
  { what: "20 % poison", count: 2_000, isPoison: (index) => index % 5 === 3 },
  { what: "100 % poison", count: 1_000, isPoison: () => true },
  { what: "1,000 poison in a row", count: 2_000, isPoison: (index) => index >= 400 && index < 1_400 },
  {
    what: "one poison at each place of a batch",
    count: batchSize * batchSize,
    isPoison: (index) => index % batchSize === Math.floor(index / batchSize),
  },
];

sideBySide.each(shapes)(
  "$what: every good event is stored, every bad one is a dead letter, and the partition goes on",
  async ({ what, count, isPoison }) => {
    for (let round = 1; round <= fewRounds; round++) {
      const size = what.includes("each place") ? batchSize : longBatch;
      await using world = await makeWorld("sqlite", { LASTRO_BATCH_SIZE_MAX: String(size) });
      await createTopic(kafkaBrokers().join(","), world.topic, 1);
      const load = loadOf(round, count, isPoison);
      await world.send(load.batch);
      const lastro = await world.start();
      const startedMs = performance.now();
      await untilDrained(lastro, load.messages, 120_000);
      const recoveryMs = performance.now() - startedMs;
      expect(await lastro.stop()).toBe(0);
      const note = `${Math.round((1_000 * count) / recoveryMs).toLocaleString("en-US")} events/s`;
      await world.checkAfter({ fault: what, recoveryMs, note }, load);
    }
  },
  fewRounds * 150_000,
);
