/** A record store whose new records are kept near at hand, once they are durable. */
import type { RecordStore } from "../ports/record-store.ts";
import type { HotCopies } from "../privacy/hot-copies.ts";

export const hotAppend = (records: RecordStore, copies: Pick<HotCopies, "keep">): RecordStore => ({
  ...records,
  async append(batch, signal) {
    const verdict = await records.append(batch, signal);
    if (verdict.kind === "done") void copies.keep(batch.records, signal);
    return verdict;
  },
});
