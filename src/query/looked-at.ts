/** Answers that are made of many records: as many as may be looked at, and whether there were more. */
import type { Read } from "../access/watch.ts";
import type { QueryDeps } from "./deps.ts";
import { type Access, readsOf, tellReads } from "./permit.ts";
import type { RecordView } from "./record-view.ts";
import { type WalkRequest, walkRecords } from "./search-records.ts";

export const lookedAtMax = 10_000;

/** Calls `note` for each record that matches; false where more would have had to be looked at. */
export async function lookAt(
  deps: QueryDeps,
  request: WalkRequest,
  access: Access,
  signal: AbortSignal,
  note: (record: RecordView) => void,
): Promise<boolean> {
  let scanned = 0;
  let isWhole = true;
  const reads: Read[] = [];
  for await (const found of walkRecords(deps, request, access, signal)) {
    if (scanned >= lookedAtMax) {
      isWhole = false;
      break;
    }
    scanned += found.scanned;
    for (const record of found.records) note(record);
    reads.push(...readsOf(found.records));
  }
  await tellReads(deps, access, reads, signal);
  return isWhole;
}
