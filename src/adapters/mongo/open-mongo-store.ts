/** Opens the seven faces of a MongoDB store on one connection. */
import { MongoNetworkError } from "mongodb";
import { LastroError } from "../../core/errors.ts";
import type { Store } from "../../ports/store.ts";
import { mongoAuditReader } from "./audit-reader.ts";
import { type Collections, collectionsOf } from "./collections.ts";
import { connect, type MongoStoreOptions } from "./connection.ts";
import { guarded, storeError } from "./errors.ts";
import { insertAbsent } from "./follow-ups.ts";
import { mongoHistoryReader } from "./history-reader.ts";
import { type Building, ensureIndexes } from "./indexes.ts";
import { mongoKeyStore } from "./key-store.ts";
import { mongoLog } from "./log.ts";
import { eachHead, walkedHeads } from "./look-ups.ts";
import { type Manners, mongoRecordStore } from "./record-store.ts";
import { mongoSearchIndex } from "./search-index.ts";
import { mongoStoreState } from "./store-state.ts";
import { atomicUpdates, insertedTurns } from "./turns.ts";

/** Raised when documents change so that an older release would misread them. */
const format = 1;
const queryMaxMs = 30_000;
const [insertMax, updateMax] = [1_000, 1_000];
/** FerretDB 1.x inserts in chunks of 100 and, after an error in one, goes on with the next even when the insert is ordered. */
const ferretInsertMax = 100;
/** It walks the collection and syncs for each document it updates. */
const ferretUpdateMax = 50;
const prepareAttemptsMax = 3;

export async function openMongoStore(options: MongoStoreOptions): Promise<Store> {
  const { lines, signal = new AbortController().signal } = options;
  const onBuilding = (): void =>
    lines?.info("indexes_building", "MongoDB still builds indexes; the service starts once they are whole");
  const { client, db, server } = await connect(options);
  const collections = collectionsOf(db);
  try {
    if (options.asIs) await requireCurrent(collections, db.databaseName);
    else
      await guarded("prepare the database", signal, "STORE_UNAVAILABLE", () =>
        prepare(collections, { onBuilding, isReplicated: server.isReplicated }),
      );
  } catch (error) {
    await client.close();
    throw storeError("prepare the database", error);
  }
  const manners: Manners = server.isFerret1
    ? {
        inTurn: insertedTurns(collections),
        readHeads: walkedHeads,
        insertMax: ferretInsertMax,
        updateMax: ferretUpdateMax,
      }
    : { inTurn: atomicUpdates, readHeads: eachHead, insertMax, updateMax };
  return {
    records: mongoRecordStore(collections, manners),
    history: mongoHistoryReader(collections, options.queryMaxMs ?? queryMaxMs, manners.readHeads),
    keys: mongoKeyStore(collections, manners.inTurn),
    state: mongoStoreState(collections, manners.inTurn),
    audit: mongoAuditReader(collections, options.queryMaxMs ?? queryMaxMs),
    log: mongoLog(collections, manners),
    index: mongoSearchIndex(collections, manners),
    description: server.description,
    [Symbol.asyncDispose]: () => client.close(),
  };
}

/** Making indexes is no write that the driver tries again, and a connection may be cut where several processes begin at once. Doing it again changes nothing. */
async function prepare(collections: Collections, building: Building): Promise<void> {
  for (let attempt = 1; ; attempt++)
    try {
      await ensureFormat(collections);
      await ensureIndexes(collections, building);
      return;
    } catch (error) {
      if (attempt === prepareAttemptsMax || !(error instanceof MongoNetworkError)) throw error;
    }
}

const formatId = "format";

async function ensureFormat({ counters }: Collections): Promise<void> {
  await insertAbsent(counters, [{ _id: formatId, n: format }]);
  requireKnown((await counters.findOne({ _id: formatId }))?.n ?? format);
}

function requireKnown(stored: number): void {
  if (stored > format)
    throw new LastroError(
      "STORE_NEWER",
      `the database was written by a newer Lastro (format ${stored}, this one reads ${format}); start that release`,
    );
}

/** Only looks. */
async function requireCurrent({ counters }: Collections, database: string): Promise<void> {
  const stored = (await counters.findOne({ _id: formatId }))?.n;
  if (stored === undefined)
    throw new LastroError(
      "NOT_FOUND",
      `there is no store in the database ${database}: set LASTRO_STORE_URL as the service has it`,
    );
  requireKnown(stored);
  if (stored < format)
    throw new LastroError(
      "FAILED_PRECONDITION",
      `the database has format ${stored}, this program reads ${format}; use the release that wrote it, or start the service of this release once, which migrates it`,
    );
}
