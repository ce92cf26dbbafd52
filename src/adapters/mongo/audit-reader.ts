/** Reads for a check: documents as they lie there, with what cannot be read told apart from what is missing. */
import { Binary } from "mongodb";
import { parseRid, type Rid, ridOf, type Src, srcOf } from "../../core/ids.ts";
import {
  type AuditedAccount,
  type AuditedOutcome,
  type AuditedRecord,
  type AuditReader,
  auditBytesMax,
} from "../../ports/audit-reader.ts";
import { ridKey, ridOfKey } from "./bson-values.ts";
import type { Collections, OutcomeDocument, ReadOptions } from "./collections.ts";
import { type RecordDocument, recordRow } from "./documents.ts";
import { guarded } from "./errors.ts";

const keyBytes = 28;
const sourceBytes = 20;

export function mongoAuditReader(collections: Collections, readMaxMs: number): AuditReader {
  const read = <T>(
    doing: string,
    signal: AbortSignal,
    work: (options: ReadOptions) => Promise<T>,
  ): Promise<T> => guarded(doing, signal, "STORE_UNAVAILABLE", () => work({ maxTimeMS: readMaxMs, signal }));
  return {
    sources: (signal) => read("list the sources", signal, (options) => readSources(collections, options)),
    accounts: (src, from, limit, signal) =>
      read("read accounts", signal, async (options): Promise<readonly AuditedAccount[]> => {
        const filter = { src, from: { $gte: from } };
        const projection = { pending: 0 } as const;
        const found = collections.accounts.find(filter, { ...options, sort: { from: 1 }, limit, projection });
        return (await found.toArray()).map((account) => ({ from: account.from, to: account.to }));
      }),
    outcomes: (src, from, to, limit, signal) =>
      read("read outcomes", signal, (options) => readOutcomes(collections, src, from, to, limit, options)),
    records: (src, from, to, limit, signal) =>
      read("read records", signal, (options) => readRecords(collections, src, from, to, limit, options)),
  };
}

async function readSources(
  { accounts, outcomes, records }: Collections,
  options: ReadOptions,
): Promise<readonly Src[]> {
  const found = new Set<Src>();
  const after = (src: string) => ({ src: { $gt: src as Src } });
  const bySource = { ...options, sort: { src: 1 }, projection: { src: 1 } } as const;
  const nextOf = [
    (src: string) => accounts.findOne(after(src), bySource),
    (src: string) => outcomes.findOne(after(src), bySource),
  ];
  for (const next of nextOf)
    for (let at = await next(""); at !== null; at = await next(at.src)) found.add(at.src);
  const nextKey = (bytes: Buffer) =>
    records.findOne(
      { _id: { $gte: new Binary(bytes) } },
      { ...options, sort: { _id: 1 }, projection: { _id: 1 } },
    );
  for (let at = await nextKey(Buffer.alloc(keyBytes)); at !== null; ) {
    const bytes = Buffer.from(at._id.value());
    const position = bytes.length === keyBytes ? parseRid(ridOfKey(at._id)) : undefined;
    if (position !== undefined) found.add(srcOf(position.topicId, position.partition));
    if (bytes.length !== keyBytes) break;
    // Keys order by length first, so what lies behind the source begins with its last possible key.
    at = await nextKey(bytes.fill(0xff, sourceBytes));
    if (at !== null && Buffer.from(at._id.value()).equals(bytes)) break;
  }
  return [...found].filter((src) => parseRid(ridOf(src, 0)) !== undefined).toSorted();
}

/** Rows of the last account's last step lie in the account until the next step copies them. */
async function readOutcomes(
  { accounts, outcomes }: Collections,
  src: Src,
  from: number,
  to: number,
  limit: number,
  options: ReadOptions,
): Promise<readonly AuditedOutcome[]> {
  const last = await accounts.findOne({ src }, { ...options, sort: { n: -1 } });
  const range = { $gte: from, $lt: to };
  const copied = await outcomes
    .find({ src, from: range }, { ...options, sort: { from: 1 }, limit })
    .toArray();
  const found = copied.map(outcomeIn);
  const known = new Set(found.map((outcome) => outcome.from));
  const pending = (last?.pending ?? []).filter(
    (row) => row.from >= from && row.from < to && !known.has(row.from),
  );
  return [...found, ...pending.map((row) => ({ from: row.from, to: row.to, kind: row.kind, row }))]
    .toSorted((a, b) => a.from - b.from)
    .slice(0, limit);
}

function outcomeIn({ _id, src, width, ...row }: OutcomeDocument): AuditedOutcome {
  const fits = _id === `${src}#${row.from}` && width === row.to - row.from;
  return { from: row.from, to: row.to, kind: row.kind, row: fits ? row : undefined };
}

async function readRecords(
  { records }: Collections,
  src: Src,
  from: number,
  to: number,
  limit: number,
  options: ReadOptions,
): Promise<readonly AuditedRecord[]> {
  const range = { $gte: ridKey(ridOf(src, from)), $lt: ridKey(ridOf(src, to)) };
  const found: AuditedRecord[] = [];
  let bytes = 0;
  for await (const document of records.find({ _id: range }, { ...options, sort: { _id: 1 }, limit })) {
    const record = recordIn(document);
    found.push(record);
    bytes += (record.row?.body.length ?? 0) + (record.entry?.length ?? 0);
    if (bytes > auditBytesMax) break;
  }
  return found;
}

function recordIn(document: RecordDocument): AuditedRecord {
  const rid: Rid = ridOfKey(document._id);
  const entry: unknown = document.entry;
  const readable = (): AuditedRecord["row"] => {
    try {
      return recordRow(document);
    } catch {
      return undefined;
    }
  };
  return {
    rid,
    offset: parseRid(rid)?.offset ?? -1,
    entry: typeof entry === "string" ? entry : undefined,
    row: readable(),
  };
}
