/** A store that cuts, forges and delays its answers while the service writes into it: what is not known to have happened is looked up, never guessed. */
import { describe, expect, test } from "@jest/globals";
import { MongoClient } from "mongodb";
import { seededRandom } from "../bench/events.ts";
import {
  type Forge,
  type Forgery,
  forgedAnswers,
  insertOfRecords,
  isWrite,
  majorityLate,
  notPrimary,
  primaryPort,
  steppedDown,
} from "../support/forged-answers.ts";
import { type LastroProcess, until } from "../support/lastro.ts";
import { type Link, openLink, through } from "../support/link.ts";
import { fewRounds, seed } from "../support/rounds.ts";
import { startMongo } from "../support/servers.ts";
import { temporaryFolder } from "../support/sqlite.ts";
import { endure, type Fault } from "../support/storm.ts";
import { makeWorld, untilDrained, type World } from "../support/world.ts";

/** The stand-in for MongoDB walks the collection for every update, so it gets few. */
const events = 40;
const small = { LASTRO_BATCH_SIZE_MAX: "10" };
const slowMs = fewRounds > 1 ? 60_000 : 8_000;
const [cutsMin, forgeriesMin] = [2, 4];
const timeoutMs = fewRounds * 180_000;

/** A service that reaches the store through a link on which any command may be answered otherwise. */
type Forged = { readonly world: World; readonly link: Link; setForge(forge: Forge | undefined): void };

const cutAnswers = ({ link }: Forged): Fault => ({
  begin: () => undefined,
  async meanwhile() {
    for (let cut = 0; cut < cutsMin; cut++) await link.cutAnswer(insertOfRecords);
  },
  end: () => undefined,
});

/** Some of the answers to writes, drawn from a seed. */
function forgedWrites(forgery: Forgery): (forged: Forged, drawSeed: number) => Fault {
  return ({ setForge }, drawSeed) => {
    const random = seededRandom(drawSeed);
    let forgeries = 0;
    return {
      begin: () =>
        setForge((command) => {
          if (!isWrite(command) || random() > 0.4) return undefined;
          forgeries += 1;
          return forgery;
        }),
      meanwhile: (lastro) =>
        until("enough answers are forged", async () => forgeries >= forgeriesMin, 60_000, lastro),
      end: () => setForge(undefined),
    };
  };
}

const slow = ({ link }: Forged): Fault => ({
  begin: () => link.become({ delayMs: 1_000 }),
  meanwhile: () => new Promise((over) => setTimeout(over, slowMs)),
  end: () => link.become({}),
});

const faults: readonly (readonly [string, (forged: Forged, drawSeed: number) => Fault])[] = [
  ["cuts the connection in the middle of its answer to an insert", cutAnswers],
  ["says that it is not the primary", forgedWrites(notPrimary)],
  ["writes, and steps down before it says so", forgedWrites(steppedDown)],
  ["writes, and hears of no majority in time", forgedWrites(majorityLate)],
  ["takes two seconds for each answer", slow],
];

describe("R-05 R-07 nothing is lost or doubled and no hole is left", () => {
  test.concurrent.each(faults)(
    "by a store that %s",
    async (name, faultOf) => {
      for (let round = 0; round < fewRounds; round++) {
        let forge: Forge | undefined;
        const setForge = (next: Forge | undefined): void => {
          forge = next;
        };
        const between = forgedAnswers((command) => forge?.(command));
        await using link = await openLink(await primaryPort(), { between });
        await using world = await makeWorld("mongodb", small);
        const storeUrl = through(world.env["LASTRO_STORE_URL"] ?? "", link);
        const lastro = await world.start({ env: { LASTRO_STORE_URL: storeUrl } });
        const fault = faultOf({ world, link, setForge }, seed + round);
        await endure(world, lastro, { name: `a store that ${name}`, events, fault, seed: seed + 2 * round });
      }
    },
    timeoutMs,
  );
});

test(
  "R-05 two groups that read the same partitions into one store meet in every batch, and each event is stored once",
  async () => {
    for (let round = 0; round < fewRounds; round++) {
      await using world = await makeWorld("mongodb", { ...small, LASTRO_REDIS_URL: "" });
      const inGroup = (group: string): Promise<LastroProcess> =>
        world.start({ env: { LASTRO_KAFKA_GROUP: `${world.topic}-${group}` } });
      const [one, other] = await Promise.all([inGroup("one"), inGroup("other")]);
      const published = await world.publish(seed + round, 2 * events);
      await Promise.all([one, other].map((lastro) => untilDrained(lastro, published.messages, 120_000)));
      expect(await Promise.all([one.stop(), other.stop()])).toEqual([0, 0]);
      await world.checkAfter({ fault: "two groups read the same partitions" }, published);
    }
  },
  timeoutMs,
);

test.each(["SIGTERM", "SIGKILL"] as const)(
  "R-05 R-07 nothing is lost or doubled and no hole is left by a store that ends by %s and is started again",
  async (signal) => {
    for (let round = 0; round < fewRounds; round++) {
      await using open = new AsyncDisposableStack();
      const dir = open.use(temporaryFolder()).path;
      let mongo = await startMongo({ dir });
      open.defer(() => mongo.stop());
      const world = open.use(await makeWorld("mongodb", { ...small, LASTRO_STORE_URL: mongo.url }));
      const fault: Fault = {
        async begin() {
          mongo.kill(signal);
          await mongo.exited;
        },
        async meanwhile() {
          mongo = await startMongo({ dir, port: mongo.port });
        },
        end: () => undefined,
      };
      const name = `a store that ends by ${signal} and is started again`;
      await endure(world, await world.start(), { name, events, fault, seed: seed + 2 * round });
    }
  },
  timeoutMs,
);

const databaseOf = (world: World) => new MongoClient(world.env["LASTRO_STORE_URL"] ?? "");

test(
  "R-05 a unique index that is missing at the start is made again; where records forbid it the start is refused",
  async () => {
    await using world = await makeWorld("mongodb", { ...small, LASTRO_REDIS_URL: "" });
    const first = await world.start();
    const published = await world.publish(seed, events / 2);
    await untilDrained(first, published.messages);
    expect(await first.stop()).toBe(0);
    await using client = databaseOf(world);
    const records = client.db().collection("records");
    for (const name of ["uid", "stream_version"]) await records.dropIndex(name);

    const second = await world.start();
    const again = await world.publish(seed, events / 2);
    await untilDrained(second, 2 * published.messages);
    expect(await second.stop()).toBe(0);
    const indexes = await records.indexes();
    expect(indexes.filter(({ unique }) => unique).map(({ name }) => name)).toEqual(
      expect.arrayContaining(["uid", "stream_version"]),
    );
    const duplicates = again.messages - again.conflicts - again.rejected;
    await world.check(published, { ...again, ids: published.ids, duplicates });

    await records.dropIndex("uid");
    const { _id, ...record } = (await records.findOne()) ?? {};
    await records.insertOne({ ...record, version: 1_000_000 });
    const third = await world.spawn();
    expect(await third.ended).toBe(1);
    // MongoDB says which key stands twice; the stand-in, that it could not make the index.
    expect(third.output()).toMatch(/^(STORE_UNSAFE|STORE_UNAVAILABLE: MongoDB did not prepare the database)/);
  },
  timeoutMs,
);
