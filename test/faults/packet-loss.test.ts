/** The service in a network namespace of its own, whose interface loses packets: TCP sends them again, and everything is late. */
import { expect, test } from "@jest/globals";
import { primaryPort } from "../support/forged-answers.ts";
import { untilReady } from "../support/lastro.ts";
import { openLossyNetwork } from "../support/lossy-network.ts";
import { fewRounds, seed } from "../support/rounds.ts";
import { kafkaBrokers, redisUrl } from "../support/servers.ts";
import { endure } from "../support/storm.ts";
import { makeWorld, untilDrained } from "../support/world.ts";

/** The stand-in for MongoDB walks the collection for every update, so it gets few. */
const events = 100;
const lossPercent = 10;
const lostMin = 100;
const portOf = (address: string): number => Number(new URL(address).port);

test(
  "R-05 R-07 nothing is lost or doubled and no hole is left while one packet in ten is lost on the way to Kafka, the store and Redis and back",
  async () => {
    for (let round = 0; round < fewRounds; round++) {
      await using network = await openLossyNetwork();
      const brokers = kafkaBrokers().map((broker) => portOf(`kafka://${broker}`));
      await network.letOut([...brokers, await primaryPort(), portOf(redisUrl())]);
      await using world = await makeWorld("mongodb", { LASTRO_BATCH_SIZE_MAX: "10" });
      const lastro = await world.spawn({ under: network.under });
      await network.letIn([lastro.httpUrl, `grpc://${lastro.grpcAddress}`].map(portOf));
      await untilReady(lastro);
      await endure(world, lastro, {
        name: `the network loses ${lossPercent} % of the packets`,
        events,
        seed: seed + 2 * round,
        fault: {
          begin: () => network.lose(lossPercent),
          async meanwhile() {
            await untilDrained(lastro, 2 * events, 120_000);
            expect(network.lost()).toBeGreaterThan(lostMin);
          },
          end: () => network.lose(0),
          note: () => `${network.lost()} packets lost`,
        },
      });
    }
  },
  fewRounds * 240_000,
);
