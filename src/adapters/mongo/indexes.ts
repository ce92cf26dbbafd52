/** Has the indexes made at start, waits until they are whole, and checks those that are there: a unique index that does not hold what it should would let an event in twice. */
import { type IndexDescription, MongoNetworkTimeoutError, MongoServerError } from "mongodb";
import { LastroError } from "../../core/errors.ts";
import { type Collections, type IndexPlan, indexPlans } from "./collections.ts";
import { isDuplicateKey } from "./errors.ts";

const namespaceNotFoundCode = 26;

type StoredIndex = {
  readonly name: string;
  readonly key: Readonly<Record<string, unknown>>;
  readonly unique?: boolean;
  readonly sparse?: boolean;
  readonly partialFilterExpression?: unknown;
  readonly collation?: unknown;
};

type Indexed = Collections[keyof Collections];

export type Building = {
  /** Told now and then while the server builds: of a full collection that takes minutes. */
  readonly onBuilding: () => void;
  /** Whether there are other members. By default a build ends only once each of them that holds data has built it, and one that is away keeps every start waiting. */
  readonly isReplicated: boolean;
};

export async function ensureIndexes(collections: Collections, building: Building): Promise<void> {
  for (const [name, plans] of Map.groupBy(indexPlans, (plan) => plan.collection)) {
    const collection = collections[name];
    const stored = await storedIndexes(collection);
    const wanted = plans.map((plan) => ({
      name: nameOf(plan, stored, collection.collectionName),
      key: { ...plan.key },
      ...(plan.unique && { unique: true }),
    }));
    const names = new Set(stored.map(({ name }) => name));
    const missing = wanted.filter(({ name }) => !names.has(name));
    const listed = wanted.filter(({ name }) => names.has(name));
    try {
      // What is missing is built in one walk. FerretDB 1.x takes no two in a call that are there.
      if (missing.length > 0) await build(collection, missing, building);
      for (const index of listed) await build(collection, [index], building);
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      const unique = wanted.flatMap((index) => (index.unique ? [index.name] : [])).join(", ");
      throw new LastroError(
        "STORE_UNSAFE",
        `collection ${collection.collectionName} holds documents that a unique index (${unique}) forbids; restore it, or point LASTRO_STORE_URL at another database`,
      );
    }
  }
}

/**
 * Asked for of those that are listed, too: an index is listed as soon as its build begins, and forbids nothing before the build has ended. The
 * server answers once all are whole, whoever began them; a build goes on when whoever asked for it is gone.
 */
async function build(
  collection: Indexed,
  indexes: readonly IndexDescription[],
  { onBuilding, isReplicated }: Building,
): Promise<void> {
  for (;;)
    try {
      await collection.createIndexes([...indexes], isReplicated ? { commitQuorum: "majority" } : {});
      return;
    } catch (error) {
      if (!(error instanceof MongoNetworkTimeoutError)) throw error;
      onBuilding();
    }
}

async function storedIndexes(collection: Indexed): Promise<readonly StoredIndex[]> {
  try {
    return (await collection.listIndexes().toArray()) as unknown[] as StoredIndex[];
  } catch (error) {
    if (error instanceof MongoServerError && error.code === namespaceNotFoundCode) return [];
    throw error;
  }
}

/** The name that the index has there, or gets. Throws where its name or its keys are used otherwise. */
function nameOf(plan: IndexPlan, stored: readonly StoredIndex[], collection: string): string {
  const wanted = JSON.stringify(Object.entries(plan.key));
  const sameKeys = stored.find(({ key }) => JSON.stringify(Object.entries(key)) === wanted);
  const found = sameKeys ?? stored.find(({ name }) => name === plan.name);
  if (found === undefined) return plan.name;
  if (sameKeys !== undefined && holdsAll(found) && (plan.unique ?? false) === (found.unique ?? false))
    return found.name;
  throw new LastroError(
    "STORE_UNSAFE",
    `index ${found.name} of collection ${collection} is not the ${plan.unique ? "unique " : ""}index on ` +
      `${Object.keys(plan.key).join(", ")} that Lastro needs; drop it with db.${collection}.dropIndex("${found.name}") and start again`,
  );
}

const holdsAll = (index: StoredIndex): boolean =>
  !index.sparse && index.partialFilterExpression === undefined && index.collation === undefined;
