/** Waits until a published event has its outcome in the store. */
import { LastroError } from "../core/errors.ts";
import { parseRid, type Rid, srcOf } from "../core/ids.ts";
import { type OutcomeRow, outcomeKinds } from "../core/outcome.ts";
import { sleep } from "../lib/backoff.ts";
import type { HistoryReader } from "../ports/history-reader.ts";
import type { Operations } from "../ports/operations.ts";

export const storeWaitersMax = 1_000;
const lookMinMs = 20;
const lookMaxMs = 250;

type Deps = {
  readonly history: Pick<HistoryReader, "byRid">;
  readonly operations: Pick<Operations, "outcomes">;
};
type Outcome = "stored" | OutcomeRow;

const rowKinds = outcomeKinds.filter((kind) => kind !== "stored");
let waiting = 0;

/** DEADLINE_EXCEEDED at the signal, or the code that it is aborted with; FAILED_PRECONDITION when too many wait in this process. */
export async function untilAccounted(deps: Deps, rid: Rid, signal: AbortSignal): Promise<Outcome> {
  if (waiting >= storeWaitersMax) {
    const why = `the event is published as ${rid}, and ${storeWaitersMax} calls wait for the store already; ask for it later`;
    throw new LastroError("FAILED_PRECONDITION", why, { field: "wait_for" });
  }
  waiting += 1;
  try {
    for (let pauseMs = lookMinMs; ; pauseMs = Math.min(2 * pauseMs, lookMaxMs)) {
      const outcome = await outcomeOf(deps, rid, signal);
      if (outcome !== undefined) return outcome;
      await sleep(pauseMs, signal);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    const why = `the event is published as ${rid}, but has no outcome yet; it is not lost: allow more time, or ask for it later`;
    const { reason } = signal;
    const code = reason instanceof LastroError ? reason.code : "DEADLINE_EXCEEDED";
    throw new LastroError(code, why, { field: "wait_for" });
  } finally {
    waiting -= 1;
  }
}

async function outcomeOf(
  { history, operations }: Deps,
  rid: Rid,
  signal: AbortSignal,
): Promise<Outcome | undefined> {
  const place = parseRid(rid);
  if (place === undefined) throw new LastroError("INTERNAL", "an event was published at no place");
  if ((await history.byRid(rid, signal)) !== undefined) return "stored";
  const { topicId, partition, offset } = place;
  const range = { src: srcOf(topicId, partition), from: offset, to: offset + 1, kinds: rowKinds, limit: 1 };
  return (await operations.outcomes(range, signal))[0];
}
