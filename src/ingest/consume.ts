/** ⓪ receive: which partition is read from where, what waits, what stops. The store's mark says where to read, never Kafka's group offset. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { type ErrorCode, LastroError } from "../core/errors.ts";
import type { Src, TopicId } from "../core/ids.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { BatchControl, EventSource, SourceBatch, SourceHandler } from "../ports/event-source.ts";
import type { BreakerState, StoreState } from "../ports/store-state.ts";
import type { Breaker } from "./breaker.ts";
import type { IntakeDeps } from "./deps.ts";
import { ingestBatch } from "./ingest-batch.ts";
import type { HeldPartition, HeldPartitions, PartitionCondition } from "./partitions.ts";
import { openRoom, type Room } from "./room.ts";
import { extentNow, markLost, startOf, topicMadeAgain } from "./start.ts";

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
  /**
   * Runs `work` on a waiting or stopped partition once its last batch has ended; whatever happens meanwhile, nothing of it is read. Then it is
   * read again from its mark, unless `work` failed and it was stopped. `life` is the process's.
   */
  hold(src: Src, work: (partition: HeldPartition, life: AbortSignal) => Promise<void>): Promise<void>;
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
  /** Opens the breaker once the store takes it; until then every partition that is opened tries. */
  let flood: BreakerState | undefined;
  let keeping: Promise<void> | undefined;

  const setCondition = (partition: HeldPartition, condition: PartitionCondition): void => {
    partition.condition = condition;
    const state = condition.kind === "opening" ? "waiting" : condition.kind;
    deps.observer.partition(partition.source.src, partition.source.partition, state);
  };

  /** What an operator has to decide stands still; everything else, unknown trouble included, waits and tries again for ever. */
  const fail = (partition: HeldPartition, cause: unknown): void => {
    if (signal.aborted || held.get(partition.source.src) !== partition) return;
    const error = asLastroError(cause);
    if (!operatorDecides.has(error.code)) partition.failures += 1;
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
    setCondition(partition, { kind: "waiting", code: error.code, message: error.message });
    deps.log.warn("partition_waits", error.message, { ...fields, failures: partition.failures });
    void retryLater(partition);
  };

  const retryLater = async (partition: HeldPartition): Promise<void> => {
    const { backoffMinMs, backoffMaxMs } = deps.limits;
    const pauseMs = backoffMs(partition.failures, backoffMinMs, backoffMaxMs, deps.random);
    const { condition } = partition;
    await deps.sleep(pauseMs, signal).catch(() => undefined);
    if (partition.condition === condition) await open(partition);
  };

  /** Finds where to read, or why not to. Ends without effect once something else has happened to the partition. */
  const open = async (partition: HeldPartition): Promise<void> => {
    const { condition, source } = partition;
    const { src } = source;
    const isOver = (): boolean =>
      signal.aborted || partition.isHeld || partition.condition !== condition || held.get(src) !== partition;
    if (isOver()) return;
    try {
      await keepBreaker();
      const breaker = await deps.state.breaker(signal);
      deps.observer.breaker(breaker?.open ?? false);
      if (isOver()) return;
      if (breaker?.open) return waitForBreaker(partition, breaker);
      if (isWaitingForBreaker(partition)) deps.breaker.reset();
      await partition.running;
      if (condition.kind === "waiting") partition.source = (await extentNow(deps, src, signal)) ?? source;
      if (isOver()) return;
      const mark = await startOf(deps, partition, signal);
      if (isOver()) return;
      partition.mark = mark;
      deps.source.resume(src, mark);
      setCondition(partition, { kind: "running" });
    } catch (cause) {
      if (!isOver()) fail(partition, cause);
    }
  };

  /** Whichever process closes it, the others see it in the store. */
  const waitForBreaker = (partition: HeldPartition, state: BreakerState): void => {
    const condition = breakerCondition(state);
    setCondition(partition, condition);
    void deps.sleep(deps.limits.backoffMaxMs, signal).then(
      () => (partition.condition === condition ? open(partition) : undefined),
      () => undefined,
    );
  };

  const openBreaker = async (state: BreakerState): Promise<void> => {
    deps.log.error("breaker_open", breakerCondition(state).message, {
      rejected: state.rejected,
      seen: state.seen,
    });
    flood = state;
    await keepBreaker();
  };

  const keepBreaker = async (): Promise<void> => {
    while (flood !== undefined) {
      keeping ??= keep(flood).finally(() => {
        keeping = undefined;
      });
      await keeping;
    }
  };

  /** What was decided since the flood, by whichever process, stands above it. */
  const keep = async (state: BreakerState): Promise<void> => {
    const stored = await deps.state.breaker(signal);
    if (flood !== state) return;
    const isOpen = stored?.open === true;
    const isClosedSince = stored !== undefined && !isOpen && stored.sinceMs > state.sinceMs;
    if (!isOpen && !isClosedSince) await deps.state.setBreaker(state, signal);
    if (flood !== state) return;
    flood = undefined;
    if (!isClosedSince) obeyBreaker(isOpen ? stored : state);
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
        running: Promise.resolve(),
        isHeld: false,
        mark: undefined,
        logEnd: source.logEnd,
      };
      held.set(source.src, partition);
      void open(partition);
    },
    async batch(batch, control) {
      const partition = held.get(batch.src);
      if (partition === undefined) return batch.from;
      const end = Promise.withResolvers<void>();
      partition.running = end.promise;
      try {
        return await ingestSlices(deps, batch, partition, control, { openBreaker, room, stop: signal });
      } catch (cause) {
        fail(partition, cause);
        return partition.mark ?? batch.from;
      } finally {
        end.resolve();
      }
    },
    revoked(src) {
      const partition = held.get(src);
      held.delete(src);
      // Whoever reads on meets a flood that goes on.
      if (held.size === 0) flood = undefined;
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
    async hold(src, work) {
      const partition = heldOf(held, src);
      const { condition } = partition;
      if (!isStopped(partition) && condition.kind !== "waiting") throw refused(isReadHere);
      partition.isHeld = true;
      deps.source.pause(src);
      try {
        await partition.running;
        await work(partition, signal);
        const isAsBefore = held.get(src) === partition && partition.condition === condition;
        if (isAsBefore) setCondition(partition, { kind: "opening" });
      } finally {
        partition.isHeld = false;
        if (!isStopped(partition)) await open(partition);
      }
    },
    async reopen(src, { acceptIncarnation }) {
      const partition = heldOf(held, src);
      if (acceptIncarnation && (await acceptTopic(deps, partition, signal))) return;
      const extent = await extentNow(deps, src, signal);
      if (extent === undefined) throw refused(topicMadeAgain);
      if (heldOf(held, src) !== partition) throw refused(isAssignedAnew);
      partition.source = extent;
      deps.source.pause(src);
      setCondition(partition, { kind: "opening" });
      await open(partition);
    },
    async closeBreaker() {
      flood = undefined;
      await keeping?.catch(() => undefined);
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

const refused = (why: string): LastroError => new LastroError("FAILED_PRECONDITION", why);
const isReadHere = "the partition is read: it has to be stopped, or wait";
const isAssignedAnew = "the partition was assigned anew meanwhile, and is read from its mark; see GetIntake";
const isActedOn =
  "offsets of that partition are being skipped; see GetIntake for its mark, and ask again once that has ended";

/** Throws where an operator has nothing to act on here, or somebody else acts on it. */
function heldOf(held: HeldPartitions, src: Src): HeldPartition {
  const partition = held.get(src);
  if (partition === undefined)
    throw refused(
      "this process does not hold that partition; ask the one that does (see its log or the consumer group)",
    );
  if (partition.isHeld) throw refused(isActedOn);
  return partition;
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
