/** What the store knows of itself, as rows of the table `state`. */
import type { DatabaseSync } from "node:sqlite";
import type {
  BreakerState,
  PersonalAccess,
  StoredJob,
  StoreIdentity,
  StoreState,
} from "../../ports/store-state.ts";
import { integer, type Row, text, toB64, toBytes } from "./columns.ts";
import { storeCall } from "./faults.ts";

/** As JSON: bytes as base64url, absent members left out. */
type StoredIdentity = Omit<StoreIdentity, "lookupKey" | "kafka"> & {
  readonly lookupKey: { readonly kek: number; readonly wrapped: string };
  readonly kafka?: StoreIdentity["kafka"];
};

const identityText = ({ lookupKey, ...rest }: StoreIdentity): string =>
  JSON.stringify({ ...rest, lookupKey: { kek: lookupKey.kek, wrapped: toB64(lookupKey.wrapped) } });

function identityOf(json: string): StoreIdentity {
  const stored: StoredIdentity = JSON.parse(json);
  return {
    ...stored,
    lookupKey: { kek: stored.lookupKey.kek, wrapped: toBytes(stored.lookupKey.wrapped) },
    kafka: stored.kafka,
  };
}

export type StateWrites = Pick<
  StoreState,
  "create" | "replace" | "setBreaker" | "setPersonalAccess" | "putJob" | "removeJob"
>;
export type StateReads = Omit<StoreState, keyof StateWrites>;

const jobPrefix = "job:";
const jobKey = (name: string): string => jobPrefix + name;
const jobOf = (row: Row): StoredJob => ({
  name: text(row, "name").slice(jobPrefix.length),
  text: text(row, "value"),
  revision: integer(row, "revision"),
});

export function writeState(db: DatabaseSync): StateWrites {
  const create = db.prepare(
    "INSERT INTO state (name, revision, value) VALUES ('identity', 1, ?) ON CONFLICT (name) DO NOTHING",
  );
  const replace = db.prepare(
    "UPDATE state SET revision = revision + 1, value = ? WHERE name = 'identity' AND revision = ?",
  );
  const setBreaker = db.prepare(
    "INSERT INTO state (name, revision, value) VALUES ('breaker', 1, ?1) ON CONFLICT (name) DO UPDATE SET revision = revision + 1, value = ?1",
  );
  const createAccess = db.prepare(
    "INSERT INTO state (name, revision, value) VALUES ('personal_access', 1, ?) ON CONFLICT (name) DO NOTHING",
  );
  const replaceAccess = db.prepare(
    "UPDATE state SET revision = revision + 1, value = ? WHERE name = 'personal_access' AND revision = ?",
  );
  const createJob = db.prepare(
    "INSERT INTO state (name, revision, value) VALUES (?1, 1, ?2) ON CONFLICT (name) DO NOTHING",
  );
  const replaceJob = db.prepare(
    "UPDATE state SET revision = revision + 1, value = ?2 WHERE name = ?1 AND revision = ?3",
  );
  const removeJob = db.prepare("DELETE FROM state WHERE name = ?");
  return {
    setPersonalAccess: (requests, revision, signal) =>
      storeCall(signal, () => {
        const json = JSON.stringify(requests);
        const { changes } = revision === 0 ? createAccess.run(json) : replaceAccess.run(json, revision);
        return changes === 1;
      }),
    putJob: (name, job, revision, signal) =>
      storeCall(signal, () => {
        const key = jobKey(name);
        const { changes } =
          revision === undefined ? createJob.run(key, job) : replaceJob.run(key, job, revision);
        return changes === 1;
      }),
    removeJob: (name, signal) =>
      storeCall(signal, () => {
        removeJob.run(jobKey(name));
      }),
    create: (identity, signal) =>
      storeCall(signal, () => {
        create.run(identityText(identity));
      }),
    replace: (identity, revision, signal) =>
      storeCall(signal, () => replace.run(identityText(identity), revision).changes === 1),
    setBreaker: (state, signal) =>
      storeCall(signal, () => {
        setBreaker.run(JSON.stringify(state));
      }),
  };
}

export function readState(db: DatabaseSync): StateReads {
  const read = db.prepare("SELECT revision, value FROM state WHERE name = ?");
  const anything = db.prepare(`
    SELECT EXISTS (SELECT 1 FROM records) OR EXISTS (SELECT 1 FROM accounts) OR EXISTS (SELECT 1 FROM ownerships)
      OR EXISTS (SELECT 1 FROM key_documents) OR EXISTS (SELECT 1 FROM log_index) AS found`);
  const job = db.prepare("SELECT name, revision, value FROM state WHERE name = ?");
  const jobs = db.prepare("SELECT name, revision, value FROM state WHERE name GLOB 'job:*' ORDER BY name");
  return {
    jobs: (signal) => storeCall(signal, () => jobs.all().map(jobOf)),
    job: (name, signal) =>
      storeCall(signal, () => {
        const row = job.get(jobKey(name));
        return row && jobOf(row);
      }),
    read: (signal) =>
      storeCall(signal, () => {
        const row = read.get("identity");
        return row && { identity: identityOf(text(row, "value")), revision: integer(row, "revision") };
      }),
    isEmpty: (signal) => storeCall(signal, () => anything.get()?.["found"] === 0),
    personalAccess: (signal) =>
      storeCall(signal, () => {
        const row = read.get("personal_access");
        if (row === undefined) return { requests: [], revision: 0 };
        const stored: readonly PersonalAccess[] = JSON.parse(text(row, "value"));
        const requests = stored.map((access) => ({ ...access, approval: access.approval }));
        return { requests, revision: integer(row, "revision") };
      }),
    breaker: (signal) =>
      storeCall(signal, () => {
        const row = read.get("breaker");
        if (row === undefined) return undefined;
        const state: BreakerState = JSON.parse(text(row, "value"));
        return state;
      }),
  };
}
