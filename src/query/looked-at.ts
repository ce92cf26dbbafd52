/** Answers that are made of many records: as many as may be looked at, and whether there were more. */
import type { Caller, QueryDeps } from "./deps.ts";
import type { RecordView } from "./record-view.ts";
import { type WalkRequest, walkRecords } from "./search-records.ts";

export const lookedAtMax = 10_000;

/** Calls `note` for each record that matches; false where more would have had to be looked at. */
export async function lookAt(
  deps: QueryDeps,
  request: WalkRequest,
  caller: Caller,
  signal: AbortSignal,
  note: (record: RecordView) => void,
): Promise<boolean> {
  let scanned = 0;
  for await (const found of walkRecords(deps, request, caller, signal)) {
    if (scanned >= lookedAtMax) return false;
    scanned += found.scanned;
    for (const record of found.records) note(record);
  }
  return true;
}
