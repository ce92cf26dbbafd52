/** Compares the stored log with what is accounted for: dense, each record once, coverage without holes, every root recomputed from stored entries. */
import { expect } from "@jest/globals";
import { formatCheckpoint, parseCheckpoint } from "../../src/core/checkpoint.ts";
import { parseRid, srcOf } from "../../src/core/ids.ts";
import { leafHash } from "../../src/core/leaf.ts";
import {
  type ControlEntry,
  type CoverageEntry,
  outcomeList,
  parseLogEntry,
} from "../../src/core/log-entries.ts";
import { consistencyPath, rootOf, verifyConsistency } from "../../src/core/merkle.ts";
import { parseNote, parseVerifierKey, verifiedSignature } from "../../src/core/signed-note.ts";
import { fullTiles, joinHashes, tileWidth } from "../../src/core/tiles.ts";
import { sha256 } from "../../src/lib/sha256.ts";
import { treeReader } from "../../src/log/tree-reader.ts";
import { type LogLeaf, logRowsMax } from "../../src/ports/log-store.ts";
import type { Store } from "../../src/ports/store.ts";
import { verifyNote } from "./ed25519.ts";

const signal = new AbortController().signal;
const notStored = ["duplicate", "conflict", "rejected", "gap"] as const;

export type CheckedLog = {
  readonly leaves: readonly LogLeaf[];
  readonly hashes: readonly Uint8Array[];
  readonly coverages: readonly (CoverageEntry & { readonly index: number })[];
  readonly controls: readonly (ControlEntry & { readonly index: number })[];
};

export async function allLeaves(store: Store): Promise<readonly LogLeaf[]> {
  const size = await store.log.size(signal);
  const leaves: LogLeaf[] = [];
  for (let at = 0; at < size; at += logRowsMax)
    leaves.push(...(await store.log.leaves(at, Math.min(size, at + logRowsMax), signal)));
  return leaves;
}

/** Throws, naming what is wrong, unless the log is whole up to its end. */
export async function checkLog(store: Store): Promise<CheckedLog> {
  const leaves = await allLeaves(store);
  expect(leaves.map(({ index }) => index)).toEqual(leaves.map((_, at) => at));
  expect(new Set(leaves.map(({ key }) => key)).size).toBe(leaves.length);
  const hashes = leaves.map(({ stored, key }) => leafHash(sha256, stored ?? `nothing is stored for ${key}`));
  expect(hashes.findIndex((hash, at) => !same(hash, leaves[at]?.leafHash))).toBe(-1);
  const entries = leaves.flatMap((leaf) => {
    const entry =
      leaf.key.startsWith("c") || leaf.entry !== undefined ? parseLogEntry(leaf.stored ?? "") : undefined;
    return entry === undefined ? [] : [{ ...entry, index: leaf.index }];
  });
  const coverages = entries.filter((entry) => entry.t === "coverage");
  const controls = entries.filter((entry) => entry.t === "control");
  expect(controls[0]).toMatchObject({ kind: "genesis", index: 0 });
  await checkCoverages(store, leaves, coverages);
  return { leaves, hashes, coverages, controls };
}

const same = (a: Uint8Array, b: Uint8Array | undefined): boolean =>
  b !== undefined && Buffer.compare(a, b) === 0;

/** Of each source one chain from its first accounted offset, each entry directly behind its records, each with the outcomes of its range. */
async function checkCoverages(
  store: Store,
  leaves: readonly LogLeaf[],
  coverages: CheckedLog["coverages"],
): Promise<void> {
  const ends = new Map<string, number>();
  const covered = new Set<number>();
  for (const { src, from, to, first, n, counts, list, index } of coverages) {
    const outcomes = await store.records.outcomes(
      { src, from, to, kinds: notStored, limit: to - from },
      signal,
    );
    const counted = await store.records.counts(src, from, to, signal);
    const records = leaves.slice(first, first + n);
    expect({ src, from, index, counts, list }).toEqual({
      src,
      from: ends.get(src) ?? from,
      index: first + n,
      counts: counted.counts,
      list: Buffer.from(sha256(Buffer.from(outcomeList(outcomes)))).toString("base64url"),
    });
    const offsets = records.map(({ key }) => offsetOf(key, src));
    expect(offsets).toEqual(
      offsets.filter((offset) => offset >= from && offset < to).toSorted((a, b) => a - b),
    );
    for (const record of records) covered.add(record.index);
    ends.set(src, to);
  }
  const uncovered = leaves.filter(({ key, index }) => parseRid(key) !== undefined && !covered.has(index));
  expect(uncovered.map(({ key }) => key)).toEqual([]);
}

function offsetOf(key: string, src: string): number {
  const position = parseRid(key);
  if (position === undefined || srcOf(position.topicId, position.partition) !== src) return Number.NaN;
  return position.offset;
}

/** Throws unless everything accounted for lies in the log, and the head and the published checkpoint are its whole tree. */
export async function checkLogged(store: Store): Promise<CheckedLog> {
  const log = await checkLog(store);
  for (const { src, mark } of await store.records.sources(signal)) {
    const chain = log.coverages.filter((entry) => entry.src === src);
    expect({ src, to: chain.at(-1)?.to }).toEqual({ src, to: mark });
  }
  const root = rootOf(sha256, log.hashes);
  const [head, latest] = [await store.log.head(signal), await store.log.checkpoint("latest", signal)];
  expect(head).toEqual({ size: log.leaves.length, root: new Uint8Array(root) });
  expect(latest && { size: latest.size, root: new Uint8Array(latest.root) }).toEqual({
    size: log.leaves.length,
    root: new Uint8Array(root),
  });
  await checkTiles(store, log);
  return log;
}

async function checkTiles(store: Store, { hashes }: CheckedLog): Promise<void> {
  for (const { level, n } of fullTiles(0, hashes.length)) {
    const span = tileWidth ** level;
    const own = Array.from({ length: tileWidth }, (_, at) => {
      const begin = (n * tileWidth + at) * span;
      return rootOf(sha256, hashes.slice(begin, begin + span));
    });
    const tile = await store.log.tile({ level, n }, signal);
    expect({ level, n, same: same(joinHashes(own), tile) }).toEqual({ level, n, same: true });
  }
}

/** Each note is signed by the genesis key's log, and is a prefix of the log as it is now. */
export async function checkPrefixes(
  store: Store,
  { hashes, controls }: CheckedLog,
  notes: readonly string[],
): Promise<void> {
  const reader = treeReader(store.log, sha256, signal);
  const size = hashes.length;
  const root = rootOf(sha256, hashes);
  const vkeys = controls.flatMap((entry) =>
    entry.kind === "genesis" || entry.kind === "key" ? [entry.data.vkey] : [],
  );
  for (const text of notes) {
    const note = parseNote(text);
    const checkpoint = note && parseCheckpoint(note.text);
    if (note === undefined || checkpoint === undefined) throw new Error(`not a checkpoint: ${text}`);
    expect(formatCheckpoint(checkpoint)).toBe(note.text);
    const isSigned = vkeys.some((vkey) => {
      const key = parseVerifierKey(sha256, vkey);
      return key !== undefined && verifiedSignature(note, key, verifyNote) !== undefined;
    });
    const path = await consistencyPath(sha256, checkpoint.size, size, reader);
    const isPrefix = verifyConsistency(sha256, {
      oldSize: checkpoint.size,
      oldRoot: checkpoint.root,
      size,
      root,
      path,
    });
    expect({ size: checkpoint.size, isSigned, isPrefix }).toEqual({
      size: checkpoint.size,
      isSigned: true,
      isPrefix: true,
    });
  }
}
