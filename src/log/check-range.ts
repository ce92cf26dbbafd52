/** Records of a range of offsets, each held against itself: apart from the log, so that it can be done ahead and in another thread. */
import type { Finding } from "../core/findings.ts";
import type { Src } from "../core/ids.ts";
import type { Sha256 } from "../core/merkle.ts";
import type { AuditedRecord, AuditReader } from "../ports/audit-reader.ts";
import { type CheckedRecord, checkRecord, type Gone } from "./check-record.ts";

export type Range = { readonly src: Src; readonly from: number; readonly to: number };

export type CheckedRange = {
  /** Ascending by offset. */
  readonly records: readonly CheckedRecord[];
  readonly findings: readonly Finding[];
  readonly gone: readonly Gone[];
  /** Bodies that were opened. */
  readonly opened: number;
};

/** Stops behind the page that has the `max`th record. */
export type CheckRange = (range: Range, max: number, signal: AbortSignal) => Promise<CheckedRange>;

/** Opens bodies and holds them against commitments and projections. */
export type OpenBodies = (
  records: readonly AuditedRecord[],
  signal: AbortSignal,
) => Promise<readonly Finding[]>;

const recordsPerRead = 1_000;

export function rangeChecker({
  audit,
  crypto: { sha256 },
  openBodies,
}: {
  readonly audit: Pick<AuditReader, "records">;
  readonly crypto: { readonly sha256: Sha256 };
  readonly openBodies: OpenBodies | undefined;
}): CheckRange {
  return async (range, max, signal) => {
    const [records, findings, gone]: [CheckedRecord[], Finding[], Gone[]] = [[], [], []];
    const report = (finding: Finding): unknown => findings.push(finding);
    const keep = (one: Gone): unknown => gone.push(one);
    let opened = 0;
    for (let at = range.from; at < range.to && records.length < max; ) {
      const page = await audit.records(range.src, at, range.to, recordsPerRead, signal);
      const last = page.at(-1);
      if (last === undefined) break;
      for (const record of page) records.push(checkRecord(record, sha256, report, keep));
      if (openBodies !== undefined) {
        findings.push(...(await openBodies(page, signal)));
        opened += page.length;
      }
      at = last.offset + 1;
    }
    return { records, findings, gone, opened };
  };
}
