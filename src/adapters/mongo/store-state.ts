/** What the store knows of itself, in `meta`. Topic names hold dots, so they are values here, not field names. */
import { Binary } from "mongodb";
import type { TopicId } from "../../core/ids.ts";
import type { StoredJob, StoreIdentity, StoreState } from "../../ports/store-state.ts";
import { bytesOf, dateOf } from "./bson-values.ts";
import type { Collections, IdentityDocument, JobDocument, PersonalAccessDocument } from "./collections.ts";
import { guarded, isDuplicateKey } from "./errors.ts";
import { insertAbsent } from "./follow-ups.ts";
import type { TakeTurns } from "./turns.ts";

const id = "identity";
const accessId = "personal_access";
const jobId = (name: string): JobDocument["_id"] => `job:${name}`;
const jobOf = ({ _id, text, revision }: JobDocument): StoredJob => ({
  name: _id.slice(jobId("").length),
  text,
  revision,
});

export function mongoStoreState(collections: Collections, inTurn: TakeTurns): StoreState {
  const { identity, breaker, jobs, personalAccess } = collections;
  const guard = <T>(doing: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> =>
    guarded(doing, signal, "STORE_UNAVAILABLE", work);
  return {
    read: (signal) =>
      guard("read the store's identity", signal, async () => {
        const found = await identity.findOne({ _id: id });
        return found === null ? undefined : { identity: identityOf(found), revision: found.revision };
      }),
    create: (wanted, signal) =>
      guard("store the store's identity", signal, () =>
        insertAbsent(identity, [identityDocument(wanted, 0)]),
      ),
    replace: (wanted, revision, signal) =>
      guard("replace the store's identity", signal, () =>
        inTurn(async () => {
          const next = identityDocument(wanted, revision + 1);
          return (await identity.replaceOne({ _id: id, revision }, next)).matchedCount === 1;
        }),
      ),
    isEmpty: (signal) =>
      guard("look whether the store is empty", signal, async () => {
        const { records, ownerships, keys, accounts, logIndex } = collections;
        const fields = { projection: { _id: 1 } };
        const found = await Promise.all([
          records.findOne({}, fields), ownerships.findOne({}, fields), keys.findOne({}, fields), accounts.findOne({}, fields),
          logIndex.findOne({}, fields),
        ]); // biome-ignore format: a list
        return found.every((document) => document === null);
      }),
    personalAccess: (signal) =>
      guard("read what was asked for of personal access", signal, async () => {
        const found = await personalAccess.findOne({ _id: accessId });
        if (found === null) return { requests: [], revision: 0 };
        const requests = found.requests.map(({ approval, ...asked }) => ({
          ...asked,
          approval: approval ?? undefined,
        }));
        return { requests, revision: found.revision };
      }),
    setPersonalAccess: (wanted, revision, signal) =>
      guard("store what was asked for of personal access", signal, () =>
        inTurn(async () => {
          const requests = wanted.map(({ approval, ...asked }) => ({ ...asked, approval: approval ?? null }));
          const next: PersonalAccessDocument = { _id: accessId, revision: revision + 1, requests };
          if (revision > 0)
            return (await personalAccess.replaceOne({ _id: accessId, revision }, next)).matchedCount === 1;
          const created = personalAccess.insertOne(next).then(() => true);
          return created.catch((error: unknown) => (isDuplicateKey(error) ? false : Promise.reject(error)));
        }),
      ),
    jobs: (signal) =>
      guard("list jobs", signal, async () =>
        // Behind `job:` comes `job;`.
        (
          await jobs
            .find({ _id: { $gte: jobId(""), $lt: "job;" as JobDocument["_id"] } })
            .sort({ _id: 1 })
            .toArray()
        ).map(jobOf),
      ),
    job: (name, signal) =>
      guard("read a job", signal, async () => {
        const found = await jobs.findOne({ _id: jobId(name) });
        return found === null ? undefined : jobOf(found);
      }),
    putJob: (name, text, revision, signal) =>
      guard("store a job", signal, () =>
        inTurn(async () => {
          const _id = jobId(name);
          if (revision !== undefined)
            return (
              (await jobs.replaceOne({ _id, revision }, { revision: revision + 1, text })).matchedCount === 1
            );
          try {
            await jobs.insertOne({ _id, revision: 1, text });
            return true;
          } catch (error) {
            if (isDuplicateKey(error)) return false;
            throw error;
          }
        }),
      ),
    removeJob: (name, signal) =>
      guard("remove a job", signal, async () => {
        await jobs.deleteOne({ _id: jobId(name) });
      }),
    breaker: (signal) =>
      guard("read the breaker", signal, async () => {
        const found = await breaker.findOne({ _id: "breaker" }, { projection: { _id: 0 } });
        return found ?? undefined;
      }),
    setBreaker: (state, signal) =>
      guard("store the breaker", signal, async () => {
        const put = () => breaker.replaceOne({ _id: "breaker" }, state, { upsert: true });
        await put().catch((error: unknown) => (isDuplicateKey(error) ? put() : Promise.reject(error)));
      }),
  };
}

const identityDocument = (
  { lookupKey, kafka, createdAtMs, ...same }: StoreIdentity,
  revision: number,
): IdentityDocument => ({
  _id: id,
  revision,
  ...same,
  createdAt: dateOf(createdAtMs),
  lookupKey: { kek: lookupKey.kek, wrapped: new Binary(lookupKey.wrapped) },
  kafka:
    kafka === undefined
      ? null
      : {
          clusterId: kafka.clusterId,
          topics: Object.entries(kafka.topics).map(([topic, ids]) => ({ topic, ids })),
        },
});

const identityOf = ({ storeId, createdAt, keks, lookupKey, kafka }: IdentityDocument): StoreIdentity => ({
  storeId,
  createdAtMs: createdAt.getTime(),
  lookupKey: { kek: lookupKey.kek, wrapped: bytesOf(lookupKey.wrapped) },
  keks,
  kafka:
    kafka === null
      ? undefined
      : {
          clusterId: kafka.clusterId,
          topics: Object.fromEntries(
            kafka.topics.map(({ topic, ids }): [string, readonly TopicId[]] => [topic, ids]),
          ),
        },
});
