/** Offsets of a batch that are refused, or not delivered, and have a record nevertheless: a process stored it before it died, by rules that took the event. It stays a record, and the offset is stored. */
import type { AuditedRecord } from "../ports/audit-reader.ts";
import type { SourceBatch } from "../ports/event-source.ts";
import type { IntakeDeps } from "./deps.ts";
import type { Prepared } from "./prepare.ts";
import { followUp, recordPages } from "./unread.ts";

/** The offsets, with all that their records entail done. An ordinary batch has nothing to ask, one with bad data asks once and finds nothing. */
export async function keptOffsets(
  deps: Pick<IntakeDeps, "records" | "recordsOf" | "stations">,
  batch: SourceBatch,
  { candidates, refused }: Prepared,
  signal: AbortSignal,
): Promise<readonly number[]> {
  if (refused.length === 0 && batch.events.length === batch.to - batch.from) return [];
  const settledByIntake = new Set(candidates.map(({ event }) => event.offset));
  const kept: AuditedRecord[] = [];
  for await (const page of recordPages(deps, batch, signal))
    kept.push(...page.filter(({ offset }) => !settledByIntake.has(offset)));
  if (kept.length > 0) await followUp(deps, kept, signal);
  return kept.map(({ offset }) => offset);
}
