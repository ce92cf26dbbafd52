/** The authority in SQLite: a batch is written in one transaction, alone or with others, with a verdict per row. */
import type { DatabaseSync } from "node:sqlite";
import type { Fingerprint, Rid, StreamAlias, StreamId, Uid } from "../../core/ids.ts";
import { activates, type Head, type RecordRow } from "../../core/record.ts";
import {
  type AppendBatch,
  type AppendVerdict,
  type ChangePlace,
  headKeyText,
  type Known,
  type RecordStore,
} from "../../ports/record-store.ts";
import { type Accounts, openAccounts } from "./accounts.ts";
import { b64, blob, integer, positionOf, type Row, ridAt, text, toBytes } from "./columns.ts";
import { isRefusal, isUniqueViolation, reasonOf, storeCall } from "./faults.ts";
import type { GroupCommit } from "./group-commit.ts";
import { openFacts } from "./ownerships.ts";
import { insertRecord, kindCode, kindOf, recordValues, uidOf, uidValue } from "./record-row.ts";
import { transaction } from "./transaction.ts";

const knownOf = (row: Row): Known => ({
  rid: ridAt(blob(row, "position")),
  uid: uidOf(row),
  fingerprint: (row["fingerprint"] === null ? "" : b64(row, "fingerprint")) as Fingerprint,
  stream: b64(row, "stream") as StreamId,
  kind: kindOf(row),
  version: integer(row, "version"),
});

const headOf = (row: Row): Head => ({
  version: integer(row, "version"),
  alias: b64(row, "alias") as StreamAlias,
  recordedAtMs: integer(row, "recorded_at"),
  actionAtMs: integer(row, "action_at"),
  isActive: integer(row, "is_active") === 1,
});

/** Inserts the records in order; the first that cannot be stored ends it and is the verdict. */
function openInsert(db: DatabaseSync, recordBytesMax: number) {
  const insert = db.prepare(insertRecord);
  return (records: readonly RecordRow[]): AppendVerdict => {
    for (const [at, record] of records.entries()) {
      const bytes = record.body.length + record.entry.length;
      if (bytes > recordBytesMax)
        return {
          kind: "refused",
          at,
          why: `${bytes} bytes, more than the ${recordBytesMax} a record may have`,
        };
      try {
        insert.run(...recordValues(record));
      } catch (error) {
        if (isUniqueViolation(error)) return { kind: "clash", at };
        if (isRefusal(error)) return { kind: "refused", at, why: reasonOf(error) };
        throw error;
      }
    }
    return { kind: "done" };
  };
}

/** Exactly this version and no range: a range would walk the whole history. */
function openDeactivate(db: DatabaseSync) {
  const deactivate = db.prepare(
    "UPDATE records SET is_active = 0 WHERE stream = ? AND kind = 0 AND version = ? AND is_active = 1",
  );
  return (stream: StreamId, version: number): void => void deactivate.run(toBytes(stream), version);
}

function openFollowUps(db: DatabaseSync) {
  const deactivate = openDeactivate(db);
  const alias = db.prepare(
    "INSERT OR IGNORE INTO aliases (tenant, entity_type, candidate_id, stream, namespace, entity_id) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const saveFacts = openFacts(db);
  return (batch: AppendBatch): void => {
    // Nobody can come between what one transaction inserts inactive and its commit.
    const superseded = new Set(
      batch.records
        .filter(({ kind, isActive }) => kind === "change" && !isActive)
        .map(({ stream, version }) => `${version} ${stream}`),
    );
    for (const { stream, version } of batch.deactivate)
      if (!superseded.has(`${version} ${stream}`)) deactivate(stream, version);
    for (const facts of batch.ownerships) saveFacts(facts);
    for (const a of batch.aliases)
      alias.run(a.tenant, a.entityType, a.candidateId, toBytes(a.stream), a.namespace, a.entityId);
  };
}

/** Within a transaction. All at once: what one batch holds, or its records before the one that clashed, or nothing. */
function openAppend(db: DatabaseSync, accounts: Accounts, recordBytesMax: number) {
  const insertAll = openInsert(db, recordBytesMax);
  const followUp = openFollowUps(db);
  return (batch: AppendBatch): AppendVerdict => {
    const { account } = batch;
    if (account !== undefined && !accounts.isAtMark(account)) return { kind: "mark_lost" };
    const verdict = insertAll(batch.records);
    if (verdict.kind !== "done") return verdict;
    followUp(batch);
    if (account !== undefined) accounts.save(account);
    return verdict;
  };
}

function openRepair(db: DatabaseSync, headOfStream: (stream: StreamId) => Row | undefined) {
  const deactivate = openDeactivate(db);
  const setHead = db.prepare(
    "UPDATE records SET is_active = ? WHERE stream = ? AND kind = 0 AND version = ? AND is_active <> ?",
  );
  return (places: readonly ChangePlace[]): void => {
    for (const [stream, of] of Map.groupBy(places, (place) => place.stream)) {
      const head = headOfStream(stream);
      if (head === undefined) continue;
      const version = integer(head, "version");
      const below = new Set(of.flatMap((place) => [place.version - 1, place.version]));
      for (const one of below) if (one < version) deactivate(stream, one);
      const isActive = activates(text(head, "action") as RecordRow["action"]) ? 1 : 0;
      setHead.run(isActive, toBytes(stream), version, isActive);
    }
  };
}

function openFind(db: DatabaseSync) {
  const select = "SELECT position, uid, fingerprint, stream, kind, version FROM records WHERE";
  const byPosition = db.prepare(`${select} position = ?`);
  const byUid = db.prepare(`${select} uid = ?`);
  return (rids: readonly Rid[], uids: readonly Uid[]): readonly Known[] => {
    const found = new Map<Rid, Known>();
    const add = (row: Row | undefined) => {
      if (row === undefined) return;
      const known = knownOf(row);
      found.set(known.rid, known);
    };
    for (const rid of rids) {
      const position = positionOf(rid);
      if (position !== undefined) add(byPosition.get(position));
    }
    for (const uid of uids) add(byUid.get(uidValue(uid)));
    return [...found.values()];
  };
}

/** The faces of a store that write. Who reads sees a write once it is committed, on whichever connection. */
export type RecordWrites = Pick<RecordStore, "append" | "account" | "repairActive" | "probe">;
export type RecordReads = Omit<RecordStore, keyof RecordWrites>;

const headOfStream =
  "SELECT version, alias, action, recorded_at, action_at, is_active FROM records WHERE stream = ? AND kind = ? ORDER BY version DESC LIMIT 1";

export function writeRecords(db: DatabaseSync, commit: GroupCommit, recordBytesMax: number): RecordWrites {
  const accounts = openAccounts(db);
  const append = openAppend(db, accounts, recordBytesMax);
  const head = db.prepare(headOfStream);
  const repair = openRepair(db, (stream) => head.get(toBytes(stream), kindCode("change")));
  const probe = db.prepare(
    "INSERT INTO state (name, revision, value) VALUES ('probe', 1, '') ON CONFLICT (name) DO UPDATE SET revision = revision + 1",
  );
  return {
    append: (batch, signal) => commit(signal, batch.records.length, () => append(batch)),
    account: (step, signal) =>
      commit(signal, step.outcomes.length, () => {
        if (!accounts.isAtMark(step)) return "mark_lost";
        accounts.save(step);
        return "done";
      }),
    repairActive: (places, signal) => storeCall(signal, () => transaction(db, () => repair(places))),
    probe: (signal) =>
      storeCall(signal, () => {
        probe.run();
      }),
  };
}

export function readRecords(db: DatabaseSync): RecordReads {
  const accounts = openAccounts(db);
  const find = openFind(db);
  const head = db.prepare(headOfStream);
  return {
    find: (rids, uids, signal) => storeCall(signal, () => find(rids, uids)),
    heads: (keys, signal) =>
      storeCall(signal, () => {
        const heads = new Map<string, Head>();
        for (const key of keys) {
          const row = head.get(toBytes(key.stream), kindCode(key.kind));
          if (row !== undefined) heads.set(headKeyText(key), headOf(row));
        }
        return heads;
      }),
    mark: (src, signal) => storeCall(signal, () => accounts.mark(src)),
    sources: (signal) => storeCall(signal, () => accounts.sources()),
    counts: (src, from, to, signal) => storeCall(signal, () => accounts.counts(src, from, to, signal)),
    outcomes: (query, signal) => storeCall(signal, () => accounts.outcomes(query)),
  };
}
