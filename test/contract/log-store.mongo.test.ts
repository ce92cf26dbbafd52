/** The log store contract on MongoDB's protocol. */
import { MongoClient } from "mongodb";
import { ridKey } from "../../src/adapters/mongo/bson-values.ts";
import { type Collections, collectionsOf } from "../../src/adapters/mongo/collections.ts";
import { openMongoStore } from "../../src/adapters/mongo/open-mongo-store.ts";
import { dropDatabase, freshMongoUrl, openFreshMongo } from "../integration/mongo/fresh.ts";
import { logDurableContract, type StorePlace } from "./log-durable.contract.ts";
import { logStateContract } from "./log-state.contract.ts";
import { logStoreContract } from "./log-store.contract.ts";

logStoreContract("MongoDB", openFreshMongo);
logStateContract("MongoDB", openFreshMongo);

async function makePlace(): Promise<StorePlace> {
  const url = freshMongoUrl();
  const change = async (work: (collections: Collections) => Promise<unknown>): Promise<void> => {
    const client = new MongoClient(url);
    try {
      await work(collectionsOf(client.db()));
    } finally {
      await client.close();
    }
  };
  return {
    open: () => openMongoStore({ url }),
    overwriteEntry: (rid, entry) =>
      change(({ records }) =>
        entry === undefined
          ? records.deleteOne({ _id: ridKey(rid) })
          : records.updateOne({ _id: ridKey(rid) }, { $set: { entry } }),
      ),
    removeLogRow: (index) => change(({ logIndex }) => logIndex.deleteOne({ _id: index })),
    [Symbol.asyncDispose]: () => dropDatabase(url),
  };
}

logDurableContract("MongoDB", makePlace);
