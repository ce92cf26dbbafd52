/** Where a partition is to be read from, and what was lost before that. */
import { LastroError } from "../core/errors.ts";
import type { Src, TopicId } from "../core/ids.ts";
import type { EventSource, SourcePartition } from "../ports/event-source.ts";
import type { IntakeDeps } from "./deps.ts";
import type { HeldPartition } from "./partitions.ts";
import { accountEarlier, accountUnread, beginOf, settled } from "./unread.ts";

type StartDeps = Pick<IntakeDeps, "records" | "recordsOf" | "stations" | "sleep" | "now" | "log"> & {
  readonly source: Pick<EventSource, "partitions">;
  /** Incarnations of the topic that the operator accepted, oldest first. */
  readonly accepted: (signal: AbortSignal) => Promise<readonly TopicId[]>;
};

/** The mark; without one the earliest offset. What retention took before it was read is a gap. */
export async function startOf(
  deps: StartDeps,
  partition: HeldPartition,
  signal: AbortSignal,
): Promise<number> {
  const { src, topicId, partition: number } = partition.source;
  const incarnations = await deps.accepted(signal);
  const earlier = incarnations.slice(0, Math.max(0, incarnations.indexOf(topicId)));
  if ((await accountEarlier(deps, earlier, number, signal)) === "mark_lost") throw markLost();
  const accounted = await deps.records.mark(src, signal);
  const mark = accounted ?? (await beginOf(deps, src, partition.source.logStart, signal));
  // Who had the partition before may have accounted for what came after its end was asked for.
  if (mark > partition.source.logEnd) partition.source = await extentOf(deps, src, signal);
  const { source } = partition;
  if (mark > source.logEnd) {
    throw new LastroError(
      "OFFSET_OUT_OF_RANGE",
      `the store has accounted up to ${mark}, but the partition ends at ${source.logEnd}: the topic was restored from an older copy, or cut. Nothing may be read there, because new events would take offsets that are accounted for. Restore the topic; or delete it, create it again, accept it with ResumePartition (accept_incarnation) and publish again what was published since`,
    );
  }
  if (mark >= source.logStart) return mark;
  const range = { src, from: mark, to: source.logStart };
  await settled(deps, partition, signal);
  if ((await accountUnread(deps, range, "retention", signal)) === "mark_lost") throw markLost();
  deps.log.error(
    "events_lost_to_retention",
    "Kafka's retention removed offsets before they were read; they are accounted as a gap",
    { partition: source.partition, from: mark, to: source.logStart },
  );
  return source.logStart;
}

export const markLost = (): LastroError =>
  new LastroError("MARK_LOST", "another process accounts for this partition; reading its mark again");

/** Retention moves a partition's start and producers its end while it stands still. Undefined: the topic is another one now. */
export const extentNow = async (
  { source }: Pick<StartDeps, "source">,
  src: Src,
  signal: AbortSignal,
): Promise<SourcePartition | undefined> =>
  (await source.partitions(signal)).find((extent) => extent.src === src);

export const topicMadeAgain = "the topic was deleted and made again; accept the new one (accept_incarnation)";

/** Throws SOURCE_CHANGED where the topic is another one now: what is known of its end says nothing then. */
async function extentOf(deps: StartDeps, src: Src, signal: AbortSignal): Promise<SourcePartition> {
  const extent = await extentNow(deps, src, signal);
  if (extent === undefined) throw new LastroError("SOURCE_CHANGED", topicMadeAgain);
  return extent;
}
