/** ⑤ append: one ordered insert of the batch. The unique indexes decide; an error at item i means that the items before it are durable. */
import { BSON, type Collection, MongoBulkWriteError } from "mongodb";
import type { RecordRow } from "../../core/record.ts";
import type { AppendVerdict } from "../../ports/record-store.ts";
import { type RecordDocument, recordDocument } from "./documents.ts";
import { duplicateKeyCode } from "./errors.ts";

const documentBytesMax = 16 * 1024 * 1024;

/** What a server says against one document for what it holds. Closed: any other code is infrastructure. */
const refusals: ReadonlyMap<unknown, string> = new Map([
  [2, "bad value"],
  [14, "wrong type"],
  [15, "nested too deep"],
  [22, "invalid BSON"],
  [52, "field name begins with $"],
  [57, "field name holds a dot"],
  [121, "validation by a rule of the collection failed"],
  [10_334, "document too large"],
]);

type InsertVerdict = Extract<AppendVerdict, { at: number }> | undefined;

/** Undefined: all are in. `chunkMax` bounds one insert command; the first error ends the whole, and so does the signal between two commands. */
export async function insertRecords(
  records: Collection<RecordDocument>,
  rows: readonly RecordRow[],
  chunkMax: number,
  signal: AbortSignal,
): Promise<InsertVerdict> {
  for (let from = 0; from < rows.length; from += chunkMax) {
    signal.throwIfAborted();
    const verdict = await insertChunk(records, rows.slice(from, from + chunkMax).map(recordDocument));
    if (verdict !== undefined) return { ...verdict, at: verdict.at + from };
  }
  return undefined;
}

async function insertChunk(
  records: Collection<RecordDocument>,
  documents: readonly RecordDocument[],
): Promise<InsertVerdict> {
  try {
    await records.insertMany(documents, { ordered: true });
    return undefined;
  } catch (error) {
    if (error instanceof MongoBulkWriteError) return verdictOf(error);
    const tooLarge = documents.findIndex(
      (document) => BSON.calculateObjectSize(document) >= documentBytesMax,
    );
    if (tooLarge < 0) throw error;
    const before = tooLarge === 0 ? undefined : await insertChunk(records, documents.slice(0, tooLarge));
    return before ?? { kind: "refused", at: tooLarge, why: `document of ${documentBytesMax} bytes or more` };
  }
}

/** Only a lone write error tells where the insert ended; with a write concern error beside it nothing is known to be durable. */
export function verdictOf(error: MongoBulkWriteError): NonNullable<InsertVerdict> {
  const [first] = [error.writeErrors].flat();
  if (first === undefined || error.result.getWriteConcernError() !== undefined) throw error;
  if (first.code === duplicateKeyCode) return { kind: "clash", at: first.index };
  const why = refusals.get(first.code);
  if (why === undefined) throw error;
  return { kind: "refused", at: first.index, why };
}
