/** ① parse and ② identity of a batch: its events as candidates for a record, or refused. */
import type { SourceEvent } from "../core/event.ts";
import type { Rid } from "../core/ids.ts";
import type { BatchControl, SourceBatch } from "../ports/event-source.ts";
import { headKeyText } from "../ports/record-store.ts";
import type { IntakeDeps } from "./deps.ts";
import { type EventFacts, type Refusal, readEvent, type ToSeal } from "./stations.ts";

/** An event that may become a record. */
export type Candidate = EventFacts & {
  readonly event: SourceEvent;
  readonly rid: Rid;
  readonly toSeal: ToSeal;
  /** `headKeyText` of stream and kind. */
  readonly key: string;
};

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
    else {
      const { facts, toSeal } = read;
      candidates.push({ ...facts, event, rid: toSeal.rid, toSeal, key: headKeyText(facts) });
    }
  };
  await deps.pace(events, ({ value }) => value, control, prepare);
  return { candidates, refused };
}
