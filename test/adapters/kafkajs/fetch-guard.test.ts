/** What kafkajs asks its brokers for, as they hear it. */
import { expect, test } from "@jest/globals";
import type { Broker, Cluster } from "kafkajs";
import { guardFetches } from "../../../src/adapters/kafkajs/fetch-guard.ts";

type FetchRequest = Parameters<Broker["fetch"]>[0];

const noFaults = { outOfRange: () => undefined, corrupt: () => undefined, topicInDoubt: () => undefined };

function guarded() {
  const heard: number[][] = [];
  const brokers = ["1", "2"].map(() => ({
    async fetch({ topics }: FetchRequest) {
      heard.push(topics.flatMap(({ partitions }) => partitions.map(({ partition }) => partition)));
      return { responses: [] };
    },
  }));
  const cluster = {
    findBroker: async ({ nodeId }: { nodeId: string }) => brokers[Number(nodeId) - 1],
  } as unknown as Cluster;
  guardFetches(cluster, noFaults);
  const request = {
    topics: [
      {
        topic: "audit",
        partitions: [0, 1, 2].map((partition) => ({ partition, fetchOffset: "0", maxBytes: 1 })),
      },
    ],
  } as unknown as FetchRequest;
  const fetch = async (nodeId: string): Promise<void> => {
    const broker = await cluster.findBroker({ nodeId });
    await broker.fetch(request);
  };
  return { heard, fetch };
}

test("each partition of a broker has its turn to come first in a fetch: the bounds of bytes cut off what comes last", async () => {
  const { heard, fetch } = guarded();
  for (let time = 0; time < 4; time++) await fetch("1");
  expect(heard).toEqual([
    [0, 1, 2],
    [1, 2, 0],
    [2, 0, 1],
    [0, 1, 2],
  ]);
});

test("the turns of one broker are not those of another, however often it is looked for", async () => {
  const { heard, fetch } = guarded();
  for (let time = 0; time < 2; time++) for (const node of ["1", "2"]) await fetch(node);
  expect(heard.map(([first]) => first)).toEqual([0, 0, 1, 1]);
});
