/** Where a moment lies in the log. Entries that tell when the log was extended bracket the records between them; the search goes by them. */
import { parseLogEntry } from "../core/log-entries.ts";
import type { PublishedLog } from "./published-log.ts";

/** The clocks of those who store records and of the one who logs them may differ by this much. */
const skewMsMax = 60_000;
/** Leaves looked at in one step for an entry with a time: about what one pass of the sequencer appends. */
const stepLeaves = 2_000;

type Timed = { readonly index: number; readonly atMs: number };

/** A leaf before which no record lies that was recorded at `ms` or later; `size` leaves are published. */
export async function indexBefore(
  log: Pick<PublishedLog, "store">,
  ms: number,
  size: number,
  signal: AbortSignal,
): Promise<number> {
  const soughtMs = ms - skewMsMax;
  let [low, high] = [0, size];
  // What lies below `low` was logged before the moment; of what lies at `high` or above, that is not known.
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const timed = await firstTimed(log, middle, high, signal);
    if (timed !== undefined && timed.atMs < soughtMs) low = timed.index + 1;
    else high = middle;
  }
  return low;
}

async function firstTimed(
  log: Pick<PublishedLog, "store">,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<Timed | undefined> {
  for (let at = from; at < to; at += stepLeaves) {
    for (const { index, entry } of await log.store.rows(at, Math.min(at + stepLeaves, to), signal)) {
      const told = entry === undefined ? undefined : parseLogEntry(entry);
      if (told !== undefined && told.t !== "record") return { index, atMs: told.atMs };
    }
  }
  return undefined;
}
