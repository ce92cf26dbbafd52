/** What intake is joined with, and its bounds. */
import type { AuditReader } from "../ports/audit-reader.ts";
import type { Clock, Randomness, Sleep } from "../ports/clock.ts";
import type { DeadLetters } from "../ports/dead-letters.ts";
import type { DedupHints } from "../ports/dedup-hints.ts";
import type { Log } from "../ports/log.ts";
import type { Observer } from "../ports/observer.ts";
import type { RecordStore } from "../ports/record-store.ts";
import type { DataKeys } from "../privacy/data-keys.ts";
import type { HeadCache } from "./head-cache.ts";
import type { IdSources } from "./id-sources.ts";
import type { Pace } from "./pace.ts";
import type { StationSettings } from "./stations.ts";

export type IntakeLimits = {
  /** Events in one append. */
  readonly batchSizeMax: number;
  /** Appends of one batch before the partition waits. */
  readonly attemptsMax: number;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
};

export type IntakeDeps = {
  readonly records: RecordStore;
  readonly recordsOf: AuditReader["records"];
  readonly hints: DedupHints;
  readonly deadLetters: DeadLetters;
  readonly stations: StationSettings;
  readonly dataKeys: DataKeys;
  readonly heads: HeadCache;
  readonly idSources: IdSources;
  readonly pace: Pace;
  readonly limits: IntakeLimits;
  readonly now: Clock;
  readonly random: Randomness;
  readonly sleep: Sleep;
  readonly observer: Observer;
  readonly log: Log;
};
