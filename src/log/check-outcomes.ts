/** Holds the outcome rows of a range against what a coverage entry commits to, and against the records: one outcome for each offset. */
import { toBase64Url, utf8 } from "../core/base64.ts";
import type { Report } from "../core/findings.ts";
import type { Src } from "../core/ids.ts";
import { type CoverageEntry, outcomeList } from "../core/log-entries.ts";
import type { Sha256 } from "../core/merkle.ts";
import type { OutcomeRow } from "../core/outcome.ts";
import type { AuditedOutcome, AuditReader } from "../ports/audit-reader.ts";

const outcomesPerRead = 5_000;

/** Rows that begin in [from, to), read page by page. */
export async function readOutcomes(
  audit: AuditReader,
  src: Src,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<readonly AuditedOutcome[]> {
  const found: AuditedOutcome[] = [];
  for (let at = from; at < to; ) {
    const page = await audit.outcomes(src, at, to, outcomesPerRead, signal);
    const last = page.at(-1);
    if (last === undefined) break;
    found.push(...page);
    at = last.from + 1;
  }
  return found;
}

type Range = { readonly src: Src; readonly from: number; readonly to: number };

/** The rows as they were written; a row whose columns say otherwise is a finding. */
export function writtenOutcomes(
  src: Src,
  found: readonly AuditedOutcome[],
  report: Report,
): readonly OutcomeRow[] {
  return found.flatMap(({ from, to, kind, row }): readonly OutcomeRow[] => {
    if (row !== undefined && isOutcome(row) && row.from === from && row.to === to && row.kind === kind)
      return [row];
    const object = { kind: "outcomes", src, from, to: Math.max(to, from + 1) } as const;
    report({ code: "OUTCOMES_CHANGED", object, detail: "its columns differ from what it holds" });
    return [];
  });
}

/** What was read is not trusted to be of its type. */
function isOutcome(row: OutcomeRow): boolean {
  try {
    return outcomeList([row]) !== "";
  } catch {
    return false;
  }
}

/** Whether each offset has one outcome: `stored` are the offsets of records, ascending. */
export function checkDense(
  { src, from, to }: Range,
  stored: readonly number[],
  outcomes: readonly OutcomeRow[],
  report: Report,
): void {
  const fault = (
    code: "DOUBLE_OUTCOME" | "OUTCOME_MISSING",
    begin: number,
    end: number,
    detail: string,
  ): void => report({ code, object: { kind: "outcomes", src, from: begin, to: end }, detail });
  let [next, at] = [from, 0];
  const pass = (begin: number, end: number): void => {
    if (begin > next) fault("OUTCOME_MISSING", next, begin, "neither a record nor an outcome row is there");
    if (begin < next) fault("DOUBLE_OUTCOME", begin, Math.min(next, end), "they have two outcomes");
    next = Math.max(next, end);
  };
  for (const outcome of outcomes) {
    for (; (stored[at] ?? outcome.from) < outcome.from; at++)
      pass(stored[at] ?? next, (stored[at] ?? next) + 1);
    pass(outcome.from, outcome.to);
  }
  for (const offset of stored.slice(at)) pass(offset, offset + 1);
  if (next < to) fault("OUTCOME_MISSING", next, to, "neither a record nor an outcome row is there");
  if (next > to) fault("DOUBLE_OUTCOME", to, next, "they lie beyond what was accounted for with them");
}

export function checkCoveredOutcomes(
  coverage: CoverageEntry,
  stored: readonly number[],
  found: readonly AuditedOutcome[],
  sha256: Sha256,
  report: Report,
): void {
  const { src, from, to, list } = coverage;
  const outcomes = writtenOutcomes(src, found, report);
  checkDense(coverage, stored, outcomes, report);
  if (outcomes.length < found.length || toBase64Url(sha256(utf8(outcomeList(outcomes)))) === list) return;
  const object = { kind: "outcomes", src, from, to } as const;
  report({ code: "OUTCOMES_CHANGED", object, detail: "the rows are not the list that was logged for them" });
}
