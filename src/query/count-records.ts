/** Counting records one by one, newest first, a bounded number of them. */
import { allOf, type Comparison, compare, type Filter } from "../core/filter.ts";
import type { FilterField } from "../core/search-fields.ts";
import type { SearchPlace } from "../core/search-walk.ts";
import type { Tally } from "../core/summary.ts";
import { heldBy } from "./as-of.ts";
import type { QueryDeps } from "./deps.ts";

/** Records looked at for one answer. */
export const countedRowsMax = 20_000;
/** Looked at between two looks at the log. */
const stepRowsMax = 1_000;

export type Span = {
  readonly filter: Filter;
  /** Inclusive ms of recorded_at; infinite where there is no bound. */
  readonly min: number;
  readonly max: number;
};
/** `found`: those that match and are counted. How many were looked at for them tells of records that the caller may not see. */
export type Counted = { readonly found: number; readonly scanned: number; readonly isPartial: boolean };

const bound = (operator: ">=" | "<=", value: number): readonly Comparison[] =>
  Number.isFinite(value) ? [compare("recorded_at", operator, value)] : [];

/** `size`: of the tree whose records are counted; undefined: all that are stored are. */
export async function countRecords(
  deps: QueryDeps,
  { filter, min, max }: Span,
  groupBy: readonly FilterField[],
  tally: Pick<Tally, "addRecord">,
  { size, rowsMax }: { readonly size: number | undefined; readonly rowsMax: number },
  signal: AbortSignal,
): Promise<Counted> {
  const question = {
    filter: allOf([filter, ...bound(">=", min), ...bound("<=", max)]),
    order: { field: "recorded_at", direction: "desc" },
    limit: stepRowsMax,
  } as const;
  let [found, scanned] = [0, 0];
  for (let after: SearchPlace | undefined; scanned < rowsMax; ) {
    const scanMax = Math.min(stepRowsMax, rowsMax - scanned);
    const answer = await deps.history.scan(
      { ...question, after, scanMax },
      ["recorded_at", ...groupBy],
      signal,
    );
    const isHeld = await heldBy(
      deps,
      answer.found.map(({ rid }) => rid),
      size,
      signal,
    );
    for (const { rid, values } of answer.found) {
      if (!isHeld(rid)) continue;
      const [at, ...grouped] = values;
      tally.addRecord(Number(at), grouped);
      found += 1;
    }
    scanned += answer.scanned;
    if (answer.next === undefined) return { found, scanned, isPartial: false };
    after = answer.next;
  }
  return { found, scanned, isPartial: true };
}
