/** A world of questions whose records are in the log, and whose search index follows it by the passes that the service makes. */
import { createHash } from "node:crypto";
import { type Catalogue, emptyCatalogue } from "../../src/core/catalogue.ts";
import type { RecordRow } from "../../src/core/record.ts";
import { type IndexPassDeps, indexPass } from "../../src/indexing/index-pass.ts";
import { controlKey } from "../../src/ports/log-store.ts";
import { type EventSpec, type HistoryWorld, openHistoryWorld } from "./history-world.ts";

const signal = new AbortController().signal;
const hashOf = (text: string): Uint8Array => createHash("sha256").update(text).digest();

export type IndexedWorld = HistoryWorld & {
  readonly passDeps: IndexPassDeps;
  /** Publishes, and lays what was published into the log. */
  publishLogged(...events: readonly EventSpec[]): Promise<readonly RecordRow[]>;
  /** Control entries, which lie between records in a log. */
  logOthers(count: number): Promise<void>;
  treeSize(): Promise<number>;
  /** Passes until nothing is left. */
  index(deps?: IndexPassDeps): Promise<void>;
};

export async function openIndexedWorld(catalogue: Catalogue = emptyCatalogue): Promise<IndexedWorld> {
  const world = await openHistoryWorld(catalogue);
  const { log } = world.store;
  const passDeps: IndexPassDeps = {
    log,
    history: world.store.history,
    index: world.store.index,
    keys: world.deps.keys,
    catalogue,
  };
  const append = async (keys: readonly Parameters<typeof log.append>[0][number]["key"][]): Promise<void> => {
    const from = await log.size(signal);
    const rows = keys.map((key, at) => ({ index: from + at, key, leafHash: hashOf(key), entry: undefined }));
    await log.append(rows, signal);
    await log.moveHead(await log.head(signal), { size: from + keys.length, root: hashOf("root") }, signal);
  };
  let controls = 0;
  return {
    ...world,
    passDeps,
    async publishLogged(...events) {
      const rows = await world.publish(...events);
      await append(rows.map(({ rid }) => rid));
      return rows;
    },
    logOthers: (count) => append(Array.from({ length: count }, () => controlKey(`other-${controls++}`))),
    treeSize: () => log.size(signal),
    async index(deps = passDeps) {
      for (let lag = 1; lag > 0; ) ({ lag } = await indexPass(deps, signal));
    },
  };
}
