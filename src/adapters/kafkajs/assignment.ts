/** The partitions that are ours now: where each is to be read, which incarnation it is, whether it stands still and why. */
import type { Consumer } from "kafkajs";
import { isTransient, LastroError } from "../../core/errors.ts";
import { type Src, srcOf, type TopicId } from "../../core/ids.ts";
import type { SourceHandler } from "../../ports/event-source.ts";
import type { Log } from "../../ports/log.ts";
import type { TopicReader, TopicState } from "../../ports/topic-reader.ts";
import type { Commits } from "./commits.ts";
import type { FetchFaults } from "./fetch-guard.ts";
import type { Membership } from "./membership.ts";

/** Pause between tries to learn what the topic holds while the broker does not tell. */
const topicRetryMs = 1_000;

export type Held = {
  readonly src: Src;
  readonly topicId: TopicId;
  readonly partition: number;
  /** Offset to read next; undefined: paused. */
  next: number | undefined;
  /** Counts pauses, moves and loss: a batch of an earlier turn is stale. */
  turn: number;
  /** Only another incarnation may follow. */
  changed: boolean;
  running: { readonly done: Promise<void>; readonly abort: AbortController } | undefined;
};

export type Assignment = FetchFaults & {
  handler(handler: SourceHandler): void;
  handling(): SourceHandler;
  joined(partitions: readonly number[]): void;
  byPartition(partition: number): Held | undefined;
  bySrc(src: Src): Held | undefined;
  resume(src: Src, from: number): void;
  pause(src: Src): void;
  acceptIncarnation(partition: number): Promise<void>;
  isDraining(): boolean;
  drain(budgetMs: number): Promise<void>;
  revokeAll(): void;
};

type Options = {
  readonly topic: string;
  readonly topicReader: TopicReader;
  readonly consumer: Consumer;
  readonly membership: Membership;
  readonly commits: Commits;
  readonly log: Log;
  /** The incarnation accepted last, by whichever process; undefined: none is remembered. */
  readonly incarnation: () => Promise<TopicId | undefined>;
  /** Taken while none is remembered. */
  readonly found: TopicId;
  readonly signal: AbortSignal;
};

type Known = { readonly state: TopicState; readonly accepted: TopicId };

export function openAssignment(options: Options): Assignment {
  const { topic, topicReader, consumer, commits, log, signal } = options;
  const held = new Map<number, Held>();
  let found = options.found;
  let to: SourceHandler | undefined;
  let generation = 0;
  let draining = false;
  let checking: Promise<void> | undefined;

  const handling = (): SourceHandler => {
    if (to === undefined) throw new LastroError("INTERNAL", "the event source has no handler yet");
    return to;
  };
  const bySrc = (src: Src): Held | undefined => held.values().find((one) => one.src === src);

  function halt(one: Held): void {
    one.next = undefined;
    one.turn += 1;
    consumer.pause([{ topic, partitions: [one.partition] }]);
  }

  function stop(one: Held, error: LastroError): void {
    halt(one);
    handling().stopped(one.src, error);
  }

  /** Takes everything away. Eager rebalancing gives nothing back by itself, and kafkajs joins again only when its batches have ended. */
  function takeAll(): Held[] {
    generation += 1;
    const gone = [...held.values()];
    held.clear();
    commits.forget();
    for (const one of gone) {
      one.turn += 1;
      one.running?.abort.abort();
    }
    return gone;
  }

  async function announce(mine: readonly number[], gone: readonly Held[], turn: number): Promise<void> {
    for (const one of gone) handling().revoked(one.src);
    await Promise.allSettled(gone.map((one) => one.running?.done));
    const known = await learn(turn);
    if (known === undefined || turn !== generation) return;
    for (const partition of mine) hold(partition, known.state, known.accepted);
  }

  async function learn(turn: number): Promise<Known | undefined> {
    while (turn === generation && !signal.aborted) {
      try {
        const [state, accepted] = await Promise.all([topicReader.read(topic, signal), options.incarnation()]);
        return { state, accepted: accepted ?? found };
      } catch (error) {
        if (error instanceof LastroError && !isTransient(error)) {
          handling().crashed(error);
          return undefined;
        }
        log.warn(
          "topic_unread",
          `waiting to be told what ${topic} holds and which incarnation of it was accepted`,
        );
        await new Promise((resolve) => setTimeout(resolve, topicRetryMs));
      }
    }
    return undefined;
  }

  function hold(partition: number, state: TopicState, topicId: TopicId): void {
    const extent = state.partitions.find((one) => one.partition === partition);
    if (extent === undefined) return;
    const src = srcOf(topicId, partition);
    const one: Held = {
      src,
      topicId,
      partition,
      next: undefined,
      turn: 0,
      changed: false,
      running: undefined,
    };
    held.set(partition, one);
    handling().assigned({ ...extent, src, topicId });
    if (state.topicId !== topicId) standStill(one, state.topicId);
  }

  function standStill(one: Held, found: TopicId): void {
    one.changed = true;
    stop(one, changedError(topic, one, found));
  }

  async function compareIncarnation(): Promise<void> {
    const watched = [...held.values()].filter((one) => !one.changed);
    if (watched.length === 0) return;
    try {
      const found = await topicReader.topicId(topic, signal);
      for (const one of watched) {
        if (held.get(one.partition) === one && !one.changed && one.topicId !== found) standStill(one, found);
      }
    } catch (error) {
      if (!signal.aborted)
        log.warn("topic_unread", `the incarnation of ${topic} was not checked: ${String(error)}`);
    }
  }

  const check = (): Promise<void> => {
    checking ??= compareIncarnation().finally(() => {
      checking = undefined;
    });
    return checking;
  };

  /** A re-created topic is often first seen as an offset out of range: look which it is before saying so. */
  async function explainAfterCheck(one: Held, error: LastroError): Promise<void> {
    halt(one);
    await check();
    if (!one.changed && held.get(one.partition) === one && one.next === undefined) stop(one, error);
  }

  return {
    handler(handler) {
      to = handler;
    },
    handling,
    byPartition: (partition) => held.get(partition),
    bySrc,
    joined(partitions) {
      consumer.pause([{ topic, partitions: [...partitions] }]);
      const gone = takeAll();
      void announce(partitions, gone, generation);
    },
    resume(src, from) {
      const one = bySrc(src);
      if (one === undefined || one.changed || draining) return;
      one.next = from;
      one.turn += 1;
      consumer.seek({ topic, partition: one.partition, offset: String(from) });
      consumer.resume([{ topic, partitions: [one.partition] }]);
    },
    pause(src) {
      const one = bySrc(src);
      if (one !== undefined) halt(one);
    },
    async acceptIncarnation(partition) {
      const state = await topicReader.read(topic, signal);
      found = state.topicId;
      const one = held.get(partition);
      if (one === undefined || one.topicId === state.topicId) return;
      halt(one);
      await one.running?.done;
      hold(partition, state, state.topicId);
    },
    outOfRange(partition) {
      const one = held.get(partition);
      if (one?.next !== undefined) void explainAfterCheck(one, outOfRangeError(topic, one, one.next));
    },
    corrupt(partition, cause) {
      const one = held.get(partition);
      if (one?.next === undefined) return;
      const isTooLarge = cause instanceof LastroError && cause.code === "BATCH_TOO_LARGE";
      stop(
        one,
        isTooLarge ? tooLargeError(topic, one, one.next, cause) : corruptError(topic, one, one.next, cause),
      );
    },
    topicInDoubt: () => void check(),
    isDraining: () => draining,
    async drain(budgetMs) {
      draining = true;
      if (held.size > 0) consumer.pause([{ topic, partitions: [...held.keys()] }]);
      const ending = Promise.allSettled([...held.values()].map((one) => one.running?.done));
      const timer = setTimeout(() => {
        for (const one of held.values()) {
          one.turn += 1;
          one.running?.abort.abort();
        }
      }, budgetMs);
      await ending;
      clearTimeout(timer);
    },
    revokeAll() {
      for (const one of takeAll()) handling().revoked(one.src);
    },
  };
}

const where = (topic: string, one: Held): string => `${topic} partition ${one.partition}`;

const changedError = (topic: string, one: Held, found: TopicId): LastroError =>
  new LastroError(
    "SOURCE_CHANGED",
    `${where(topic, one)}: the topic was deleted and made again (topic id ${found}, not ${one.topicId}); what the old one still held unread is lost. If that was meant, accept the new one with OperationsService.ResumePartition`,
  );

const outOfRangeError = (topic: string, one: Held, offset: number): LastroError =>
  new LastroError(
    "OFFSET_OUT_OF_RANGE",
    `${where(topic, one)}: offset ${offset} is not in Kafka's log (retention or DeleteRecords removed it, or the log was cut). Nothing was skipped: find out what was lost, then continue with OperationsService.ResumePartition`,
  );

const tooLargeError = (topic: string, one: Held, offset: number, cause: LastroError): LastroError =>
  new LastroError(
    "BATCH_TOO_LARGE",
    `${where(topic, one)}: the batch at offset ${offset} ${cause.message}, as no batch of events does; it is not read. Look into it with kafka-console-consumer, have the events in it published again in smaller batches, and skip it with OperationsService.SkipOffsets`,
    { cause },
  );

const corruptError = (topic: string, one: Held, offset: number, cause: unknown): LastroError =>
  new LastroError(
    "CORRUPT_BATCH",
    `${where(topic, one)}: the batch at offset ${offset} cannot be decoded. Check it with kafka-dump-log; if it is lost, skip it with OperationsService.SkipOffsets`,
    { cause },
  );
