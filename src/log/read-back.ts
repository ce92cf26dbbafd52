/** What was appended, read again as it is stored now: nothing is signed that was not recomputed from stored entry bytes. */
import { setImmediate } from "node:timers/promises";
import { leafHash } from "../core/leaf.ts";
import { parseLogEntry } from "../core/log-entries.ts";
import type { Sha256 } from "../core/merkle.ts";
import { controlKey, coverageKey, type LogLeaf, type LogStore } from "../ports/log-store.ts";
import { LogHalted } from "./halt.ts";
import { isRecordRow } from "./tail.ts";

/** Leaves of one read: the event loop turns between them. */
const leavesPerRead = 500;

/** Leaf hashes of indexes [from, to), each computed from the entry that is stored for it. */
export async function readBack(
  log: LogStore,
  sha256: Sha256,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<readonly Uint8Array[]> {
  const hashes: Uint8Array[] = [];
  for (let at = from; at < to; at += leavesPerRead) {
    const end = Math.min(at + leavesPerRead, to);
    const leaves = await log.leaves(at, end, signal);
    for (let index = at; index < end; index++) hashes.push(checkedHash(leaves[index - at], index, sha256));
    await setImmediate();
  }
  return hashes;
}

function checkedHash(leaf: LogLeaf | undefined, index: number, sha256: Sha256): Uint8Array {
  if (leaf?.index !== index) throw new LogHalted("INDEX_ABSENT", `index ${index}`);
  const { stored } = leaf;
  if (stored === undefined)
    throw new LogHalted(
      isRecordRow(leaf) ? "RECORD_ABSENT" : "LEAF_MISMATCH",
      `index ${index} (${leaf.key})`,
    );
  const hash = leafHash(sha256, stored);
  if (Buffer.compare(hash, leaf.leafHash) !== 0)
    throw new LogHalted("LEAF_MISMATCH", `index ${index} (${leaf.key})`);
  if (!belongsTo(leaf, stored)) throw new LogHalted("COLUMNS_DIFFER", `index ${index} (${leaf.key})`);
  return hash;
}

/** Whether the entry is the one that its key names. */
function belongsTo(leaf: LogLeaf, stored: string): boolean {
  if (isRecordRow(leaf)) return namesRid(stored, leaf.key);
  const entry = parseLogEntry(stored);
  if (entry?.t === "coverage") return leaf.key === coverageKey(entry.src, entry.from);
  return entry?.t === "control" && leaf.key === controlKey(entry.id);
}

/** A quote within a string is escaped, so this text is that member and nothing else; parsing the whole entry would cost ten times as much. */
export const namesRid = (entry: string, rid: string): boolean => entry.includes(`"rid":"${rid}"`);
