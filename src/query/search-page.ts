/** A page of a search: it closes on count, on bytes, or on records looked at, and always moves on, if only past what does not match. */
import type { RecordRow } from "../core/record.ts";
import { valueOfRow } from "../core/search-fields.ts";
import { isTextField, type RecordSearch, type SearchPlace } from "../core/search-walk.ts";
import type { HistoryReader } from "../ports/history-reader.ts";
import { answerBytes } from "./get-history.ts";
import { chunkRowsMax, pageBytesMax } from "./page.ts";

/** Records looked at for one page: what no index helps with takes several pages, some of them empty, instead of too long. */
export const scanRowsMax = 10_000;

type Question = Pick<RecordSearch, "filter" | "order" | "after"> & {
  /** Matches to pass over before the first that is given. */
  readonly skip: number;
};
type Matches = {
  readonly rows: readonly RecordRow[];
  /** Undefined: nothing is left. */
  readonly next: SearchPlace | undefined;
  /** What is still to be passed over behind `next`. */
  readonly skip: number;
  /** Records looked at. */
  readonly scanned: number;
};

export async function collectMatches(
  history: Pick<HistoryReader, "search">,
  question: Question,
  size: number,
  signal: AbortSignal,
): Promise<Matches> {
  const rows: RecordRow[] = [];
  let [bytes, left, skip] = [0, scanRowsMax, question.skip];
  for (let after = question.after; ; ) {
    // One more than fits tells whether this page is the last.
    const limit = Math.min(chunkRowsMax, size - rows.length + skip + 1);
    const found = await history.search({ ...question, after, limit, scanMax: left }, signal);
    for (const row of found.rows) {
      if (skip > 0) {
        skip -= 1;
        continue;
      }
      bytes += answerBytes(row);
      const last = rows.at(-1);
      if (last !== undefined && (rows.length === size || bytes > pageBytesMax))
        return { rows, next: placeOf(last, question), skip, scanned: scanRowsMax - left + found.scanned };
      rows.push(row);
    }
    after = found.next;
    left -= found.scanned;
    if (after === undefined || left <= 0) return { rows, next: after, skip, scanned: scanRowsMax - left };
  }
}

function placeOf(row: RecordRow, { order: { field } }: Question): SearchPlace {
  const [value, time] = isTextField(field)
    ? [String(valueOfRow(row, field)), "recorded_at" as const]
    : ["", field];
  return { value, at: Number(valueOfRow(row, time)), rid: row.rid };
}
