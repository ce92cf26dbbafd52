/** History that looks for a record by its ids among the hot copies first, and keeps what the store had to be asked for. */
import type { RecordRow } from "../core/record.ts";
import type { HistoryReader } from "../ports/history-reader.ts";
import type { HotCopies } from "../privacy/hot-copies.ts";

/** Heads, versions and searches always come from the store: only what never changes is hot. */
export function hotHistory(history: HistoryReader, copies: HotCopies): HistoryReader {
  async function through(
    hot: Promise<RecordRow | undefined>,
    stored: () => Promise<RecordRow | undefined>,
    signal: AbortSignal,
  ): Promise<RecordRow | undefined> {
    const copy = await hot;
    if (copy !== undefined) return copy;
    const row = await stored();
    if (row !== undefined) void copies.keep([row], signal);
    return row;
  }
  return {
    ...history,
    byRid: (rid, signal) => through(copies.byRid(rid, signal), () => history.byRid(rid, signal), signal),
    byUid: (uid, signal) => through(copies.byUid(uid, signal), () => history.byUid(uid, signal), signal),
  };
}
