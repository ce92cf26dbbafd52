/** What lies at an index of the published log, to the byte. */
import { type LogEntry, parseLogEntry } from "../core/log-entries.ts";
import type { Caller, QueryDeps } from "./deps.ts";
import { type Entry, type LeafName, leafIndex, notYet, readEntries, requireLeafInSight } from "./log-leaf.ts";
import { permit } from "./permit.ts";
import { requireTree } from "./prove.ts";
import { logDamaged } from "./published-log.ts";

export type EntryAnswer = Entry & {
  readonly kind: LogEntry["t"];
  /** Of the published tree that holds it. */
  readonly treeSize: number;
};

export async function getEntry(
  deps: QueryDeps,
  leaf: LeafName,
  caller: Caller,
  signal: AbortSignal,
): Promise<EntryAnswer> {
  const access = permit(deps, caller, "GetEntry");
  const index = await leafIndex(deps, leaf, access, signal);
  const { size: treeSize } = await requireTree(deps.log, "latest", signal, index + 1);
  if (index >= treeSize) throw notYet(leaf);
  await requireLeafInSight(deps, leaf, index, access, signal);
  const [entry] = await readEntries(deps.log, index, index + 1, signal);
  const parsed = entry && parseLogEntry(entry.entry);
  if (entry === undefined || parsed === undefined)
    throw logDamaged(`the entry of leaf ${index} is none that Lastro writes`);
  return { ...entry, kind: parsed.t, treeSize };
}
