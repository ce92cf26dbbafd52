/** ① parse and ② identity of a batch: its events as candidates for a record, or refused. */
import type { SourceEvent } from "../core/event.ts";
import type { BatchControl, SourceBatch } from "../ports/event-source.ts";
import type { IntakeDeps } from "./deps.ts";
import { type Candidate, type Refusal, readEvent } from "./stations.ts";

export type Refused = Refusal & { readonly event: SourceEvent };
export type Prepared = { readonly candidates: readonly Candidate[]; readonly refused: readonly Refused[] };

export async function prepareBatch(
  deps: IntakeDeps,
  { src, events }: SourceBatch,
  control: BatchControl,
): Promise<Prepared> {
  const candidates: Candidate[] = [];
  const refused: Refused[] = [];
  const nowMs = deps.now();
  const prepare = (event: SourceEvent): void => {
    const read = readEvent(deps.stations, src, event, nowMs);
    if ("rejection" in read) refused.push({ ...read, event });
    else candidates.push(read);
  };
  await deps.pace(events, ({ value }) => value, control, prepare);
  return { candidates, refused };
}
