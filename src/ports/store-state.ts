/** What the store knows of itself: its identity, drawn once, and the operator's standing decisions. */
import type { B64, StoreId, TopicId } from "../core/ids.ts";

export type StoreIdentity = {
  readonly storeId: StoreId;
  readonly createdAtMs: number;
  /** The lookup key L, wrapped. Rotation re-wraps it and never changes it. */
  readonly lookupKey: { readonly kek: number; readonly wrapped: Uint8Array };
  /** KEK epochs this store relies on, each with a check value. */
  readonly keks: readonly { readonly epoch: number; readonly check: B64 }[];
  /** Kafka cluster and the incarnations of each topic that were accepted, oldest first. */
  readonly kafka:
    | { readonly clusterId: string; readonly topics: Readonly<Record<string, readonly TopicId[]>> }
    | undefined;
};

/** The breaker keeps its state over restarts until the operator resumes. */
export type BreakerState = {
  readonly open: boolean;
  readonly sinceMs: number;
  readonly rejected: number;
  readonly seen: number;
};

/** A wish to see the persons in records for a while, and who agreed. */
export type PersonalAccess = {
  readonly id: string;
  readonly callerId: string;
  readonly reason: string;
  readonly askedAtMs: number;
  /** From its approval on. */
  readonly forMs: number;
  readonly approval: { readonly callerId: string; readonly atMs: number } | undefined;
};
/** Of long-running work: a small JSON text under a name. */
export type StoredJob = { readonly name: string; readonly text: string; readonly revision: number };

/** Contract. `create` inserts if absent and returns what is stored. `replace` is a compare-and-set on the revision that was read. */
export type StoreState = {
  read(
    signal: AbortSignal,
  ): Promise<{ readonly identity: StoreIdentity; readonly revision: number } | undefined>;
  create(identity: StoreIdentity, signal: AbortSignal): Promise<void>;
  replace(identity: StoreIdentity, revision: number, signal: AbortSignal): Promise<boolean>;
  /** Whether there is no record, no key and no account: only then may keys be made. */
  isEmpty(signal: AbortSignal): Promise<boolean>;
  breaker(signal: AbortSignal): Promise<BreakerState | undefined>;
  setBreaker(state: BreakerState, signal: AbortSignal): Promise<void>;
  /** At first none, of revision 0. */
  personalAccess(
    signal: AbortSignal,
  ): Promise<{ readonly requests: readonly PersonalAccess[]; readonly revision: number }>;
  /** A compare-and-set on the revision that was read, which is then one more. */
  setPersonalAccess(
    requests: readonly PersonalAccess[],
    revision: number,
    signal: AbortSignal,
  ): Promise<boolean>;
  /** All of them, ordered by name. */
  jobs(signal: AbortSignal): Promise<readonly StoredJob[]>;
  job(name: string, signal: AbortSignal): Promise<StoredJob | undefined>;
  /** Compare-and-set on the revision that was read, which is then one more; undefined: only where no job has the name, and its revision is 1. */
  putJob(name: string, text: string, revision: number | undefined, signal: AbortSignal): Promise<boolean>;
  removeJob(name: string, signal: AbortSignal): Promise<void>;
};
