/** Keys and identity of a store in memory, to the contract of their ports; for unit tests. Counts what is asked of it. */
import type { Randomness } from "../../src/ports/clock.ts";
import type { Kek, KeyRing } from "../../src/ports/key-ring.ts";
import type { KeyDocument, KeyRef, KeyStore } from "../../src/ports/key-store.ts";
import type { BreakerState, StoreIdentity, StoreState } from "../../src/ports/store-state.ts";

const idOf = (ref: KeyRef): string => `${ref.class} ${ref.id}`;
const isOpen = ({ state }: KeyDocument): boolean => state === "live" || state === "blocked";

const notHere = async (): Promise<never> => {
  throw new Error("no job is kept here");
};

export type MemoryKeys = KeyStore & {
  readonly calls: { read: number; create: number; byKid: number };
  readonly documents: Map<string, KeyDocument>;
  /** Replaces a document as another process would. */
  put(document: KeyDocument): void;
};

export function memoryKeyStore(): MemoryKeys {
  const documents = new Map<string, KeyDocument>();
  const calls = { read: 0, create: 0, byKid: 0 };
  return {
    calls,
    documents,
    put: (document) => void documents.set(idOf(document), document),
    async read(refs) {
      calls.read++;
      return refs.flatMap((ref) => documents.get(idOf(ref)) ?? []);
    },
    async create(made) {
      calls.create++;
      for (const document of made) {
        if (!documents.has(idOf(document))) documents.set(idOf(document), document);
      }
    },
    async rewrap(ref, kid, from, to) {
      const document = documents.get(idOf(ref));
      const key = document?.keys.find((candidate) => candidate.kid === kid);
      if (document === undefined || !isOpen(document) || !key?.wrapped) return false;
      if (Buffer.compare(key.wrapped, from) !== 0) return false;
      const keys = document.keys.map((other) => (other === key ? { ...key, ...to } : other));
      documents.set(idOf(ref), { ...document, keys });
      return true;
    },
    async notUnder(kek, limit) {
      return [...documents.values()]
        .filter((document) => isOpen(document))
        .filter(({ keys }) => keys.some((key) => key.wrapped !== null && key.kek !== kek))
        .slice(0, limit);
    },
    async byKid(kids) {
      calls.byKid++;
      const wanted = new Set(kids.map((kid) => `${kid.class} ${kid.kid}`));
      return [...documents.values()].filter((document) =>
        document.keys.some((key) => wanted.has(`${document.class} ${key.kid}`)),
      );
    },
  };
}

export type MemoryState = StoreState & { filled: boolean; identity(): StoreIdentity | undefined };

export function memoryStoreState(): MemoryState {
  let stored: { readonly identity: StoreIdentity; readonly revision: number } | undefined;
  let breaker: BreakerState | undefined;
  let access: Awaited<ReturnType<StoreState["personalAccess"]>> = { requests: [], revision: 0 };
  return {
    filled: false,
    identity: () => stored?.identity,
    async read() {
      return stored;
    },
    async create(identity) {
      stored ??= { identity, revision: 1 };
    },
    async replace(identity, revision) {
      if (stored?.revision !== revision) return false;
      stored = { identity, revision: revision + 1 };
      return true;
    },
    async isEmpty() {
      return !this.filled;
    },
    async breaker() {
      return breaker;
    },
    async setBreaker(state) {
      breaker = state;
    },
    async personalAccess() {
      return access;
    },
    async setPersonalAccess(requests, revision) {
      if (access.revision !== revision) return false;
      access = { requests, revision: revision + 1 };
      return true;
    },
    jobs: notHere,
    job: notHere,
    putJob: notHere,
    removeJob: notHere,
  };
}

export type MemoryRing = KeyRing & { readonly keks: Kek[]; currentEpoch: number; refreshes: number };

/** KEK n is 32 bytes of value n unless others are given. */
export function memoryKeyRing(epochs: readonly number[], currentEpoch = epochs.at(-1) ?? 1): MemoryRing {
  return {
    keks: epochs.map((epoch) => ({ epoch, key: Buffer.alloc(32, epoch) })),
    currentEpoch,
    refreshes: 0,
    all() {
      return [...this.keks];
    },
    current() {
      const kek = this.keks.find(({ epoch }) => epoch === this.currentEpoch);
      if (kek === undefined) throw new Error(`the test's ring has no KEK ${this.currentEpoch}`);
      return kek;
    },
    async refresh() {
      this.refreshes++;
    },
  };
}

/** Bytes that differ from call to call and are the same in every run. */
export function countedRandomness(): Randomness {
  let drawn = 0;
  return (bytes) => Uint8Array.from({ length: bytes }, () => (++drawn * 167) & 0xff);
}
