/** Compare-and-set where the server has none: FerretDB 1.x reads, then writes, so two updates of one document can both win. */

import { setTimeout } from "node:timers/promises";
import { ObjectId } from "mongodb";
import { LastroError } from "../../core/errors.ts";
import type { Collections } from "./collections.ts";
import { isDuplicateKey } from "./errors.ts";

const pauseMs = 20;
/** A turn seen this often without a change belongs to a process that died in it. */
const looksDefault = 300;

export type TakeTurns = <T>(work: () => Promise<T>) => Promise<T>;

/** MongoDB updates a document atomically. */
export const atomicUpdates: TakeTurns = (work) => work();

/** Inserting under a unique key is atomic everywhere: who inserts has the turn until it deletes. */
export const insertedTurns =
  ({ turns }: Pick<Collections, "turns">, looksMax = looksDefault): TakeTurns =>
  async (work) => {
    const ticket = new ObjectId().toHexString();
    await takeTurn(turns, ticket, looksMax);
    try {
      return await work();
    } finally {
      await turns.deleteOne({ _id: "updates", ticket });
    }
  };

async function takeTurn(turns: Collections["turns"], ticket: string, looksMax: number): Promise<void> {
  for (let looks = 0, seen = ""; looks < looksMax; looks++) {
    try {
      await turns.insertOne({ _id: "updates", ticket });
      return;
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
    }
    const holder = (await turns.findOne({ _id: "updates" }))?.ticket ?? "";
    if (holder !== seen) [looks, seen] = [0, holder];
    if (looks === looksMax - 1) await turns.deleteOne({ _id: "updates", ticket: holder });
    await setTimeout(pauseMs);
  }
  throw new LastroError(
    "STORE_UNAVAILABLE",
    "a process that died held the turn to update; it was taken away, try again",
  );
}
