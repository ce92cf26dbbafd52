/** Holds the offsets that were not stored against the records of the same range: each offset has one outcome. */
import type { Report } from "./findings.ts";
import { isJsonObject, jsonIn, member } from "./json.ts";
import type { CoverageEntry } from "./log-entries.ts";

type Range = { readonly from: number; readonly to: number; readonly kind: string };

/** `stored`: offsets of the range whose records are at hand, ascending; more may exist. */
export function checkOutcomeList(
  { src, from, to, n, counts }: CoverageEntry,
  list: string,
  stored: readonly number[],
  report: Report,
): void {
  const ranges = rangesOf(list);
  const fault = (
    begin: number,
    end: number,
    code: "COVERAGE_BROKEN" | "DOUBLE_OUTCOME",
    detail: string,
  ): void => report({ code, object: { kind: "outcomes", src, from: begin, to: end }, detail });
  if (ranges === undefined) {
    fault(from, to, "COVERAGE_BROKEN", "the list has another form than Lastro writes");
    return;
  }
  const found: Record<string, number> = { duplicate: 0, conflict: 0, rejected: 0, gap: 0 };
  let [next, at] = [from, 0];
  for (const range of ranges) {
    if (range.from < next || range.to > to || range.to <= range.from)
      fault(range.from, range.to, "COVERAGE_BROKEN", "it overlaps another outcome or leaves the range");
    next = range.to;
    found[range.kind] = (found[range.kind] ?? 0) + range.to - range.from;
    for (; (stored[at] ?? range.to) < range.to; at++) {
      const offset = stored[at] ?? range.from;
      if (offset >= range.from) fault(offset, offset + 1, "DOUBLE_OUTCOME", `it is stored and ${range.kind}`);
    }
  }
  const agrees = Object.entries(found).every(
    ([kind, count]) => counts[kind as keyof typeof counts] === count,
  );
  if (!agrees || n !== counts.stored)
    fault(from, to, "COVERAGE_BROKEN", "the counts are not those of the list");
}

function rangesOf(list: string): readonly Range[] | undefined {
  if (list === "") return [];
  if (!list.endsWith("\n")) return undefined;
  const ranges: Range[] = [];
  for (const line of list.slice(0, -1).split("\n")) {
    const json = jsonIn(line);
    if (!isJsonObject(json)) return undefined;
    const [from, to, kind] = [member(json, "o"), member(json, "e"), member(json, "r")];
    if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || typeof kind !== "string")
      return undefined;
    ranges.push({ from: Number(from), to: Number(to), kind });
  }
  return ranges;
}
