/** ⓪ receive: which partition is read from where, what waits, what stops. The store's mark says where to read, never Kafka's group offset. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { type ErrorCode, LastroError } from "../core/errors.ts";
import type { Src, TopicId } from "../core/ids.ts";
import { backoffMs } from "../lib/backoff.ts";
import type {
  BatchControl,
  EventSource,
  SourceBatch,
  SourceHandler,
  SourcePartition,
} from "../ports/event-source.ts";
import type { BreakerState, StoreState } from "../ports/store-state.ts";
import type { Breaker } from "./breaker.ts";
import type { IntakeDeps } from "./deps.ts";
import { ingestBatch } from "./ingest-batch.ts";
import type { HeldPartition, HeldPartitions, PartitionCondition } from "./partitions.ts";
import { openRoom, type Room } from "./room.ts";
import { accountEarlier, accountUnread, beginOf } from "./unread.ts";

export type ConsumeDeps = IntakeDeps & {
  readonly source: EventSource;
  readonly state: Pick<StoreState, "breaker" | "setBreaker">;
  readonly breaker: Breaker;
  /** Of all partitions together; bounds memory. */
  readonly eventsInWorkMax: number;
  /** Incarnations of the topic that the operator accepted, oldest first. */
  readonly accepted: (signal: AbortSignal) => Promise<readonly TopicId[]>;
  /** Keeps an incarnation of the topic that the operator accepted. */
  readonly accept: (topicId: TopicId, signal: AbortSignal) => Promise<void>;
  /** The client is beyond repair: the process must end. */
  readonly onCrash: (error: LastroError) => void;
};

export type Consumer = {
  readonly held: HeldPartitions;
  start(): Promise<void>;
  /** Reads a waiting or stopped partition again from its mark. */
  reopen(src: Src, options: { readonly acceptIncarnation: boolean }): Promise<void>;
  /** Closes the breaker and reads every partition again. */
  closeBreaker(): Promise<void>;
  /** Obeys the breaker as the store has it now, whichever process opened it. */
  noticeBreaker(state: BreakerState | undefined): void;
};

const operatorDecides: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "SOURCE_CHANGED",
  "OFFSET_OUT_OF_RANGE",
  "CORRUPT_BATCH",
  "BATCH_TOO_LARGE",
]);

export function consume(deps: ConsumeDeps, signal: AbortSignal): Consumer {
  const held: HeldPartitions = new Map();
  const room = openRoom(deps.eventsInWorkMax);

  const setCondition = (partition: HeldPartition, condition: PartitionCondition): void => {
    partition.condition = condition;
    const state = condition.kind === "opening" ? "waiting" : condition.kind;
    deps.observer.partition(partition.source.src, partition.source.partition, state);
  };

  /** What an operator has to decide stands still; everything else, unknown trouble included, waits and tries again for ever. */
  const fail = (partition: HeldPartition, cause: unknown): void => {
    if (signal.aborted || held.get(partition.source.src) !== partition) return;
    const error = asLastroError(cause);
    // The batch that ran when the source stopped the partition may fail, too: that is no way out of what an operator has to decide.
    if (isStopped(partition) && !operatorDecides.has(error.code)) return;
    deps.source.pause(partition.source.src);
    deps.heads.clear();
    const fields = { partition: partition.source.partition, code: error.code };
    if (error !== cause) deps.log.error("unexpected_error", error.message, fields, cause);
    if (operatorDecides.has(error.code)) {
      setCondition(partition, { kind: "stopped", code: error.code, message: error.message });
      deps.log.error("partition_stopped", error.message, fields, error);
      return;
    }
    partition.failures += 1;
    setCondition(partition, { kind: "waiting", code: error.code, message: error.message });
    deps.log.warn("partition_waits", error.message, { ...fields, failures: partition.failures });
    void retryLater(partition);
  };

  const retryLater = async (partition: HeldPartition): Promise<void> => {
    const { backoffMinMs, backoffMaxMs } = deps.limits;
    const pauseMs = backoffMs(partition.failures, backoffMinMs, backoffMaxMs, deps.random);
    await deps.sleep(pauseMs, signal).catch(() => undefined);
    if (partition.condition.kind === "waiting") await open(partition);
  };

  /** Finds where to read, or why not to. */
  const open = async (partition: HeldPartition): Promise<void> => {
    const { src } = partition.source;
    if (signal.aborted || held.get(src) !== partition) return;
    try {
      const breaker = await deps.state.breaker(signal);
      deps.observer.breaker(breaker?.open ?? false);
      if (isStopped(partition)) return;
      if (breaker?.open) return waitForBreaker(partition, breaker);
      if (isWaitingForBreaker(partition)) deps.breaker.reset();
      if (partition.condition.kind === "waiting")
        partition.source = (await extentNow(deps, src, signal)) ?? partition.source;
      if (isStopped(partition)) return;
      partition.mark = await startOf(deps, partition, signal);
      if (isStopped(partition) || held.get(src) !== partition) return;
      deps.source.resume(src, partition.mark);
      setCondition(partition, { kind: "running" });
    } catch (cause) {
      if (!isStopped(partition)) fail(partition, cause);
    }
  };

  /** Whichever process closes it, the others see it in the store. */
  const waitForBreaker = (partition: HeldPartition, state: BreakerState): void => {
    setCondition(partition, breakerCondition(state));
    void deps.sleep(deps.limits.backoffMaxMs, signal).then(
      () => (isWaitingForBreaker(partition) ? open(partition) : undefined),
      () => undefined,
    );
  };

  const openBreaker = async (state: BreakerState): Promise<void> => {
    deps.log.error("breaker_open", breakerCondition(state).message, {
      rejected: state.rejected,
      seen: state.seen,
    });
    await deps.state.setBreaker(state, signal);
    obeyBreaker(state);
  };

  const obeyBreaker = (state: BreakerState): void => {
    deps.observer.breaker(true);
    for (const partition of held.values()) {
      if (isStopped(partition) || isWaitingForBreaker(partition)) continue;
      deps.source.pause(partition.source.src);
      waitForBreaker(partition, state);
    }
  };

  const handler: SourceHandler = {
    assigned(source) {
      for (const [src, other] of held) if (other.source.partition === source.partition) held.delete(src);
      const partition: HeldPartition = {
        source,
        condition: { kind: "opening" },
        failures: 0,
        mark: undefined,
        logEnd: source.logEnd,
      };
      held.set(source.src, partition);
      void open(partition);
    },
    async batch(batch, control) {
      const partition = held.get(batch.src);
      if (partition === undefined) return batch.from;
      try {
        return await ingestSlices(deps, batch, partition, control, { openBreaker, room, stop: signal });
      } catch (cause) {
        fail(partition, cause);
        return partition.mark ?? batch.from;
      }
    },
    revoked(src) {
      const partition = held.get(src);
      held.delete(src);
      deps.heads.clear();
      if (partition !== undefined) deps.observer.partition(src, partition.source.partition, "released");
    },
    stopped(src, error) {
      const partition = held.get(src);
      if (partition !== undefined) fail(partition, error);
    },
    crashed: deps.onCrash,
  };

  return {
    held,
    start: () => deps.source.start(handler),
    async reopen(src, { acceptIncarnation }) {
      const partition = held.get(src);
      if (partition === undefined)
        throw new LastroError(
          "FAILED_PRECONDITION",
          "this process does not hold that partition; ask the one that does (see its log or the consumer group)",
        );
      if (acceptIncarnation && (await acceptTopic(deps, partition, signal))) return;
      const extent = await extentNow(deps, src, signal);
      if (extent === undefined) throw new LastroError("FAILED_PRECONDITION", topicMadeAgain);
      partition.source = extent;
      setCondition(partition, { kind: "opening" });
      await open(partition);
    },
    async closeBreaker() {
      await deps.state.setBreaker({ open: false, sinceMs: deps.now(), rejected: 0, seen: 0 }, signal);
      deps.breaker.reset();
      await Promise.all([...held.values()].filter(({ condition }) => condition.kind === "waiting").map(open));
    },
    noticeBreaker(state) {
      deps.observer.breaker(state?.open ?? false);
      if (state?.open) obeyBreaker(state);
    },
  };
}

const isStopped = ({ condition }: HeldPartition): boolean => condition.kind === "stopped";

type SlicesContext = {
  openBreaker(state: BreakerState): Promise<void>;
  readonly room: Room;
  readonly stop: AbortSignal;
};

const stale = { kind: "stale" } as const;

/** Works through a batch in slices of bounded size; returns the new mark. */
async function ingestSlices(
  deps: ConsumeDeps,
  batch: SourceBatch,
  partition: HeldPartition,
  control: BatchControl,
  context: SlicesContext,
): Promise<number> {
  partition.logEnd = Math.max(partition.logEnd, batch.logEnd);
  for (const slice of slices(batch, deps.limits.batchSizeMax)) {
    await nextTurn();
    if (!(await ingestSlice(deps, slice, partition, control, context))) break;
  }
  return partition.mark ?? batch.from;
}

/** Whether the next slice may follow. What was made of this one is let go before the next waits for room. */
async function ingestSlice(
  deps: ConsumeDeps,
  slice: SourceBatch,
  partition: HeldPartition,
  control: BatchControl,
  { openBreaker, room, stop }: SlicesContext,
): Promise<boolean> {
  const end = await room(slice.events.length, async () => {
    // What is begun is finished; cut off half-way it would be delivered again.
    if (control.isStale() || stop.aborted) return stale;
    return deps.observer.aroundBatch(slice, () => ingestBatch(deps, slice, control));
  });
  if (end.kind === "stale") return false;
  if (end.kind === "mark_lost") throw markLost();
  partition.mark = slice.to;
  partition.failures = 0;
  deps.observer.batchDone(end.report);
  deps.source.commit(slice.src, slice.to);
  const flood = deps.breaker.note(end.prepared, end.fates, deps.now());
  if (flood !== undefined) await openBreaker(flood);
  return flood === undefined;
}

/** Values of one slice together; a single larger event is a slice of its own. */
const sliceBytesMax = 8 * 1024 * 1024;

export function* slices(batch: SourceBatch, sizeMax: number): Generator<SourceBatch> {
  let { from } = batch;
  let start = 0;
  do {
    let end = start;
    for (let bytes = 0; end < batch.events.length && end - start < sizeMax; end++) {
      bytes += batch.events[end]?.value?.length ?? 0;
      if (bytes > sliceBytesMax && end > start) break;
    }
    const to = batch.events[end]?.offset ?? batch.to;
    yield { ...batch, from, to, events: batch.events.slice(start, end) };
    [from, start] = [to, end];
  } while (start < batch.events.length);
}

/** The mark; without one the earliest offset. What retention took before it was read is a gap. */
async function startOf(deps: ConsumeDeps, partition: HeldPartition, signal: AbortSignal): Promise<number> {
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
  if ((await accountUnread(deps, range, "retention", signal)) === "mark_lost") throw markLost();
  deps.log.error(
    "events_lost_to_retention",
    "Kafka's retention removed offsets before they were read; they are accounted as a gap",
    { partition: source.partition, from: mark, to: source.logStart },
  );
  return source.logStart;
}

const markLost = (): LastroError =>
  new LastroError("MARK_LOST", "another process accounts for this partition; reading its mark again");

/** Retention moves a partition's start and producers its end while it stands still. Undefined: the topic is another one now. */
const extentNow = async (
  deps: ConsumeDeps,
  src: Src,
  signal: AbortSignal,
): Promise<SourcePartition | undefined> =>
  (await deps.source.partitions(signal)).find((extent) => extent.src === src);

const topicMadeAgain = "the topic was deleted and made again; accept the new one (accept_incarnation)";

/** Throws SOURCE_CHANGED where the topic is another one now: what is known of its end says nothing then. */
async function extentOf(deps: ConsumeDeps, src: Src, signal: AbortSignal): Promise<SourcePartition> {
  const extent = await extentNow(deps, src, signal);
  if (extent === undefined) throw new LastroError("SOURCE_CHANGED", topicMadeAgain);
  return extent;
}

/** Returns whether the source now announces the partition anew. */
async function acceptTopic(
  deps: ConsumeDeps,
  { source }: HeldPartition,
  signal: AbortSignal,
): Promise<boolean> {
  const current = (await deps.source.partitions(signal)).find(
    ({ partition }) => partition === source.partition,
  );
  if (current === undefined) throw new LastroError("NOT_FOUND", "the topic has no such partition now");
  await deps.accept(current.topicId, signal);
  if (current.src === source.src) return false;
  await deps.source.acceptIncarnation(source.partition);
  return true;
}

const isWaitingForBreaker = ({ condition }: HeldPartition): boolean =>
  condition.kind === "waiting" && condition.code === "BREAKER_OPEN";

const breakerCondition = ({ rejected, seen }: BreakerState) =>
  ({
    kind: "waiting",
    code: "BREAKER_OPEN",
    message: `${rejected} of the last ${seen} messages were rejected, from several producers: that looks like a wrong deployment. Look at the dead letters, mend the cause, then close the breaker (ResumePartition with breaker)`,
  }) as const;

const asLastroError = (cause: unknown): LastroError =>
  cause instanceof LastroError
    ? cause
    : new LastroError("STORE_UNAVAILABLE", "an unexpected error; the partition waits and tries again", {
        cause,
      });
