/** Holds one stored record against its leaf entry, without opening its body: columns that repeat the entry, and the hash of each sealed part. */
import type { Finding, Report } from "../core/findings.ts";
import type { Kid, Rid } from "../core/ids.ts";
import { leafHash, parseRecordEntry, type RecordEntry } from "../core/leaf.ts";
import type { WalkedRecord } from "../core/log-walk.ts";
import { equalHashes, type Sha256 } from "../core/merkle.ts";
import type { RecordRow } from "../core/record.ts";
import { compareBody } from "../core/sealed-parts.ts";
import type { AuditedRecord } from "../ports/audit-reader.ts";

/** What the log needs of a record once its row was looked at. */
export type CheckedRecord = {
  readonly rid: Rid;
  readonly offset: number;
  /** Computed from the stored entry. */
  readonly leaf: Uint8Array | undefined;
  readonly entry: WalkedRecord | undefined;
};

/** Something of a record is gone; whether an erasure accounts for it is known at the end of the log. */
export type Gone = { readonly rid: Rid; readonly kids: readonly Kid[]; readonly what: "body" | "columns" };

export function checkRecord(
  { rid, offset, entry: text, row }: AuditedRecord,
  sha256: Sha256,
  report: Report,
  gone: (gone: Gone) => void,
): CheckedRecord {
  const object: Finding["object"] = { kind: "record", rid };
  const leaf = text === undefined ? undefined : leafHash(sha256, text);
  const entry = text === undefined ? undefined : parseRecordEntry(text);
  if (entry === undefined)
    report({ code: "ENTRY_INVALID", object, detail: "Lastro writes no such entry for a record" });
  if (row === undefined)
    report({ code: "COLUMN_CHANGED", object, detail: "a column holds what was never written" });
  if (entry !== undefined && row !== undefined && leaf !== undefined) {
    const columns = changedColumns(row, entry, leaf);
    const purged = columns.length > 0 && columns.every((name) => purgeable.has(name)) && isPurged(row);
    if (purged) gone({ rid, kids: row.kids, what: "columns" });
    else if (columns.length > 0) {
      const detail = `columns differ from its entry: ${columns.join(", ")}`;
      report({ code: "COLUMN_CHANGED", object, detail });
    }
    const body = compareBody(sha256, row.body, entry.parts);
    if (body === "changed")
      report({ code: "BODY_CHANGED", object, detail: "its sealed body is not what its entry commits to" });
    else if (body !== "agrees") gone({ rid, kids: body.gone, what: "body" });
  }
  return { rid, offset, leaf, entry: entry && walkedRecord(entry) };
}

const walkedRecord = ({ rid, alias, kind, version }: RecordEntry): WalkedRecord => ({
  t: "record",
  rid,
  alias,
  kind,
  version,
});

const purgeable: ReadonlySet<string> = new Set(["tenant", "event_type", "producer_service"]);
const isPurged = ({ projection }: RecordRow): boolean =>
  projection.tenant === "" && projection.eventType === "" && projection.producerService === "";

function changedColumns(row: RecordRow, entry: RecordEntry, leaf: Uint8Array): readonly string[] {
  const { projection } = row;
  const names: string[] = [];
  const hold = (name: string, agrees: boolean): void => {
    if (!agrees) names.push(name);
  };
  hold("rid", row.rid === entry.rid);
  hold("kind", row.kind === entry.kind);
  hold("version", row.version === entry.version);
  hold("alias", row.alias === entry.alias);
  hold("action", row.action === entry.action);
  hold("recorded_at", row.recordedAtMs === entry.recordedAtMs);
  hold(
    "kids",
    row.kids.length === entry.parts.length && entry.parts.every(({ k }, at) => row.kids[at] === k),
  );
  hold("leaf_hash", equalHashes(row.leafHash, leaf));
  hold("tenant", projection.tenant === entry.tenant);
  hold("event_type", projection.eventType === entry.eventType);
  hold("producer_service", projection.producerService === entry.producerService);
  return names;
}
