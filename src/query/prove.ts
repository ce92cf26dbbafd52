/** Proofs are tried before they are given: one that does not verify against a signed root never leaves. */
import { LastroError } from "../core/errors.ts";
import { consistencyPath, type HashReader, treeRoot, verifyConsistency } from "../core/merkle.ts";
import { sha256 } from "../lib/sha256.ts";
import type { CheckpointName } from "../ports/log-store.ts";
import { invalid } from "./deps.ts";
import { logDamaged, type PublishedLog, type SignedTree } from "./published-log.ts";

/** A tree that is published, or one that was shown to be a prefix of the latest. */
export type ProvenTree = { readonly size: number; readonly root: Uint8Array };

export async function requireTree(
  log: PublishedLog,
  name: CheckpointName,
  signal: AbortSignal,
  atLeast?: number,
): Promise<SignedTree> {
  const tree = await log.checkpoint(name, signal, atLeast);
  if (tree !== undefined) return tree;
  const why =
    name === "latest"
      ? "no checkpoint is published yet; an instance that holds the signing key publishes one within seconds"
      : "no checkpoint was cosigned by enough witnesses yet; ask for the latest one";
  throw new LastroError("FAILED_PRECONDITION", why);
}

/** The latest tree; FAILED_PRECONDITION if it is not that large. */
export async function requireTreeOf(
  log: PublishedLog,
  size: number,
  field: string,
  signal: AbortSignal,
): Promise<SignedTree> {
  const latest = await requireTree(log, "latest", signal, size);
  if (size > latest.size) {
    throw new LastroError(
      "FAILED_PRECONDITION",
      `${field} is above the ${latest.size} leaves that are published; ask for less, or later`,
      { field },
    );
  }
  return latest;
}

export function requireSize(size: number, min: number, field: string): number {
  if (!Number.isSafeInteger(size) || size < min) throw invalid(field, `must be a tree size from ${min} on`);
  return size;
}

/** What `make` proves; undefined from it means that it does not verify. Remembered hashes are then given up and it is tried once more. */
export async function proven<Proof>(
  log: PublishedLog,
  signal: AbortSignal,
  make: (read: HashReader) => Promise<Proof | undefined>,
): Promise<Proof> {
  const first = await attempt(log, signal, make);
  if ("proof" in first) return first.proof;
  log.forgetHashes();
  const second = await attempt(log, signal, make);
  if ("proof" in second) return second.proof;
  throw logDamaged("the stored log does not lead to the root that its checkpoint signs", second.cause);
}

async function attempt<Proof>(
  log: PublishedLog,
  signal: AbortSignal,
  make: (read: HashReader) => Promise<Proof | undefined>,
): Promise<{ readonly proof: Proof } | { readonly cause: unknown }> {
  try {
    const proof = await make(log.hashes(signal));
    return proof === undefined ? { cause: undefined } : { proof };
  } catch (error) {
    if (error instanceof LastroError && error.code === "LOG_HALTED") return { cause: error };
    throw error;
  }
}

/** The tree of the first `size` leaves of `latest`, with the path between the two. */
export async function prefixOf(
  latest: ProvenTree,
  size: number,
  read: HashReader,
): Promise<(ProvenTree & { readonly path: readonly Uint8Array[] }) | undefined> {
  const root = size === latest.size ? latest.root : await treeRoot(sha256, size, read);
  const path = await consistencyPath(sha256, size, latest.size, read);
  const claim = { oldSize: size, oldRoot: root, size: latest.size, root: latest.root, path };
  return verifyConsistency(sha256, claim) ? { size, root, path } : undefined;
}
