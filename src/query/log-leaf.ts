/** Leaves of the published log, by index, record id or id of a control entry, and their entries: given only if they are there and hash to their leaf. */
import { LastroError } from "../core/errors.ts";
import { parseRid, type Rid } from "../core/ids.ts";
import { leafHash } from "../core/leaf.ts";
import { isControlId } from "../core/log-entries.ts";
import { equalHashes } from "../core/merkle.ts";
import { sha256 } from "../lib/sha256.ts";
import { controlKey, type LogRow } from "../ports/log-store.ts";
import { invalid, type QueryDeps } from "./deps.ts";
import { type Access, isInSight } from "./permit.ts";
import { logDamaged, type PublishedLog } from "./published-log.ts";

export type LeafName = { readonly rid: string } | { readonly index: number } | { readonly control: string };

export function requireRid(text: string): Rid {
  if (parseRid(text) === undefined)
    throw invalid("rid", "is no record id: topic id, partition and offset joined by dots");
  return text as Rid;
}

export const noRecord = (): LastroError =>
  new LastroError("NOT_FOUND", "there is no record with this rid", { field: "rid" });

/** Where the leaf lies. NOT_FOUND when there is no such record or control entry, FAILED_PRECONDITION while it waits for its index. */
export async function leafIndex(
  deps: Pick<QueryDeps, "log" | "history">,
  leaf: LeafName,
  access: Access,
  signal: AbortSignal,
): Promise<number> {
  if ("index" in leaf) {
    if (!Number.isSafeInteger(leaf.index) || leaf.index < 0)
      throw invalid("index", "must be a log index from 0 on");
    return leaf.index;
  }
  if ("control" in leaf) {
    const index = await controlIndex(deps.log, leaf.control, signal);
    if (index === undefined) throw notYet(leaf);
    return index;
  }
  const rid = requireRid(leaf.rid);
  if (access.seen !== undefined && !(await isRecordInSight(deps, rid, access, signal))) throw noRecord();
  const index = (await deps.log.store.indexes([rid], signal)).get(rid);
  if (index !== undefined) return index;
  if ((await deps.history.byRid(rid, signal)) === undefined) throw noRecord();
  throw notYet(leaf);
}

/** Undefined: the log has no such control entry. */
export async function controlIndex(
  { store }: Pick<PublishedLog, "store">,
  id: string,
  signal: AbortSignal,
): Promise<number | undefined> {
  if (!isControlId(id)) throw invalid("control", "is no id of a control entry: visible ASCII");
  const key = controlKey(id);
  return (await store.indexes([key], signal)).get(key);
}

/** By the columns beside the record: what is shown of a leaf names no person. */
async function isRecordInSight(
  { history }: Pick<QueryDeps, "history">,
  rid: Rid,
  access: Access,
  signal: AbortSignal,
): Promise<boolean> {
  const row = await history.byRid(rid, signal);
  return row !== undefined && isInSight(access, row);
}

/** A leaf that was named by its index: one of a record out of sight is as one that is not there. Other leaves tell of no record. */
export async function requireLeafInSight(
  deps: Pick<QueryDeps, "log" | "history">,
  leaf: LeafName,
  index: number,
  access: Access,
  signal: AbortSignal,
): Promise<void> {
  if ("rid" in leaf || access.seen === undefined) return;
  const rid = (await leafRow(deps.log, index, signal)).key;
  if (parseRid(rid) !== undefined && !(await isRecordInSight(deps, rid as Rid, access, signal)))
    throw notYet(leaf);
}

/** For a leaf that no published checkpoint covers. */
export const notYet = (leaf: LeafName): LastroError =>
  "rid" in leaf
    ? new LastroError(
        "FAILED_PRECONDITION",
        "the record is stored and not in the published log yet; wait for it with GetRecord and wait_for",
        { field: "rid" },
      )
    : "index" in leaf
      ? new LastroError("NOT_FOUND", "the published log has no leaf at this index", { field: "index" })
      : new LastroError("NOT_FOUND", "the published log has no control entry of this id", {
          field: "control",
        });

export async function leafRow(log: PublishedLog, index: number, signal: AbortSignal): Promise<LogRow> {
  const [row] = await log.store.rows(index, index + 1, signal);
  if (row?.index !== index) throw logDamaged(`leaf ${index} is gone from the log`);
  return row;
}

export type Entry = { readonly index: number; readonly leafHash: Uint8Array; readonly entry: string };

/** Entries of leaves [from, to), whole. */
export async function readEntries(
  log: PublishedLog,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<readonly Entry[]> {
  const leaves = await log.store.leaves(from, to, signal);
  const entries = leaves.map(({ index, leafHash, stored }) => checkedEntry(index, leafHash, stored));
  for (let index = from; index < to; index++)
    if (entries[index - from]?.index !== index) throw logDamaged(`leaf ${index} is gone from the log`);
  return entries;
}

export function checkedEntry(index: number, hash: Uint8Array, stored: string | undefined): Entry {
  if (stored === undefined) throw logDamaged(`the entry of leaf ${index} is gone`);
  if (!equalHashes(leafHash(sha256, stored), hash))
    throw logDamaged(`the entry of leaf ${index} is not what its leaf commits to`);
  return { index, leafHash: hash, entry: stored };
}
