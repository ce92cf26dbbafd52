/**
 * One pass of the sequencer: what intake accounted for gets dense indexes, the tree grows by it, and its head is signed and published.
 * Everything is derived from the store anew; unique keys and compare-and-set decide, so that any number of instances may do this at once.
 */
import { equalHashes } from "../core/merkle.ts";
import type { LogHead } from "../ports/log-store.ts";
import type { SequencerDeps } from "./deps.ts";
import { genesisRow } from "./genesis.ts";
import { LogHalted } from "./halt.ts";
import { type NextRows, nextRows } from "./next-rows.ts";
import { assertNotBehind, assertRemembered, publishHead, type Signing } from "./publish.ts";
import { readBack } from "./read-back.ts";
import { type Genesis, readGenesis, readSigningKeys } from "./signing-keys.ts";
import {
  type LatestLeaves,
  latestLeaves,
  rememberSubtrees,
  type StoredTree,
  type Subtrees,
  storedTree,
} from "./stored-tree.ts";
import { readTail } from "./tail.ts";
import { putFullTiles } from "./tiles.ts";

export type PassResult =
  /** Another instance was first: the next pass begins from what it left. */
  | { readonly kind: "lost" }
  | {
      readonly kind: "done";
      /** Leaves of the head. */
      readonly size: number;
      /** Accounted offsets that no coverage entry names yet; undefined when this pass finished what another had begun. */
      readonly lag: number | undefined;
      readonly isPublished: boolean;
      /** `recorded_at` of the oldest and the newest record of each source that this pass logged. */
      readonly recordedAtMs: readonly number[];
    };

/** What this process remembers between passes. Nothing of it decides what is appended. */
export type PassMemory = { readonly subtrees: Subtrees };

export const newPassMemory = (): PassMemory => ({ subtrees: rememberSubtrees() });

/** Throws LogHalted when what is stored contradicts what was committed to; what passes by itself (STORE_UNAVAILABLE, KEY_MISSING) is thrown as it is. */
export async function sequencePass(
  deps: SequencerDeps,
  memory: PassMemory,
  signal: AbortSignal,
): Promise<PassResult> {
  memory.subtrees.refresh(deps.now());
  const tree = storedTree(deps.log, deps.sha256, memory.subtrees, signal);
  const genesis = (await readGenesis(deps.log, signal)) ?? (await begin(deps, signal));
  if (genesis === undefined) return { kind: "lost" };
  const signer = await deps.openSigner(genesis.origin);
  const keys = await readSigningKeys(deps.log, deps.sha256, genesis, signer.vkeys, signal);
  const signing = { origin: genesis.origin, signer, keys };
  const start = await readHead(deps, signing, tree, signal);
  await deps.reached("log_read");
  const next =
    start.size > start.n0
      ? unfinished
      : await unlessOvertaken(deps, start.size, signal, () => gather(deps, signing, start.size, signal));
  if (next === undefined) return { kind: "lost" };
  await deps.reached("log_gathered");
  if (next.rows.length > 0 && (await deps.log.append(next.rows, signal)) === "taken") return { kind: "lost" };
  await deps.reached("log_appended");
  const grown = await growTree(deps, tree, start, start.size + next.rows.length, signal);
  if (grown === undefined) return { kind: "lost" };
  const { head, latest } = grown;
  const rootAt = (size: number) => tree.root(size, latest);
  const isPublished = await publishHead(deps, signing, head, rootAt, signal);
  return { kind: "done", size: head.size, lag: next.lag, isPublished, recordedAtMs: next.recordedAtMs };
}

/** Rows that lie behind the head already: they are finished first. */
const unfinished = { rows: [], lag: undefined, recordedAtMs: [] } as const;

/** What was read while another instance appended is of two moments and contradicts nothing. */
async function unlessOvertaken<T>(
  { log }: SequencerDeps,
  size: number,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof LogHalted && (await log.size(signal)) !== size) return undefined;
    throw error;
  }
}

/** Appends the genesis of a new log. Undefined when another instance did. */
async function begin(deps: SequencerDeps, signal: AbortSignal): Promise<Genesis | undefined> {
  const row = await genesisRow(deps, signal);
  return (await deps.log.append([row], signal)) === "done" ? readGenesis(deps.log, signal) : undefined;
}

type Start = {
  readonly head: LogHead | undefined;
  /** Leaves of the head, and its root as it was recomputed. */
  readonly n0: number;
  readonly root: Uint8Array;
  readonly latest: LatestLeaves;
  /** Rows of log_index. */
  readonly size: number;
};

/** Step 1. What may only grow meanwhile (signer, witness, head, log) is read in this order, so that another instance at work never looks like a step back. */
async function readHead(
  deps: SequencerDeps,
  { origin, signer }: Signing,
  tree: StoredTree,
  signal: AbortSignal,
): Promise<Start> {
  const signed = await signer.state();
  const [seen] = await Promise.allSettled([deps.witnessSizes()]);
  const head = await deps.log.head(signal);
  const size = await deps.log.size(signal);
  const n0 = head?.size ?? 0;
  if (size < n0)
    throw new LogHalted("HEAD_BEYOND_LOG", `the head counts ${n0} leaves, log_index ends at ${size}`);
  if (size === 0) throw new LogHalted("INDEX_ABSENT", "index 0");
  if (seen.status === "fulfilled") assertNotBehind(n0, seen.value);
  const latest = await latestLeaves(deps.log, n0, signal);
  const root = await tree.root(n0, latest);
  if (head !== undefined && !equalHashes(root, head.root))
    throw new LogHalted("ROOT_MISMATCH", `${n0} leaves`);
  const rootAt = async (smaller: number) => (smaller === n0 ? root : tree.root(smaller, latest));
  await assertRemembered(signed, { origin, size: n0, root }, rootAt);
  // Nothing is signed on sizes that are not known. It comes last: what damaged the store is named best by the checks before.
  if (seen.status === "rejected") throw seen.reason;
  return { head, n0, root, latest, size };
}

/** Steps 2 to 4, without the append. */
async function gather(
  deps: SequencerDeps,
  { keys }: Signing,
  size: number,
  signal: AbortSignal,
): Promise<NextRows> {
  return nextRows(deps, await readTail(deps.log, size, signal), keys, size, signal);
}

/** Steps 5 and 6: what was appended is read back, full tiles are put, the head moves. Undefined when another instance moved it. */
async function growTree(
  deps: SequencerDeps,
  tree: StoredTree,
  { head, n0, root, latest }: Start,
  size: number,
  signal: AbortSignal,
): Promise<{ readonly head: LogHead; readonly latest: LatestLeaves } | undefined> {
  if (size === n0) return { head: { size, root }, latest };
  const { log, sha256, reached } = deps;
  const hashes = await readBack(log, sha256, n0, size, signal);
  const grown = { first: latest.first, hashes: [...latest.hashes, ...hashes] };
  const moved = { size, root: await tree.root(size, grown) };
  await reached("log_read_back");
  await putFullTiles(log, tree, n0, size, grown, signal);
  await reached("log_tiled");
  if (!(await log.moveHead(head, moved, signal))) return undefined;
  await reached("log_moved");
  return { head: moved, latest: grown };
}
