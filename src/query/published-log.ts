/** The transparency log as readers may see it: what a published checkpoint covers, and no more. Trusts no stored byte: what is proven is held against a signed root. */
import { parseCheckpoint } from "../core/checkpoint.ts";
import { LastroError } from "../core/errors.ts";
import type { Rid } from "../core/ids.ts";
import { equalHashes, type HashReader } from "../core/merkle.ts";
import { parseNote } from "../core/signed-note.ts";
import { sha256 } from "../lib/sha256.ts";
import { treeReader } from "../log/tree-reader.ts";
import type { Clock } from "../ports/clock.ts";
import type { CheckpointName, LogStore, PublishedCheckpoint } from "../ports/log-store.ts";
import { type LogStateAwaited, logWaiters } from "./log-waiters.ts";
import { subtreeMemory } from "./subtree-memory.ts";

/** An answer may be that much older than what is published: shorter than the time between two checkpoints. */
const checkpointAgeMaxMs = 100;

export type LogReads = Pick<
  LogStore,
  "rows" | "leaves" | "indexes" | "coverage" | "coverages" | "tile" | "checkpoint"
>;
export type SignedTree = PublishedCheckpoint & { readonly origin: string };

export type PublishedLog = {
  readonly store: LogReads;
  /**
   * A checkpoint as it was published at most `checkpointAgeMaxMs` ago; one below `atLeast` leaves is read again, and so is a latest one below
   * the witnessed one that was given. Undefined: there is none.
   * Throws LOG_DAMAGED when it does not say what is stored beside it.
   */
  checkpoint(name: CheckpointName, signal: AbortSignal, atLeast?: number): Promise<SignedTree | undefined>;
  /** Hashes of complete subtrees, remembered from earlier answers until `forgetHashes`. */
  hashes(signal: AbortSignal): HashReader;
  forgetHashes(): void;
  /** Resolves when the record is so far; DEADLINE_EXCEEDED at the signal, FAILED_PRECONDITION when too many wait. */
  untilState(rid: Rid, state: LogStateAwaited, signal: AbortSignal): Promise<void>;
};

export const logDamaged = (what: string, cause?: unknown): LastroError =>
  new LastroError("LOG_DAMAGED", `${what}; compare the store with its log and restore it from a backup`, {
    cause,
  });

export function publishedLog({ log, now }: { readonly log: LogReads; readonly now: Clock }): PublishedLog {
  const given = new Map<
    CheckpointName,
    { readonly tree: SignedTree | undefined; readonly readAtMs: number }
  >();
  const subtrees = subtreeMemory(sha256);
  const checkpoint: PublishedLog["checkpoint"] = async (name, signal, atLeast = 0) => {
    const known = given.get(name);
    const readAtMs = now();
    // A clock that went back makes the age unknown: then it counts as too old.
    const isFresh =
      known !== undefined && readAtMs >= known.readAtMs && readAtMs - known.readAtMs <= checkpointAgeMaxMs;
    const witnessed = name === "latest" ? (given.get("witnessed")?.tree?.size ?? 0) : 0;
    if (isFresh && (known.tree?.size ?? 0) >= Math.max(atLeast, witnessed)) return known.tree;
    const tree = signedTree(name, await log.checkpoint(name, signal), known?.tree);
    // Of reads that overlap, the one that began last is remembered.
    if ((given.get(name)?.readAtMs ?? readAtMs) <= readAtMs) given.set(name, { tree, readAtMs });
    return tree;
  };
  return {
    store: log,
    checkpoint,
    hashes: (signal) => subtrees.around(treeReader(log, sha256, signal)),
    forgetHashes: subtrees.forget,
    untilState: logWaiters({ indexes: (keys, signal) => log.indexes(keys, signal), checkpoint }),
  };
}

/** `known` spares reading the same note again. */
function signedTree(
  name: CheckpointName,
  stored: PublishedCheckpoint | undefined,
  known: SignedTree | undefined,
): SignedTree | undefined {
  if (stored === undefined) return undefined;
  const isKnown =
    stored.note === known?.note && stored.size === known.size && equalHashes(stored.root, known.root);
  if (isKnown) return known;
  const note = parseNote(stored.note);
  const told = note && parseCheckpoint(note.text);
  if (told === undefined || told.size !== stored.size || !equalHashes(told.root, stored.root))
    throw logDamaged(`the ${name} checkpoint does not say what is stored beside it`);
  return { ...stored, origin: told.origin };
}
