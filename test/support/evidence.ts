/** Bundles of evidence out of a store with a log, made with the pure tree alone. */
import type { Evidence, EvidenceEntry } from "../../src/core/evidence.ts";
import type { Rid, Src } from "../../src/core/ids.ts";
import { type CoverageEntry, outcomeList, parseLogEntry } from "../../src/core/log-entries.ts";
import { consistencyPath, type HashReader, inclusionPath, rootOf } from "../../src/core/merkle.ts";
import { namedSigners } from "../../src/core/named-signers.ts";
import {
  encodeEntries,
  entriesPath,
  joinHashes,
  tilePath,
  tileWidth,
  tileWidthAt,
} from "../../src/core/tiles.ts";
import { controlKey, type LogLeaf } from "../../src/ports/log-store.ts";
import type { Store } from "../../src/ports/store.ts";
import { sha256 } from "./checked-log.ts";
import { never } from "./log-world.ts";

export type Laid = {
  readonly leaves: readonly LogLeaf[];
  readonly note: string;
  readonly read: HashReader;
};

/** The whole published log, in memory. */
export async function layOut(store: Store): Promise<Laid> {
  const published = await store.log.checkpoint("latest", never);
  if (published === undefined) throw new Error("nothing was published");
  const leaves = await store.log.leaves(0, published.size, never);
  const hashes = leaves.map(({ leafHash }) => leafHash);
  const read: HashReader = async (nodes) =>
    nodes.map(({ level, n }) => rootOf(sha256, hashes.slice(n * 2 ** level, (n + 1) * 2 ** level)));
  return { leaves, note: published.note, read };
}

const sizeOf = (note: string): number => Number(note.split("\n")[1]);

export async function bundleOf(
  laid: Laid,
  store: Pick<Store, "history"> | undefined,
  indexes: readonly number[],
  pinned?: string,
): Promise<Evidence> {
  const size = laid.leaves.length;
  const entries: EvidenceEntry[] = [];
  const signers = await namedSigners(sha256, laid.note, async (named) => {
    const key = "control" in named ? controlKey(named.control) : undefined;
    const leaf = laid.leaves.find((one) => (key === undefined ? one.index === 0 : one.key === key));
    return leaf && { index: leaf.index, entry: leaf.stored ?? "" };
  });
  // As it is gathered for who kept a checkpoint.
  const keys = pinned === undefined ? [] : signers.map(({ by }) => by.index);
  for (const index of [...indexes, ...keys]) {
    const leaf = laid.leaves[index];
    const row =
      leaf?.entry === undefined && leaf !== undefined
        ? await store?.history.byRid(leaf.key as Rid, never)
        : undefined;
    const path = await inclusionPath(sha256, index, size, laid.read);
    entries.push({ index, entry: leaf?.stored ?? "", path, proven: undefined, body: row?.body });
  }
  const vkeys = signers.map(({ vkey }) => vkey);
  const from = pinned === undefined ? size : sizeOf(pinned);
  const consistency =
    from === size ? [] : [{ from, to: size, path: await consistencyPath(sha256, from, size, laid.read) }];
  return { checkpoint: laid.note, vkeys, entries, outcomes: [], consistency };
}

export const recordEvidence = (
  laid: Laid,
  store: Pick<Store, "history"> | undefined,
  rid: string,
  pinned?: string,
): Promise<Evidence> => bundleOf(laid, store, [laid.leaves.findIndex(({ key }) => key === rid)], pinned);

/** Everything that accounts for the offsets, with the lists of what was not stored. */
export async function rangeEvidence(
  laid: Laid,
  store: Store,
  src: Src,
  from: number,
  to: number,
): Promise<Evidence> {
  const covers = laid.leaves.flatMap(
    ({ index, stored }): readonly (CoverageEntry & { readonly index: number })[] => {
      const entry = parseLogEntry(stored ?? "");
      return entry?.t === "coverage" && entry.src === src && entry.to > from && entry.from < to
        ? [{ ...entry, index }]
        : [];
    },
  );
  const indexes = covers.flatMap(({ first, n }) => Array.from({ length: n + 1 }, (_, at) => first + at));
  const kinds = ["duplicate", "conflict", "rejected", "gap"] as const;
  const outcomes = await Promise.all(
    covers.map(async (cover) => {
      const rows = await store.records.outcomes(
        { src, from: cover.from, to: cover.to, kinds, limit: 10_000 },
        never,
      );
      return { index: cover.index, list: outcomeList(rows) };
    }),
  );
  return { ...(await bundleOf(laid, store, indexes)), outcomes };
}

/** The log's static resources by path, as its server gives them. */
export function staticResources({ leaves, note }: Laid): Map<string, Uint8Array> {
  const resources = new Map<string, Uint8Array>([["checkpoint", Buffer.from(note)]]);
  let hashes: readonly Uint8Array[] = leaves.map(({ leafHash }) => leafHash);
  for (let level = 0; hashes.length > 0; level++) {
    for (let n = 0; n * tileWidth < hashes.length; n++) {
      const width = tileWidthAt({ level, n }, leaves.length);
      const some = hashes.slice(n * tileWidth, n * tileWidth + width);
      resources.set(tilePath({ level, n }, width), joinHashes(some));
      if (level > 0) continue;
      const entries = leaves
        .slice(n * tileWidth, n * tileWidth + width)
        .map(({ stored }) => Buffer.from(stored ?? ""));
      resources.set(entriesPath(n, width), encodeEntries(entries));
    }
    const full = Math.floor(hashes.length / tileWidth);
    hashes = Array.from({ length: full }, (_, n) =>
      rootOf(sha256, hashes.slice(n * tileWidth, (n + 1) * tileWidth)),
    );
  }
  return resources;
}
