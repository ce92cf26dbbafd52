/** What a check carries along the log: trees over each copy of the leaves, the walk over the entries, and what can only be judged at the end. */
import type { Finding, Findings, Report } from "../core/findings.ts";
import type { Rid } from "../core/ids.ts";
import type { LogWalk, WalkedEntry } from "../core/log-walk.ts";
import { equalHashes, hashBytes } from "../core/merkle.ts";
import type { GrownTile, RivalTrees } from "../core/rival-trees.ts";
import { type TileId, tileHashes, tileWidth } from "../core/tiles.ts";
import type { VerifyCrypto } from "../core/trust.ts";
import type { AuditReader } from "../ports/audit-reader.ts";
import type { LogStore } from "../ports/log-store.ts";
import type { CheckRange, OpenBodies } from "./check-range.ts";
import type { Gone } from "./check-record.ts";

/** Gives how many entries of the log the index holds. */
export type CheckIndex = (report: Report, signal: AbortSignal) => Promise<number>;

export type CheckDeps = {
  readonly log: Pick<LogStore, "size" | "rows" | "head" | "tile" | "checkpoint">;
  readonly audit: AuditReader;
  readonly crypto: VerifyCrypto;
  /** Opens bodies and holds them against commitments and projections; undefined: they stay sealed. */
  readonly openBodies: OpenBodies | undefined;
  /** Holds the search index against the log; undefined: it is left alone. */
  readonly checkIndex?: CheckIndex | undefined;
  /** Checks ranges in another thread; without it they are checked in this one. */
  readonly checkRange?: CheckRange | undefined;
};

/** Copies of a leaf, in this order: computed from the stored entry, in log_index, in the tile. */
export const [computedCopy, indexedCopy, tileCopy] = [0, 1, 2] as const;
export const leafCopies = 3;

/** An index with what each side says of it. `entry` is undefined where it cannot be had. */
export type PassLeaf = {
  readonly computed: Uint8Array | undefined;
  readonly indexed: Uint8Array | undefined;
  readonly entry: WalkedEntry | undefined;
  readonly object: Finding["object"];
};

export type CheckPass = {
  readonly deps: CheckDeps;
  readonly checkRange: CheckRange;
  readonly findings: Findings;
  readonly trees: RivalTrees;
  readonly walk: LogWalk;
  /** As the log's first entry names it. */
  readonly origin: string | undefined;
  /** Leaves that are to be checked. */
  readonly size: number;
  /** Leaves of the stored head: tiles that are full there must be stored. */
  readonly headSize: number;
  readonly signal: AbortSignal;
  /** Leaves that wait until their tile is whole. */
  readonly block: PassLeaf[];
  readonly gone: Gone[];
  /** What lies at an index where copies differ. */
  readonly objects: Map<number, Finding["object"]>;
  /** Tiles above the leaves that differ from a copy's tree. */
  readonly wrong: { readonly copies: readonly number[]; readonly tile: TileId }[];
  readonly bodies: { opened: number };
};

/** Gone parts that are remembered; more of them are counted as one finding each at once. */
export const goneMax = 100_000;

export const leavesObject = (from: number, to = from + 1): Finding["object"] => ({
  kind: "leaves",
  from,
  to,
});
export const recordObject = (rid: Rid): Finding["object"] => ({ kind: "record", rid });

export async function pushLeaf(pass: CheckPass, leaf: PassLeaf): Promise<void> {
  const { computed, indexed } = leaf;
  // An entry that differs from its row says nothing of the entries around it.
  const agrees = computed !== undefined && (indexed === undefined || equalHashes(computed, indexed));
  pass.walk.take(agrees ? leaf.entry : undefined);
  pass.block.push(leaf);
  if ((pass.trees.size() + pass.block.length) % tileWidth === 0) await flushBlock(pass);
}

/** Puts what waits into the trees, beside the tile that holds it. */
export async function flushBlock(pass: CheckPass): Promise<void> {
  const { trees, block, objects } = pass;
  const first = trees.size();
  const n = Math.floor(first / tileWidth);
  const stored = await storedTile(pass, { level: 0, n });
  for (const [at, { computed, indexed, object }] of block.entries()) {
    const before = trees.differences().length;
    trees.push([computed, indexed, stored?.[(first % tileWidth) + at]]);
    if (trees.differences().length > before) objects.set(first + at, object);
  }
  block.length = 0;
  for (const grown of trees.filled()) await compareTile(pass, grown);
}

async function compareTile(pass: CheckPass, { copies, tile, hashes }: GrownTile): Promise<void> {
  if (tile.level === 0) return;
  const stored = await storedTile(pass, tile);
  if (stored?.some((hash, at) => !equalHashes(hash, hashes[at] ?? hash)) === true)
    pass.wrong.push({ copies, tile });
}

/** Hashes of a tile that must be stored; undefined where it need not be, or is not: then that is a finding. */
async function storedTile(pass: CheckPass, tile: TileId): Promise<readonly Uint8Array[] | undefined> {
  if ((tile.n + 1) * tileWidth ** (tile.level + 1) > pass.headSize) return undefined;
  const bytes = await pass.deps.log.tile(tile, pass.signal);
  if (bytes?.length === tileWidth * hashBytes) return tileHashes(bytes);
  const object = { kind: "tile", ...tile } as const;
  const { report } = pass.findings;
  if (bytes === undefined) report({ code: "TILE_MISSING", object, detail: "it is full and not stored" });
  else report({ code: "TILE_CHANGED", object, detail: `it is not ${tileWidth} hashes long` });
  return undefined;
}

/** Whether the log accounts for it is known at the end. */
export function takeGone({ gone, findings: { report } }: CheckPass, one: Gone): void {
  if (gone.length < goneMax) gone.push(one);
  else reportGone(report, one);
}

/** Nothing in the log accounts for what is gone. */
export const reportGone = (report: Report, { rid, what }: Gone): void =>
  report({
    code: what === "body" ? "BODY_MISSING" : "COLUMN_CHANGED",
    object: recordObject(rid),
    detail: `its ${what} ${what === "body" ? "is" : "are"} gone, and no erasure in the log names the keys`,
  });
