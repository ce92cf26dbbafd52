/** A Kafka in memory: partitions with holes, and a group whose members learn late of what they were given or lost. */
import type { SourceEvent } from "../../src/core/event.ts";
import { type Src, srcOf } from "../../src/core/ids.ts";
import type { EventSource, SourceHandler, SourcePartition } from "../../src/ports/event-source.ts";
import { nowMs, topicId } from "../support/intake.ts";
import type { Call } from "./calls.ts";
import type { Action, Life, Scheduler } from "./scheduler.ts";

export type Partition = {
  readonly src: Src;
  readonly number: number;
  /** By offset; undefined is one that is never delivered. */
  readonly events: (SourceEvent | undefined)[];
  /** Who reads it, for the group. */
  owner: Member | undefined;
  generation: number;
};

/** Undefined in its place: an offset that is never delivered. */
export type Published = Omit<SourceEvent, "offset" | "timestampMs">;

type Member = {
  readonly life: Life;
  readonly handler: SourceHandler;
  /** What it reads, for itself. */
  readonly held: Map<Partition, Held>;
};

type Held = {
  readonly generation: number;
  readonly gone: AbortController;
  /** Counts pauses and moves: what a batch returns means nothing after one. */
  moves: number;
  next: number | undefined;
  isRunning: boolean;
};

export type Broker = {
  readonly partitions: readonly Partition[];
  publish(partition: Partition, event: Published | undefined): void;
  /** Shares the partitions out anew among the members that answer; each learns of it when it asks. */
  rebalance(): void;
  open(life: Life, call: Call): EventSource;
  /** What its members could do now. */
  ready(): readonly Action[];
};

export const topic = "audit";
/** A partition stays with a member that answers. */
const stayPercent = 50;
/** Of a hundred turns, those in which a member can hear of changes: until then it goes on with what it had. */
const hearPercent = 20;
/** A member at work that could learn what it lost ends its batch first that often. */
const drainPercent = 50;

export function makeBroker(
  scheduler: Scheduler,
  count: number,
  onCommit: (src: Src, next: number) => void,
  batchMax = 6,
): Broker {
  const members: Member[] = [];
  const partitions = Array.from({ length: count }, (_, number) => newPartition(number));
  const alive = (): readonly Member[] => members.filter(({ life }) => life.state === "alive");
  const rebalance = (): void => {
    for (const partition of partitions) {
      const mayStay = partition.owner?.life.state === "alive";
      if (mayStay && scheduler.chance(stayPercent)) continue;
      partition.owner = alive()[scheduler.draw(alive().length)];
      partition.generation += 1;
    }
  };
  return {
    partitions,
    rebalance,
    publish({ events }, event) {
      events.push(event && { ...event, offset: events.length, timestampMs: nowMs });
    },
    open: (life, call) =>
      openMember(partitions, call, onCommit, life, (member) => {
        members.push(member);
        rebalance();
      }),
    ready: () =>
      alive().flatMap((member) => [
        ...changes(scheduler, partitions, member),
        ...fetches(scheduler, batchMax, member),
      ]),
  };
}

const newPartition = (number: number): Partition => ({
  src: srcOf(topicId, number),
  number,
  events: [],
  owner: undefined,
  generation: 0,
});

const extentOf = ({ src, number, events }: Partition): SourcePartition => ({
  src,
  topicId,
  partition: number,
  logStart: 0,
  logEnd: events.length,
});

const isOurs = (member: Member, partition: Partition): boolean =>
  partition.owner === member && member.held.get(partition)?.generation === partition.generation;

/** The member asks the group what it has: one action for all of it. */
function changes(scheduler: Scheduler, partitions: readonly Partition[], member: Member): readonly Action[] {
  const { held, handler, life } = member;
  const lost = [...held.keys()].filter((partition) => !isOurs(member, partition));
  const given = partitions.filter((one) => one.owner === member && !isOurs(member, one));
  if (lost.length + given.length === 0 || !scheduler.chance(hearPercent)) return [];
  const run = (): void => {
    const isAtWork = lost.some((partition) => held.get(partition)?.isRunning);
    if (isAtWork && scheduler.chance(drainPercent)) return;
    for (const partition of lost) {
      const had = held.get(partition);
      held.delete(partition);
      had?.gone.abort(new Error("the partition was lost"));
      handler.revoked(partition.src);
    }
    for (const partition of given) {
      const gone = new AbortController();
      const { generation } = partition;
      held.set(partition, { generation, gone, moves: 0, next: undefined, isRunning: false });
      handler.assigned(extentOf(partition));
    }
  };
  return [{ label: `${life.name} hears of the group`, run }];
}

const fetches = (scheduler: Scheduler, batchMax: number, member: Member): readonly Action[] =>
  [...member.held].flatMap(([partition, held]) => {
    const { next, isRunning } = held;
    if (isRunning || next === undefined || next >= partition.events.length) return [];
    const run = (): void => {
      const more = scheduler.draw(Math.min(batchMax, partition.events.length - next));
      deliver(member, partition, held, next, next + 1 + more);
    };
    return [{ label: `${member.life.name} fetches ${partition.number} from ${next}`, run }];
  });

function deliver(
  { handler, held: heldNow }: Member,
  partition: Partition,
  held: Held,
  from: number,
  to: number,
): void {
  const { src, number, events } = partition;
  const { moves } = held;
  const batch = {
    src, topicId, topic, partition: number, from, to, logEnd: events.length,
    events: events.slice(from, to).filter((event) => event !== undefined),
  }; // biome-ignore format: one line a name
  const control = {
    heartbeat: async () => undefined,
    isStale: () => heldNow.get(partition) !== held || held.moves !== moves,
    signal: held.gone.signal,
  };
  held.isRunning = true;
  void handler.batch(batch, control).then((next) => {
    held.isRunning = false;
    if (held.moves === moves) held.next = next;
  });
}

function openMember(
  partitions: readonly Partition[],
  call: Call,
  onCommit: (src: Src, next: number) => void,
  life: Life,
  join: (member: Member) => void,
): EventSource {
  const all = new Map<Partition, Held>();
  const move = (src: Src, next: number | undefined): void => {
    for (const [partition, held] of all) {
      if (partition.src !== src) continue;
      held.moves += 1;
      held.next = next;
    }
  };
  return {
    start: async (handler) => join({ life, handler, held: all }),
    resume: (src, from) => move(src, from),
    pause: (src) => move(src, undefined),
    commit(src, next) {
      if (life.state !== "dead") onCommit(src, next);
    },
    partitions: (signal) => call("source.partitions", signal, () => partitions.map(extentOf)),
    acceptIncarnation: async () => undefined,
    clusterId: async () => topicId,
    isConnected: () => true,
    [Symbol.asyncDispose]: async () => undefined,
  };
}
