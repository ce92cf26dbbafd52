/** All that intake, keys and operators change in the store: done on one connection, here or in a thread of its own. */
import type { DatabaseSync } from "node:sqlite";
import type { GroupCommit } from "./group-commit.ts";
import { type KeyWrites, writeKeys } from "./keys.ts";
import { type RecordWrites, writeRecords } from "./records.ts";
import { type StateWrites, writeState } from "./state.ts";

export type Writes = {
  readonly records: RecordWrites;
  readonly keys: KeyWrites;
  readonly state: StateWrites;
};

export const openWrites = (db: DatabaseSync, commit: GroupCommit, recordBytesMax: number): Writes => ({
  records: writeRecords(db, commit, recordBytesMax),
  keys: writeKeys(db, commit),
  state: writeState(db),
});
