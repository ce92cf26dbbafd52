/** Reads for a check: rows as they lie there, with what cannot be read told apart from what is missing. */
import type { DatabaseSync } from "node:sqlite";
import { parseRid, ridOf, type Src, srcOf } from "../../core/ids.ts";
import type { OutcomeRow } from "../../core/outcome.ts";
import type { RecordRow } from "../../core/record.ts";
import {
  type AuditedOutcome,
  type AuditedRecord,
  type AuditReader,
  auditBytesMax,
} from "../../ports/audit-reader.ts";
import { integer, positionOf, type Row, ridAt, text } from "./columns.ts";
import { storeCall } from "./faults.ts";
import { auditedEntry, auditedPosition, prepareRecords, recordOf } from "./record-row.ts";

const positionBytes = 28;
const sourceBytes = 20;

export function openAudit(db: DatabaseSync): AuditReader {
  const accounts = db.prepare(
    "SELECT begin_offset, end_offset FROM accounts WHERE src = ? AND begin_offset >= ? ORDER BY begin_offset LIMIT ?",
  );
  const outcomes = db.prepare(
    "SELECT begin_offset, end_offset, kind, detail FROM outcomes WHERE src = ? AND begin_offset >= ? AND begin_offset < ? ORDER BY begin_offset LIMIT ?",
  );
  const records = prepareRecords(
    db,
    `WHERE position >= ? AND position < ? AND length(position) = ${positionBytes} ORDER BY position LIMIT ?`,
  );
  const nextSources = ["accounts", "outcomes"].map((table) =>
    db.prepare(`SELECT min(src) AS src FROM ${table} WHERE src > ?`),
  );
  const nextPosition = db.prepare("SELECT min(position) AS position FROM records WHERE position >= ?");

  const page = (src: Src, from: number, to: number, limit: number): readonly AuditedRecord[] => {
    const [begin, end] = [positionOf(ridOf(src, from)), positionOf(ridOf(src, to))];
    if (begin === undefined || end === undefined) return [];
    const found: AuditedRecord[] = [];
    let bytes = 0;
    for (const row of records.iterate(begin, end, limit)) {
      const record = recordIn(row);
      if (record === undefined) continue;
      found.push(record);
      bytes += (record.row?.body.length ?? 0) + (record.entry?.length ?? 0);
      if (bytes > auditBytesMax) break;
    }
    return found;
  };

  return {
    sources: (signal) =>
      storeCall(signal, () => {
        const found = new Set<string>();
        for (const next of nextSources) {
          for (let src = next.get("")?.["src"]; typeof src === "string"; src = next.get(src)?.["src"])
            found.add(src);
        }
        for (let at = nextPosition.get(Buffer.alloc(0))?.["position"]; at instanceof Uint8Array; ) {
          const source = at.subarray(0, sourceBytes);
          if (at.length === positionBytes) {
            const position = parseRid(ridAt(at));
            if (position !== undefined) found.add(srcOf(position.topicId, position.partition));
          }
          at = nextPosition.get(
            Buffer.concat([source, Buffer.alloc(positionBytes - sourceBytes + 1, 0xff)]),
          )?.["position"];
        }
        return [...found].filter(isSrc).toSorted() as Src[];
      }),
    accounts: (src, from, limit, signal) =>
      storeCall(signal, () =>
        accounts
          .all(src, from, limit)
          .map((row) => ({ from: integer(row, "begin_offset"), to: integer(row, "end_offset") })),
      ),
    outcomes: (src, from, to, limit, signal) =>
      storeCall(signal, () => outcomes.all(src, from, to, limit).map(outcomeIn)),
    records: (src, from, to, limit, signal) => storeCall(signal, () => page(src, from, to, limit)),
  };
}

const isSrc = (text: string): boolean => parseRid(ridOf(text as Src, 0)) !== undefined;

function recordIn(row: Row): AuditedRecord | undefined {
  const rid = ridAt(auditedPosition(row, positionBytes));
  const source = parseRid(rid);
  if (source === undefined) return undefined;
  return {
    rid,
    offset: source.offset,
    entry: auditedEntry(row),
    row: readable(row),
  };
}

function readable(row: Row): RecordRow | undefined {
  try {
    return recordOf(row);
  } catch {
    return undefined;
  }
}

function outcomeIn(row: Row): AuditedOutcome {
  const parse = (): OutcomeRow | undefined => {
    try {
      return JSON.parse(text(row, "detail"));
    } catch {
      return undefined;
    }
  };
  return {
    from: integer(row, "begin_offset"),
    to: integer(row, "end_offset"),
    kind: text(row, "kind"),
    row: parse(),
  };
}
