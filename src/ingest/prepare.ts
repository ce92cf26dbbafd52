/** ① parse and ② identity of a batch: its events as candidates for a record, or refused. */
import type { SourceEvent } from "../core/event.ts";
import { type Rid, ridOf } from "../core/ids.ts";
import type { BatchControl, SourceBatch } from "../ports/event-source.ts";
import { headKeyText } from "../ports/record-store.ts";
import type { IntakeDeps } from "./deps.ts";
import type { EventFacts, PreparedEvents, Refusal } from "./stations.ts";

/** An event that may become a record. */
export type Candidate = EventFacts & {
  readonly event: SourceEvent;
  readonly rid: Rid;
  /** Its number in the batch. */
  readonly at: number;
  /** `headKeyText` of stream and kind. */
  readonly key: string;
};

export type Refused = Refusal & { readonly event: SourceEvent };
export type Prepared = Disposable & {
  readonly candidates: readonly Candidate[];
  readonly refused: readonly Refused[];
  readonly seal: PreparedEvents["seal"];
};

export async function prepareBatch(
  deps: IntakeDeps,
  batch: SourceBatch,
  control: BatchControl,
): Promise<Prepared> {
  const prepared = await deps.stations.prepare(batch, deps.now(), control);
  const candidates: Candidate[] = [];
  const refused: Refused[] = [];
  for (const [at, event] of batch.events.entries()) {
    const result = prepared.results[at];
    if (result === undefined) throw new Error(`event ${at} of the batch was not prepared`);
    if ("rejection" in result) refused.push({ ...result, event });
    else
      candidates.push({
        ...result, event, at, rid: ridOf(batch.src, event.offset), key: headKeyText(result),
      }); // biome-ignore format: one line of names
  }
  return { candidates, refused, seal: prepared.seal, [Symbol.dispose]: () => prepared[Symbol.dispose]() };
}
