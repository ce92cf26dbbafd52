/** The search index in MongoDB: one document of terms per record, found by an index on the array, and blocks of counts. */
import type { Rid } from "../../core/ids.ts";
import type { IndexedText, IndexState, SearchIndex } from "../../ports/search-index.ts";
import { dateOf, ridKey, ridOfKey } from "./bson-values.ts";
import { type Collections, type ReadOptions, readMaxMs, type TextDocument } from "./collections.ts";
import { guarded } from "./errors.ts";
import { insertAbsent } from "./follow-ups.ts";
import type { Manners } from "./record-store.ts";
import { putBlocks, readBlocks } from "./summary-blocks.ts";

const stateId = "search_index";
/** While the index is being taken away. */
const noRules = "";
/** Documents that one call of a reset takes away: a delete of them ends long before the time that it may take. */
const stepResetMax = 1_000;
/** The same of pieces, which are large. */
const stepPiecesMax = 50;

const textDocument = ({ rid, recordedAtMs, terms }: IndexedText): TextDocument => ({
  _id: ridKey(rid),
  at: dateOf(recordedAtMs),
  terms,
});

export function mongoSearchIndex(
  collections: Collections,
  { inTurn, insertMax, updateMax }: Pick<Manners, "inTurn" | "insertMax" | "updateMax">,
): SearchIndex {
  const { texts } = collections;
  const guard = <T>(
    doing: string,
    signal: AbortSignal,
    work: (options: ReadOptions) => Promise<T>,
  ): Promise<T> => guarded(doing, signal, "STORE_UNAVAILABLE", () => work({ maxTimeMS: readMaxMs, signal }));
  const inChunks = async <T>(
    all: readonly T[],
    max: number,
    work: (some: readonly T[]) => Promise<unknown>,
  ) => {
    for (let from = 0; from < all.length; from += max) await work(all.slice(from, from + max));
  };
  return {
    state: (signal) => guard("read the index's state", signal, (options) => readState(collections, options)),
    reset: (rules, signal) =>
      guard("reset the index", signal, (options) => inTurn(() => reset(collections, rules, options))),
    texts: (rids, signal) =>
      guard("read texts", signal, async (options) => {
        const found = texts.find({ _id: { $in: rids.map(ridKey) } }, options);
        return new Map((await found.toArray()).map(({ _id, terms }) => [ridOfKey(_id), terms]));
      }),
    addTexts: (all, signal) =>
      guard("index texts", signal, () =>
        inChunks(all, insertMax, (some) => insertAbsent(texts, some.map(textDocument))),
      ),
    advance: (from, to, added, signal) =>
      guard("move the index on", signal, async () => {
        await putBlocks(collections, added);
        return inTurn(() => move(collections, from, to));
      }),
    blocks: (level, from, to, which, signal) =>
      guard("read counts", signal, (options) => readBlocks(collections, level, [from, to], which, options)),
    purgeTexts: (rids, signal) =>
      guard("purge texts", signal, () =>
        inChunks(rids, updateMax, (some) => texts.bulkWrite(some.map(withoutTerms), { ordered: false })),
      ),
  };
}

/** Stays where it is, so that no later pass puts the terms there again. */
const withoutTerms = (rid: Rid) => ({
  updateOne: {
    filter: { _id: ridKey(rid) },
    update: { $set: { terms: [] }, $setOnInsert: { at: dateOf(0) } },
    upsert: true,
  },
});

async function readState({ indexState }: Collections, options: ReadOptions): Promise<IndexState | undefined> {
  const found = await indexState.findOne({ _id: stateId }, options);
  return found === null ? undefined : { rules: found.rules, size: found.size };
}

const setState = ({ indexState }: Collections, rules: string): Promise<unknown> =>
  indexState.updateOne({ _id: stateId }, { $set: { rules, size: 0 } }, { upsert: true });

/**
 * While something is left, the rules are those of nothing. The call that makes them so takes nothing away: who only has the index made anew
 * deletes nothing behind the back of whoever makes it.
 */
async function reset(collections: Collections, rules: string, options: ReadOptions): Promise<boolean> {
  const before = await readState(collections, options);
  if (before?.rules !== noRules) {
    await setState(collections, noRules);
    if (before !== undefined) return false;
  }
  const { texts, blocks, pieces } = collections;
  if (await takeSome(texts, stepResetMax, options)) return false;
  if (await takeSome(blocks, stepResetMax, options)) return false;
  if (await takeSome(pieces, stepPiecesMax, options)) return false;
  await setState(collections, rules);
  return true;
}

type Takeable<Id> = {
  find(
    filter: object,
    options: ReadOptions & { readonly projection: { readonly _id: 1 }; readonly limit: number },
  ): { toArray(): Promise<readonly { readonly _id: Id }[]> };
  deleteMany(
    filter: { readonly _id: { readonly $in: readonly Id[] } },
    options: Pick<ReadOptions, "maxTimeMS">,
  ): Promise<unknown>;
};

/** Whether more may be left. By ids: a delete that comes late takes none but these. */
async function takeSome<Id>(collection: Takeable<Id>, max: number, options: ReadOptions): Promise<boolean> {
  const some = collection.find({}, { ...options, projection: { _id: 1 }, limit: max });
  const ids = (await some.toArray()).map(({ _id }) => _id);
  if (ids.length > 0) await collection.deleteMany({ _id: { $in: ids } }, { maxTimeMS: options.maxTimeMS });
  return ids.length === max;
}

async function move({ indexState }: Collections, from: IndexState, to: number): Promise<boolean> {
  const place = { _id: stateId, rules: from.rules, size: from.size } as const;
  return (await indexState.updateOne(place, { $set: { size: to } })).matchedCount === 1;
}
