/** Passes over offsets as an operator asks, while the partition is held: what nobody reads any more becomes a gap around what was stored. */
import { isTransient, LastroError } from "../core/errors.ts";
import type { Src } from "../core/ids.ts";
import { backoffMs } from "../lib/backoff.ts";
import { untilAborted } from "../lib/signals.ts";
import type { AccountStep } from "../ports/record-store.ts";
import type { ConsumeDeps, Consumer } from "./consume.ts";
import type { HeldPartition } from "./partitions.ts";
import { extentNow } from "./start.ts";
import { settled, unreadStep } from "./unread.ts";

export type SkipDeps = Pick<
  ConsumeDeps,
  "records" | "recordsOf" | "stations" | "source" | "limits" | "random" | "sleep" | "now" | "log"
>;

export type Skip = { readonly src: Src; readonly from: number; readonly to: number; readonly reason: string };

/** Ends at the signal; an account that was begun by then is carried through, and the partition is held until it is known what became of it. */
export function skipOffsets(
  deps: SkipDeps,
  consumer: Consumer,
  { src, from, to, reason }: Skip,
  signal: AbortSignal,
): Promise<void> {
  const skipping = consumer.hold(src, async (partition, life) => {
    await assertSkippable(deps, partition, { src, from, to }, signal);
    await settled(deps, partition, signal);
    const step = await unreadStep(deps, { src, from, to }, "skipped", signal);
    const isHere = (): boolean => consumer.held.get(src) === partition;
    if ((await accountHere(deps, step, isHere, life)) === "mark_lost") throw notTheMark();
    deps.log.warn("offsets_skipped", "an operator skipped offsets", { src, from, to, reason });
  });
  return untilAborted(skipping, signal);
}

async function assertSkippable(
  { records, source }: SkipDeps,
  { condition }: HeldPartition,
  { src, from, to }: Omit<Skip, "reason">,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  if (condition.kind === "waiting" && condition.code === "MARK_LOST")
    throw refusedSkip(
      "another process accounts for the partition, too; ask again once this one reads it alone, and it stopped or waits",
    );
  const extent = await extentNow({ source }, src, signal);
  if (extent === undefined || to > extent.logEnd)
    throw refusedSkip(
      "only offsets that Kafka has given out can be skipped; the partition ends below that",
      "to_offset",
    );
  if (from !== ((await records.mark(src, signal)) ?? extent.logStart)) throw notTheMark();
}

/** Repeats what the store did not answer until it is known what became of it: an account that arrives late would lie beside records. */
async function accountHere(
  { records, limits, random, sleep }: SkipDeps,
  step: AccountStep,
  isHere: () => boolean,
  life: AbortSignal,
): Promise<"done" | "mark_lost"> {
  for (let attempt = 1; ; attempt++) {
    if (!isHere()) throw refusedSkip("the partition was given to another process; see GetIntake there");
    try {
      const isLate = attempt > 1 && ((await records.mark(step.src, life)) ?? 0) >= step.to;
      return isLate ? "done" : await records.account(step, life);
    } catch (error) {
      if (!isTransient(error)) throw error;
      await sleep(backoffMs(attempt, limits.backoffMinMs, limits.backoffMaxMs, random), life);
    }
  }
}

const refusedSkip = (why: string, field?: string): LastroError =>
  new LastroError("FAILED_PRECONDITION", why, field === undefined ? {} : { field });

const notTheMark = (): LastroError =>
  refusedSkip(
    "offsets are skipped from the partition's mark on, or from its start while it has none; see GetIntake",
    "from_offset",
  );
