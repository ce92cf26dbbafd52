/** Lays a run of rows of `log_index` beside the records of its offsets: which record lies at which index, and what one side has and the other has not. */
import type { Finding, Report } from "../core/findings.ts";
import { parseRid, type Rid } from "../core/ids.ts";
import type { WalkedRecord } from "../core/log-walk.ts";
import type { LogRow } from "../ports/log-store.ts";
import type { CheckedRecord } from "./check-record.ts";

/** An index of the run, with what either side has there. */
export type Slot = {
  readonly index: number;
  readonly row: LogRow | undefined;
  readonly record: CheckedRecord | undefined;
};

/** What goes into the trees and the walk for an index. */
export type CheckedLeaf = {
  readonly index: number;
  readonly computed: Uint8Array | undefined;
  readonly indexed: Uint8Array | undefined;
  readonly entry: WalkedRecord | undefined;
  readonly object: Finding["object"];
};

const identity = ({ rid, entry }: CheckedRecord): Rid => entry?.rid ?? rid;

/**
 * By rid where rows and records name each other, else by their order: a record whose key was changed is known by its entry, a row whose
 * key was changed by its place. Records that are left over have no index.
 */
export function alignRun(
  from: number,
  rows: readonly (LogRow | undefined)[],
  records: readonly CheckedRecord[],
): { readonly slots: readonly Slot[]; readonly left: readonly CheckedRecord[] } {
  if (areInStep(rows, records))
    return { slots: rows.map((row, at) => ({ index: from + at, row, record: records[at] })), left: [] };
  const slots = rows.map((row, at) => ({
    index: from + at,
    row,
    record: undefined as CheckedRecord | undefined,
  }));
  const left = new Set(records);
  const match = (name: (record: CheckedRecord) => Rid): void => {
    const byName = new Map([...left].map((record) => [name(record) as string, record]));
    for (const slot of slots) {
      const record =
        slot.record === undefined && slot.row !== undefined ? byName.get(slot.row.key) : undefined;
      if (record === undefined || !left.delete(record)) continue;
      slot.record = record;
    }
  };
  match(({ rid }) => rid);
  if (left.size > 0) match(identity);
  const open = slots.filter(({ record }) => record === undefined);
  if (left.size === open.length) {
    const rest = [...left];
    for (const [at, slot] of open.entries()) slot.record = rest[at];
    left.clear();
  }
  const inOrder = slots.every(({ record }, at) => at === 0 || isAfter(record, slots[at - 1]?.record));
  if (!inOrder && left.size === 0 && records.length === slots.length)
    for (const [at, slot] of slots.entries()) slot.record = records[at];
  return { slots, left: [...left] };
}

/** Each row names the record at its place: as it is where nothing was changed. */
export const areInStep = (
  rows: readonly (LogRow | undefined)[],
  records: readonly CheckedRecord[],
): boolean => rows.length === records.length && rows.every((row, at) => row?.key === records[at]?.rid);

const offsetOf = (record: CheckedRecord): number => parseRid(identity(record))?.offset ?? record.offset;
const isAfter = (record: CheckedRecord | undefined, before: CheckedRecord | undefined): boolean =>
  record === undefined || before === undefined || offsetOf(record) > offsetOf(before);

export function checkSlot({ index, row, record }: Slot, report: Report): CheckedLeaf {
  const leaves: Finding["object"] = { kind: "leaves", from: index, to: index + 1 };
  if (row === undefined)
    report({ code: "LEAF_MISSING", object: leaves, detail: "log_index has no row there" });
  else if (record !== undefined && row.key !== identity(record))
    report({ code: "LEAF_CHANGED", object: leaves, detail: "its row names another record than lies there" });
  if (row?.entry !== undefined)
    report({
      code: "LEAF_CHANGED",
      object: leaves,
      detail: "its row holds an entry, and a record's lies with the record",
    });
  const rid =
    record?.rid ?? (row !== undefined && parseRid(row.key) !== undefined ? (row.key as Rid) : undefined);
  const object: Finding["object"] = rid === undefined ? leaves : { kind: "record", rid };
  if (record === undefined && row !== undefined)
    report({
      code: "RECORD_MISSING",
      object,
      detail: `index ${index} names it, and the store does not hold it`,
    });
  return { index, computed: record?.leaf, indexed: row?.leafHash, entry: record?.entry, object };
}
