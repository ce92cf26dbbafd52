/** A checked range as it passes from thread to thread: a record as an object with bytes costs as much to copy as a tenth of its check. */
import type { WalkedRecord } from "../core/log-walk.ts";
import type { CheckedRange } from "./check-range.ts";
import type { CheckedRecord } from "./check-record.ts";

type PackedEntry =
  | readonly [WalkedRecord["rid"], WalkedRecord["alias"], WalkedRecord["kind"], WalkedRecord["version"]]
  | readonly [];
/** Rid, offset, the leaf as a string of bytes, and what there is of the entry. */
type PackedRecord = readonly [
  CheckedRecord["rid"],
  CheckedRecord["offset"],
  string | undefined,
  ...PackedEntry,
];

export type PackedRange = Omit<CheckedRange, "records"> & { readonly records: readonly PackedRecord[] };

const bytes = "latin1";

export const packRange = (checked: CheckedRange): PackedRange => ({
  ...checked,
  records: checked.records.map(packed),
});
export const unpackRange = (range: PackedRange): CheckedRange => ({
  ...range,
  records: range.records.map(unpacked),
});

function packed({ rid, offset, leaf, entry }: CheckedRecord): PackedRecord {
  const text = leaf && Buffer.from(leaf.buffer, leaf.byteOffset, leaf.byteLength).toString(bytes);
  if (entry === undefined) return [rid, offset, text];
  return [rid, offset, text, entry.rid, entry.alias, entry.kind, entry.version];
}

function unpacked(record: PackedRecord): CheckedRecord {
  const [rid, offset, text] = record;
  const leaf = text === undefined ? undefined : Buffer.from(text, bytes);
  if (record.length === 3) return { rid, offset, leaf, entry: undefined };
  const [, , , entryRid, alias, kind, version] = record;
  return { rid, offset, leaf, entry: { t: "record", rid: entryRid, alias, kind, version } };
}
