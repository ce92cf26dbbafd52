/** Tables and indexes, as a list of migrations; PRAGMA user_version counts those that were applied. */
import type { DatabaseSync } from "node:sqlite";
import { LastroError } from "../../core/errors.ts";
import { integer } from "./columns.ts";
import { transaction } from "./transaction.ts";

/** "Last" in ASCII: tells our files from those of other programs. */
const applicationId = 0x4c61_7374;

/**
 * Columns that searches and versioning read come first, so that they lie on the row's first page; entry and body come last.
 * `position` is topic id ‖ u32 partition ‖ u64 offset. Indexes whose rows arrive in random order are kept short: `position` is
 * appended only where rows arrive in order, elsewhere ties are sorted within one millisecond.
 * Columns that erasure clears may be null.
 */
const first = `
CREATE TABLE records (
  id INTEGER PRIMARY KEY,
  position BLOB NOT NULL UNIQUE,
  uid ANY NOT NULL UNIQUE,
  stream BLOB NOT NULL,
  kind INTEGER NOT NULL,
  version INTEGER NOT NULL,
  alias BLOB NOT NULL,
  action TEXT NOT NULL,
  recorded_at INTEGER NOT NULL,
  is_active INTEGER NOT NULL,
  action_at INTEGER NOT NULL,
  fingerprint BLOB,
  ownership BLOB,
  tenant TEXT,
  namespace TEXT,
  entity_type TEXT,
  entity_id TEXT,
  event_type TEXT,
  producer_service TEXT,
  trace_id TEXT,
  owner_id TEXT,
  ownership_id TEXT,
  aside TEXT NOT NULL,
  kids BLOB NOT NULL,
  leaf_hash BLOB NOT NULL,
  entry TEXT NOT NULL,
  body BLOB NOT NULL,
  UNIQUE (stream, kind, version)
) STRICT;
CREATE INDEX records_by_time ON records (recorded_at, position);
CREATE INDEX records_by_action_time ON records (action_at, position);
CREATE INDEX records_by_tenant ON records (tenant, recorded_at, position);
CREATE INDEX records_by_producer ON records (producer_service, recorded_at, position);
CREATE INDEX records_by_event_type ON records (event_type, recorded_at, position);
CREATE INDEX records_by_trace ON records (trace_id, recorded_at);
CREATE INDEX records_by_entity ON records (entity_id, recorded_at);
CREATE INDEX records_by_owner ON records (owner_id, recorded_at);
CREATE INDEX records_by_ownership ON records (ownership_id, recorded_at) WHERE ownership_id IS NOT NULL;

CREATE TABLE aliases (
  tenant TEXT NOT NULL,
  entity_type TEXT NOT NULL,
  candidate_id TEXT NOT NULL,
  stream BLOB NOT NULL,
  namespace TEXT NOT NULL,
  entity_id TEXT NOT NULL,
  PRIMARY KEY (tenant, entity_type, candidate_id, stream)
) STRICT, WITHOUT ROWID;
CREATE INDEX aliases_by_stream ON aliases (stream);

CREATE TABLE ownerships (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  ownership_id TEXT,
  state TEXT NOT NULL,
  first_event_at INTEGER,
  last_event_at INTEGER,
  producers TEXT NOT NULL,
  legal_bases TEXT NOT NULL,
  purposes TEXT NOT NULL,
  retain_until INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX ownerships_by_tenant ON ownerships (tenant, id);

CREATE TABLE key_documents (
  class TEXT NOT NULL,
  id TEXT NOT NULL,
  state TEXT NOT NULL,
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (class, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE data_keys (
  class TEXT NOT NULL,
  kid BLOB NOT NULL,
  document TEXT NOT NULL,
  revision INTEGER NOT NULL,
  kek INTEGER NOT NULL,
  wrapped BLOB,
  PRIMARY KEY (class, kid)
) STRICT, WITHOUT ROWID;
CREATE INDEX data_keys_by_document ON data_keys (class, document, revision);
CREATE INDEX data_keys_by_kek ON data_keys (kek) WHERE wrapped IS NOT NULL;

CREATE TABLE accounts (
  src TEXT NOT NULL,
  begin_offset INTEGER NOT NULL,
  end_offset INTEGER NOT NULL,
  begun_at INTEGER NOT NULL,
  PRIMARY KEY (src, begin_offset)
) STRICT, WITHOUT ROWID;
CREATE TABLE outcomes (
  src TEXT NOT NULL,
  begin_offset INTEGER NOT NULL,
  end_offset INTEGER NOT NULL,
  kind TEXT NOT NULL,
  detail TEXT NOT NULL,
  PRIMARY KEY (src, begin_offset)
) STRICT, WITHOUT ROWID;
CREATE INDEX outcomes_by_kind ON outcomes (src, kind, begin_offset, end_offset);

CREATE TABLE state (
  name TEXT PRIMARY KEY,
  revision INTEGER NOT NULL,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`;

/** The transparency log. A record's key is its position; `cov:` and `ctl:` keys are text. */
const log = `
CREATE TABLE log_index (
  idx INTEGER PRIMARY KEY,
  key ANY NOT NULL UNIQUE,
  leaf_hash BLOB NOT NULL,
  entry TEXT
) STRICT;
CREATE TABLE log_tiles (
  level INTEGER NOT NULL,
  n INTEGER NOT NULL,
  hashes BLOB NOT NULL,
  PRIMARY KEY (level, n)
) STRICT;
CREATE TABLE log_head (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  size INTEGER NOT NULL,
  root BLOB NOT NULL
) STRICT;
CREATE TABLE log_checkpoints (
  name TEXT PRIMARY KEY,
  size INTEGER NOT NULL,
  root BLOB NOT NULL,
  note TEXT NOT NULL,
  signatures INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE log_controls (
  place INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  key ANY NOT NULL,
  entry TEXT NOT NULL
) STRICT;
CREATE TABLE log_lease (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  holder TEXT NOT NULL,
  until INTEGER NOT NULL
) STRICT;
`;

/**
 * The search index, which follows the log: terms of records, and counts of blocks of the log. `texts` holds each record's terms, which tell
 * what to take away of `terms`. All of it can be made again.
 */
const searchIndex = `
CREATE TABLE search_index (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  rules TEXT NOT NULL,
  size INTEGER NOT NULL
) STRICT;
CREATE TABLE terms (
  term TEXT NOT NULL,
  recorded_at INTEGER NOT NULL,
  record INTEGER NOT NULL,
  PRIMARY KEY (term, recorded_at, record)
) STRICT, WITHOUT ROWID;
CREATE TABLE texts (
  record INTEGER PRIMARY KEY,
  terms TEXT NOT NULL
) STRICT;
CREATE TABLE summary_blocks (
  level INTEGER NOT NULL,
  n INTEGER NOT NULL,
  cells BLOB NOT NULL,
  actors BLOB NOT NULL,
  PRIMARY KEY (level, n)
) STRICT;
`;

/** Records without ownership are in the index too, so that an order by it misses none. Without a value they arrive in order, at the end of their own. */
const wholeOwnershipIndex = `
DROP INDEX records_by_ownership;
CREATE INDEX records_by_ownership ON records (ownership_id, recorded_at);
`;

const migrations: readonly string[] = [first, log, searchIndex, wholeOwnershipIndex];

const pragma = (db: DatabaseSync, name: string): number => {
  const row = db.prepare(`PRAGMA ${name}`).get();
  return row === undefined ? 0 : integer(row, name);
};

/** What is in the file; 0: nothing yet. Only looks. Throws STORE_NEWER, or CONFIG_INVALID for a file of another program. */
export function schemaOf(db: DatabaseSync, path: string): number {
  if (pragma(db, "application_id") !== applicationId) {
    if (db.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() === undefined) return 0;
    throw new LastroError(
      "CONFIG_INVALID",
      `${path} is a SQLite file of another program; name another path in LASTRO_STORE_URL`,
    );
  }
  const schema = pragma(db, "user_version");
  if (schema > migrations.length)
    throw new LastroError(
      "STORE_NEWER",
      `${path} has schema ${schema}, this program knows ${migrations.length}; run the newer release`,
    );
  return schema;
}

export const isCurrent = (schema: number): boolean => schema === migrations.length;

/** For who changes no schema. Throws NOT_FOUND where there is none, FAILED_PRECONDITION for an older one. */
export function requireCurrent(schema: number, path: string): void {
  if (isCurrent(schema)) return;
  if (schema === 0) throw new LastroError("NOT_FOUND", `${path} is empty: no service has made a store of it`);
  throw new LastroError(
    "FAILED_PRECONDITION",
    `${path} has schema ${schema}, this program reads ${migrations.length}; use the release that wrote it, or start the service of this release once, which migrates it`,
  );
}

/** Brings the file from its schema to the one this program knows. */
export function migrate(db: DatabaseSync, schema: number): void {
  if (isCurrent(schema)) return;
  transaction(db, () => {
    for (const migration of migrations.slice(schema)) db.exec(migration);
    db.exec(`PRAGMA user_version = ${migrations.length}; PRAGMA application_id = ${applicationId}`);
  });
}
