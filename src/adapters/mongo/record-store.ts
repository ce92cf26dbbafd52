/** The record store on MongoDB: steps that may each be repeated, in the order of durability. No transaction joins them. */
import type { AppendBatch, AppendVerdict, RecordStore } from "../../ports/record-store.ts";
import { countOutcomes, readMark, readOutcomes, readSources } from "./accounted.ts";
import { account } from "./accounting.ts";
import { insertRecords } from "./append.ts";
import { type Collections, type ReadOptions, readMaxMs } from "./collections.ts";
import { head } from "./documents.ts";
import { guarded, isDuplicateKey } from "./errors.ts";
import { applyFacts } from "./facts.ts";
import { deactivate, insertAliases, placeOf, repairActive } from "./follow-ups.ts";
import { findKnown, type ReadHeads } from "./look-ups.ts";
import type { TakeTurns } from "./turns.ts";

/** What differs between servers. */
export type Manners = {
  readonly inTurn: TakeTurns;
  readonly readHeads: ReadHeads;
  /** Documents of one insert command. */
  readonly insertMax: number;
  /** Documents of one update command, which has to end within the socket's timeout. */
  readonly updateMax: number;
};

export function mongoRecordStore(
  collections: Collections,
  { inTurn, readHeads, insertMax, updateMax }: Manners,
): RecordStore {
  const guard = <T>(doing: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> =>
    guarded(doing, signal, "STORE_UNAVAILABLE", work);
  const reading = <T>(
    doing: string,
    signal: AbortSignal,
    work: (options: ReadOptions) => Promise<T>,
  ): Promise<T> => guard(doing, signal, () => work({ maxTimeMS: readMaxMs, signal }));
  const append = async (batch: AppendBatch, signal: AbortSignal): Promise<AppendVerdict> => {
    const verdict = await insertRecords(collections.records, batch.records, insertMax, signal);
    if (verdict !== undefined) return verdict;
    for (const some of chunks(batch.deactivate, updateMax, signal))
      await deactivate(collections, some.map(placeOf));
    for (const some of chunks(batch.ownerships, updateMax, signal))
      await inTurn(() => applyFacts(collections, some));
    signal.throwIfAborted();
    await insertAliases(collections, batch.aliases);
    const step = batch.account;
    if (step === undefined) return { kind: "done" };
    signal.throwIfAborted();
    return { kind: await inTurn(() => account(collections, step)) };
  };
  return {
    append: (batch, signal) => guard("append a batch", signal, () => append(batch, signal)),
    account: (step, signal) => guard("move a mark", signal, () => inTurn(() => account(collections, step))),
    repairActive: (places, signal) =>
      guard("mark the active records", signal, async () => {
        const streams = [...new Set(places.map(({ stream }) => stream))];
        for (const some of chunks(streams, updateMax, signal))
          await repairActive(collections, readHeads, some);
      }),
    probe: (signal) => guard("take a write", signal, () => probe(collections)),
    find: (rids, uids, signal) =>
      reading("look up records", signal, (options) => findKnown(collections, rids, uids, options)),
    heads: (keys, signal) =>
      reading("look up heads", signal, async (options) => {
        const found = await readHeads(collections, keys, options);
        return new Map([...found].map(([text, document]) => [text, head(document)]));
      }),
    mark: (src, signal) => reading("read a mark", signal, (options) => readMark(collections, src, options)),
    sources: (signal) => reading("read the marks", signal, (options) => readSources(collections, options)),
    counts: (src, from, to, signal) =>
      reading("count outcomes", signal, (options) => countOutcomes(collections, src, from, to, options)),
    outcomes: (query, signal) =>
      reading("read outcomes", signal, (options) => readOutcomes(collections, query, options)),
  };
}

/** Ends between two chunks when the caller has given up: whoever took over must not find late writes. */
function* chunks<T>(all: readonly T[], max: number, signal: AbortSignal): Generator<readonly T[]> {
  for (let from = 0; from < all.length; from += max) {
    signal.throwIfAborted();
    yield all.slice(from, from + max);
  }
}

/** Counts, because a write that changes nothing need not be made durable. */
async function probe({ counters }: Collections): Promise<void> {
  const count = () => counters.updateOne({ _id: "probe" }, { $inc: { n: 1 } }, { upsert: true });
  try {
    await count();
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    await count();
  }
}
