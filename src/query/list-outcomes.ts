/** What became of offsets that are not `stored`, page by page. */
import { parseRid, type Src } from "../core/ids.ts";
import { type OutcomeKind, type OutcomeRow, outcomeKinds } from "../core/outcome.ts";
import type { Operations } from "../ports/operations.ts";
import { type Caller, invalid, type QueryDeps } from "./deps.ts";
import { collectRows, type PageRequest, pager } from "./page.ts";
import { permit } from "./permit.ts";

export type ListOutcomesRequest = PageRequest & {
  readonly src: string;
  readonly from: number;
  /** Exclusive; undefined: up to the mark. */
  readonly to: number | undefined;
  /** None: all. */
  readonly kinds: readonly Exclude<OutcomeKind, "stored">[];
};
const rowKinds = outcomeKinds.filter((kind) => kind !== "stored");

export type OutcomePage = { readonly outcomes: readonly OutcomeRow[]; readonly nextPageToken: string };

/** A source partition is what a rid without its offset is. */
export function requireSrc(text: string, field = "src"): Src {
  if (parseRid(`${text}.0`) === undefined)
    throw invalid(field, "is no source partition: topic id and partition joined by a dot");
  return text as Src;
}

export async function listOutcomes(
  deps: QueryDeps,
  operations: Pick<Operations, "outcomes">,
  request: ListOutcomesRequest,
  caller: Caller,
  signal: AbortSignal,
): Promise<OutcomePage> {
  permit(deps, caller, "ListOutcomes");
  const src = requireSrc(request.src);
  const { from, to = Number.MAX_SAFE_INTEGER, kinds } = request;
  if (from < 0 || to < from) throw invalid("to_offset", "must not be below from_offset");
  const page = pager(deps, "ListOutcomes", [src, from, to, kinds], "offset asc", caller, request);
  const start = page.after === undefined ? from : Number(page.after[0]);
  const { rows, last } = await collectRows(page.size, outcomeBytes, (row, limit) =>
    operations.outcomes(
      { src, from: row?.to ?? start, to, kinds: kinds.length > 0 ? kinds : rowKinds, limit },
      signal,
    ),
  );
  return { outcomes: rows, nextPageToken: last === undefined ? "" : page.tokenAt([last.to]) };
}

const outcomeBytes = (row: OutcomeRow): number =>
  512 + (row.kind === "rejected" ? 4 * (row.rejection.sentence.length + row.rejection.pointer.length) : 0);
