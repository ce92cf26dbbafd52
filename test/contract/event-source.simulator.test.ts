/** The broker of simulated worlds keeps what intake rests on. */
import { setImmediate } from "node:timers/promises";
import { afterAll, describe } from "@jest/globals";
import { type Broker, makeBroker } from "../simulator/broker.ts";
import { callBy, noFaults } from "../simulator/calls.ts";
import { makeScheduler } from "../simulator/scheduler.ts";
import { topic } from "../simulator/topic.ts";
import type { TestMessage } from "./event-source.kafka.ts";
import { eventSourceBasics, type SourceBed } from "./event-source-basics.contract.ts";

const batchMax = 100;
const percents = 100;
/** All that may happen does, and batches are as large as they can be. */
const draw = (below: number): number => (below === percents ? 0 : below - 1);

describe("a simulated broker", () => {
  const scheduler = makeScheduler(draw);
  /** Of the topic that was made last: there is but one name. */
  let broker: Broker | undefined;
  const ending = new AbortController();
  const turns = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      await scheduler.step(broker?.ready() ?? []);
      await setImmediate();
    }
  };
  const running = turns();
  afterAll(async () => {
    ending.abort();
    await running;
  });
  const append = async (_: string, messages: readonly (TestMessage | undefined)[]): Promise<void> => {
    for (const message of messages) {
      const partition = broker?.current()[message?.partition ?? 0];
      const event = message && { key: message.key ?? null, value: message.value, headers: [] };
      if (partition !== undefined) broker?.publish(partition, event);
    }
  };
  const kafka: SourceBed["kafka"] = {
    async createTopic({ partitions = 1 } = {}) {
      const group = { isOrderly: false, accepted: async () => undefined, onCommit: () => undefined };
      broker = makeBroker(scheduler, partitions, { batchMax, ...group });
      return topic;
    },
    produce: append,
    transact: (name, messages, end) =>
      append(name, [...messages.map((message) => (end === "commit" ? message : undefined)), undefined]),
  };
  eventSourceBasics({
    kafka,
    async opened(name) {
      const life = { name, state: "alive" } as const;
      const way = { scheduler, life, faults: () => noFaults, onEffect: () => undefined };
      if (broker === undefined) throw new Error("no topic was made");
      return broker.open(life, callBy({ ...way, code: "SOURCE_UNAVAILABLE" }));
    },
  });
});
