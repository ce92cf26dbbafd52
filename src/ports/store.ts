/** A store is one outside thing with seven faces; an adapter opens them together. */
import type { AuditReader } from "./audit-reader.ts";
import type { HistoryReader } from "./history-reader.ts";
import type { KeyStore } from "./key-store.ts";
import type { LogStore } from "./log-store.ts";
import type { RecordStore } from "./record-store.ts";
import type { SearchIndex } from "./search-index.ts";
import type { StoreState } from "./store-state.ts";

export type Store = AsyncDisposable & {
  readonly records: RecordStore;
  readonly history: HistoryReader;
  readonly keys: KeyStore;
  readonly state: StoreState;
  readonly audit: AuditReader;
  readonly log: LogStore;
  readonly index: SearchIndex;
  /** What it is, for the start-up table: e.g. `SQLite 3.50, data/lastro.db`. No secrets. */
  readonly description: string;
};
