/** Creates the indexes at start and checks those that are there: a unique index that does not hold what it should would let an event in twice. */
import { MongoServerError } from "mongodb";
import { LastroError } from "../../core/errors.ts";
import { type Collections, type IndexPlan, indexPlans } from "./collections.ts";
import { duplicateKeyCode } from "./errors.ts";

const namespaceNotFoundCode = 26;

type StoredIndex = {
  readonly name: string;
  readonly key: Readonly<Record<string, unknown>>;
  readonly unique?: boolean;
  readonly sparse?: boolean;
  readonly partialFilterExpression?: unknown;
  readonly collation?: unknown;
};

export async function ensureIndexes(collections: Collections): Promise<void> {
  for (const [name, plans] of Map.groupBy(indexPlans, (plan) => plan.collection)) {
    const collection = collections[name];
    const stored = await storedIndexes(collection);
    const missing = plans.filter((plan) => !isThere(plan, stored));
    if (missing.length === 0) continue;
    try {
      await collection.createIndexes(
        missing.map((plan) => ({
          name: plan.name,
          key: { ...plan.key },
          ...(plan.unique && { unique: true }),
        })),
      );
    } catch (error) {
      if (!(error instanceof MongoServerError) || error.code !== duplicateKeyCode) throw error;
      const names = missing.map((plan) => plan.name).join(", ");
      throw new LastroError(
        "STORE_UNSAFE",
        `collection ${name} holds documents that a unique index (${names}) forbids; restore it, or point LASTRO_STORE_URL at another database`,
      );
    }
  }
}

async function storedIndexes(collection: Collections[keyof Collections]): Promise<readonly StoredIndex[]> {
  try {
    return (await collection.listIndexes().toArray()) as unknown[] as StoredIndex[];
  } catch (error) {
    if (error instanceof MongoServerError && error.code === namespaceNotFoundCode) return [];
    throw error;
  }
}

/** Whether the index is there as planned, under whatever name. Throws where its name or its keys are used otherwise. */
export function isThere(plan: IndexPlan, stored: readonly StoredIndex[]): boolean {
  const wanted = JSON.stringify(Object.entries(plan.key));
  const sameKeys = stored.find(({ key }) => JSON.stringify(Object.entries(key)) === wanted);
  const found = sameKeys ?? stored.find(({ name }) => name === plan.name);
  if (found === undefined) return false;
  if (sameKeys !== undefined && holdsAll(found) && (plan.unique ?? false) === (found.unique ?? false))
    return true;
  throw new LastroError(
    "STORE_UNSAFE",
    `index ${found.name} of collection ${plan.collection} is not the ${plan.unique ? "unique " : ""}index on ` +
      `${Object.keys(plan.key).join(", ")} that Lastro needs; drop it with db.${plan.collection}.dropIndex("${found.name}") and start again`,
  );
}

const holdsAll = (index: StoredIndex): boolean =>
  !index.sparse && index.partialFilterExpression === undefined && index.collation === undefined;
