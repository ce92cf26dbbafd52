/** The indexes of a MongoDB database at start: what is asked of the server, and what is waited for. */
import { describe, expect, test } from "@jest/globals";
import { type CreateIndexesOptions, type IndexDescription, MongoNetworkTimeoutError } from "mongodb";
import { type Collections, collectionsOf, indexPlans } from "../../../src/adapters/mongo/collections.ts";
import { ensureIndexes } from "../../../src/adapters/mongo/indexes.ts";

type Server = {
  /** As `listIndexes` shows them, those that are being built among them. */
  readonly stored?: Readonly<Record<string, readonly IndexDescription[]>>;
  build(
    collection: string,
    indexes: readonly IndexDescription[],
    options: CreateIndexesOptions,
  ): Promise<unknown>;
};

const collectionsOn = ({ stored = {}, build }: Server): Collections =>
  collectionsOf({
    collection: (collectionName: string) => ({
      collectionName,
      listIndexes: () => ({ toArray: async () => stored[collectionName] ?? [] }),
      createIndexes: (indexes: readonly IndexDescription[], options: CreateIndexesOptions) =>
        build(collectionName, indexes, options),
    }),
  } as unknown as Parameters<typeof collectionsOf>[0]);

const alone = { onBuilding: () => undefined, isReplicated: false };
const uid = { name: "uid", key: { uid: 1 }, unique: true } as const;

describe("the indexes at start", () => {
  test("an index that is listed while it is still being built is waited for: duplicates could be written meanwhile", async () => {
    const asked = Promise.withResolvers<void>();
    const built = Promise.withResolvers<void>();
    const build: Server["build"] = (collection) => {
      if (collection !== "records") return Promise.resolve();
      asked.resolve();
      return built.promise;
    };
    const stored = indexPlans.flatMap(({ collection, name, key, unique }) =>
      collection === "records" ? [{ name, key, ...(unique && { unique }) }] : [],
    );
    let isDone = false;
    const ensured = ensureIndexes(collectionsOn({ stored: { records: stored }, build }), alone).then(() => {
      isDone = true;
    });
    await Promise.race([asked.promise, ensured]);
    expect(isDone).toBe(false);
    built.resolve();
    await ensured;
  });

  test("every index is asked for at each start, under the name that it was found by", async () => {
    const asked: (readonly [string, readonly IndexDescription[]])[] = [];
    const build: Server["build"] = async (collection, indexes) => asked.push([collection, indexes]);
    await ensureIndexes(collectionsOn({ stored: { records: [{ ...uid, name: "mine" }] }, build }), alone);
    expect(asked.flatMap(([, indexes]) => indexes)).toHaveLength(indexPlans.length);
    expect(asked).toContainEqual(["records", [{ name: "mine", key: { uid: 1 }, unique: true }]]);
    expect(asked).toContainEqual(["log_index", [{ name: "key", key: { key: 1 }, unique: true }]]);
    // Those that are missing are built in one walk.
    expect(asked.filter(([collection]) => collection === "records")).toHaveLength(2);
  });

  test("a build that outlasts the connection's patience is told, and asked for again however often, until it is done", async () => {
    let [calls, told] = [0, 0];
    const build: Server["build"] = async (collection) => {
      if (collection === "records" && ++calls <= 10) throw new MongoNetworkTimeoutError("timed out", {});
    };
    await ensureIndexes(collectionsOn({ build }), { ...alone, onBuilding: () => told++ });
    expect([calls, told]).toEqual([11, 10]);
  });

  test("where there are other members a build is done once a majority has it: one that is away keeps no start waiting", async () => {
    for (const [isReplicated, commitQuorum] of [
      [true, "majority"],
      [false, undefined],
    ] as const) {
      const asked = new Set<unknown>();
      const build: Server["build"] = async (_, __, options) => asked.add(options.commitQuorum);
      await ensureIndexes(collectionsOn({ build }), { ...alone, isReplicated });
      expect([...asked]).toEqual([commitQuorum]);
    }
  });

  test("the command told to the operator names the collection as it lies in the database", async () => {
    const build: Server["build"] = async () => undefined;
    const stored = { log_index: [{ name: "mine", key: { key: 1 as const } }] };
    await expect(ensureIndexes(collectionsOn({ stored, build }), alone)).rejects.toMatchObject({
      code: "STORE_UNSAFE",
      message: expect.stringMatching(/of collection log_index .*db\.log_index\.dropIndex\("mine"\)/s),
    });
  });
});
