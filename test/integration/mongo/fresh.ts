/** A MongoDB store in a database of its own, dropped when the store is closed. */
import { randomBytes } from "node:crypto";
import { MongoClient } from "mongodb";
import { openMongoStore } from "../../../src/adapters/mongo/open-mongo-store.ts";
import type { Store } from "../../../src/ports/store.ts";
import { mongoUrl } from "../../support/servers.ts";

export function freshMongoUrl(): string {
  const url = new URL(mongoUrl());
  url.pathname = `/lastro_test_${randomBytes(8).toString("hex")}`;
  return url.href;
}

export async function dropDatabase(url: string): Promise<void> {
  const client = new MongoClient(url, { socketTimeoutMS: 10_000 });
  try {
    await client.db().dropDatabase();
  } finally {
    await client.close();
  }
}

export async function openFreshMongo(): Promise<Store> {
  const url = freshMongoUrl();
  const store = await openMongoStore({ url });
  return {
    ...store,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await dropDatabase(url);
    },
  };
}
