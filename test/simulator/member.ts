/** A member of the group that reads the topic: it learns late of what it was given or lost, and goes on with what it had. */
import { LastroError } from "../../src/core/errors.ts";
import type { Src, TopicId } from "../../src/core/ids.ts";
import type { EventSource, SourceHandler } from "../../src/ports/event-source.ts";
import type { Call } from "./calls.ts";
import type { Action, Life, Scheduler } from "./scheduler.ts";
import { clusterId, extentOf, type Partition, topic } from "./topic.ts";

/** What the group shares out: a partition by its number, of whichever incarnation. */
export type Share = {
  partition: Partition;
  owner: Member | undefined;
  generation: number;
};

type Member = {
  readonly life: Life;
  readonly handler: SourceHandler;
  /** What it reads, for itself. */
  readonly held: Map<Share, Held>;
  isLeaving: boolean;
};

type Held = {
  readonly partition: Partition;
  readonly generation: number;
  readonly gone: AbortController;
  /** Counts pauses and moves: what a batch returns means nothing after one. */
  moves: number;
  next: number | undefined;
  running: Promise<void> | undefined;
  /** Only another incarnation may follow. */
  isChanged: boolean;
};

export type GroupRules = {
  readonly batchMax: number;
  /** A partition is given away once the batch of it has ended, as by a group whose members answer in time. */
  readonly isOrderly: boolean;
  /** The incarnation that the store accepted last. */
  readonly accepted: () => Promise<TopicId | undefined>;
  readonly onCommit: (src: Src, next: number) => void;
};

export type Group = GroupRules & {
  readonly scheduler: Scheduler;
  readonly shares: readonly Share[];
  readonly partitions: Partition[];
  readonly members: Member[];
};

/** Of a hundred turns, those in which a member can hear of changes: until then it goes on with what it had. */
const hearPercent = 20;
/** In a group that is not orderly, a member at work that could learn what it lost ends its batch first that often. */
const drainPercent = 50;

const isOurs = (member: Member, share: Share): boolean =>
  share.owner === member && member.held.get(share)?.generation === share.generation;

/** The member asks the group what it has, and whether that is the topic it knows: one action for all of it. */
export function changes(group: Group, member: Member): readonly Action[] {
  const { scheduler, shares, isOrderly } = group;
  const { held, handler, life, isLeaving } = member;
  const lost = [...held.keys()].filter((share) => !isOurs(member, share));
  const mayTake = (share: Share): boolean => !isLeaving && !(isOrderly && isAtWork(group, share));
  const given = shares.filter((one) => one.owner === member && !isOurs(member, one) && mayTake(one));
  const changed = [...held].filter(([share, one]) => !one.isChanged && one.partition !== share.partition);
  if (lost.length + given.length + changed.length === 0 || !scheduler.chance(hearPercent)) return [];
  const run = async (): Promise<void> => {
    const mustEnd = lost.some((share) => held.get(share)?.running !== undefined);
    if (mustEnd && (isOrderly || scheduler.chance(drainPercent))) return;
    for (const share of lost) {
      const had = held.get(share);
      held.delete(share);
      had?.gone.abort(new Error("the partition was lost"));
      if (had !== undefined) handler.revoked(had.partition.src);
    }
    const accepted = given.length === 0 ? undefined : await group.accepted();
    for (const share of given) hold(group, member, share, accepted ?? share.partition.topicId);
    for (const [share, one] of changed) if (held.get(share) === one) standStill(member, one);
  };
  return [{ label: `${life.name} hears of the group`, run }];
}

const isAtWork = ({ members }: Group, share: Share): boolean =>
  members.some(({ life, held }) => life.state !== "dead" && held.get(share)?.running !== undefined);

/** It has the partition of the incarnation that was accepted, and reads it only if there is no other. */
function hold({ partitions }: Group, member: Member, share: Share, accepted: TopicId): void {
  const { number } = share.partition;
  const partition =
    partitions.find((one) => one.topicId === accepted && one.number === number) ?? share.partition;
  const one: Held = {
    partition,
    generation: share.generation,
    gone: new AbortController(),
    moves: 0,
    next: undefined,
    running: undefined,
    isChanged: false,
  };
  member.held.set(share, one);
  const { src, topicId } = partition;
  member.handler.assigned({ ...extentOf(share.partition), src, topicId });
  if (partition !== share.partition) standStill(member, one);
}

function stop({ handler }: Member, one: Held, error: LastroError): void {
  one.next = undefined;
  one.moves += 1;
  handler.stopped(one.partition.src, error);
}

function standStill(member: Member, one: Held): void {
  one.isChanged = true;
  stop(member, one, new LastroError("SOURCE_CHANGED", "the topic was deleted and made again"));
}

export const fetches = ({ scheduler, batchMax }: Group, member: Member): readonly Action[] =>
  [...member.held].flatMap(([share, held]) => {
    const { next, running, partition } = held;
    if (member.isLeaving || running !== undefined || next === undefined) return [];
    const label = `${member.life.name} fetches ${partition.number} from ${next}`;
    if (partition !== share.partition) return [{ label, run: () => standStill(member, held) }];
    const outOfRange = new LastroError("OFFSET_OUT_OF_RANGE", `offset ${next} is not to be read`);
    if (next < partition.logStart) return [{ label, run: () => stop(member, held, outOfRange) }];
    if (next >= partition.events.length) return [];
    const run = (): void => {
      const more = scheduler.draw(Math.min(batchMax, partition.events.length - next));
      deliver(member, share, held, next, next + 1 + more);
    };
    return [{ label, run }];
  });

function deliver(
  { handler, held: heldNow }: Member,
  share: Share,
  held: Held,
  from: number,
  to: number,
): void {
  const { src, topicId, number, events } = held.partition;
  const { moves } = held;
  const batch = {
    src, topicId, topic, partition: number, from, to, logEnd: events.length,
    events: events.slice(from, to).filter((event) => event !== undefined),
  }; // biome-ignore format: one line a name
  const control = {
    heartbeat: async () => undefined,
    isStale: () => heldNow.get(share) !== held || held.moves !== moves,
    signal: held.gone.signal,
  };
  held.running = handler.batch(batch, control).then((next) => {
    held.running = undefined;
    if (held.moves === moves) held.next = next;
  });
}

export function openMember(group: Group, rebalance: () => void, life: Life, call: Call): EventSource {
  let member: Member | undefined;
  const heldOf = (src: Src): Held | undefined =>
    [...(member?.held.values() ?? [])].find(({ partition }) => partition.src === src);
  const move = (src: Src, next: number | undefined): void => {
    const held = heldOf(src);
    if (held === undefined || held.isChanged) return;
    held.moves += 1;
    held.next = next;
  };
  return {
    async start(handler) {
      member = { life, handler, held: new Map(), isLeaving: false };
      group.members.push(member);
      rebalance();
    },
    resume: (src, from) => move(src, from),
    pause: (src) => move(src, undefined),
    commit(src, next) {
      if (life.state !== "dead") group.onCommit(src, next);
    },
    partitions: (signal) =>
      call("source.partitions", signal, () => group.shares.map(({ partition }) => extentOf(partition))),
    async acceptIncarnation(number) {
      const share = group.shares[number];
      const held = share && member?.held.get(share);
      if (member === undefined || held === undefined || held.partition === share?.partition) return;
      held.next = undefined;
      held.moves += 1;
      await held.running;
      if (share !== undefined && isOurs(member, share)) hold(group, member, share, share.partition.topicId);
    },
    clusterId: async () => clusterId,
    isConnected: () => true,
    async [Symbol.asyncDispose]() {
      if (member === undefined) return;
      member.isLeaving = true;
      await Promise.all([...member.held.values()].map(({ running }) => running));
    },
  };
}
