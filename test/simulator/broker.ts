/** A Kafka in memory: a topic, and the group whose members read it. */
import type { SourceEvent } from "../../src/core/event.ts";
import type { EventSource } from "../../src/ports/event-source.ts";
import { nowMs } from "../support/intake.ts";
import type { Call } from "./calls.ts";
import { changes, fetches, type Group, type GroupRules, openMember, type Share } from "./member.ts";
import type { Action, Life, Scheduler } from "./scheduler.ts";
import { newPartition, type Partition } from "./topic.ts";

/** Undefined in its place: an offset that is never delivered. */
export type Published = Omit<SourceEvent, "offset" | "timestampMs">;

export type Broker = {
  /** Of the topic as it is now. */
  current(): readonly Partition[];
  /** Of all its incarnations. */
  readonly partitions: readonly Partition[];
  publish(partition: Partition, event: Published | undefined): void;
  /** Shares the partitions out anew among the members that answer; each learns of it when it asks. */
  rebalance(): void;
  /** Deletes the topic and makes it again. */
  recreate(): void;
  /** Whether a batch of it is being worked on. */
  isRead(partition: Partition): boolean;
  open(life: Life, call: Call): EventSource;
  /** What its members could do now. */
  ready(): readonly Action[];
};

/** A partition stays with a member that answers. */
const stayPercent = 50;

export function makeBroker(scheduler: Scheduler, count: number, rules: GroupRules): Broker {
  const partitions = Array.from({ length: count }, (_, number) => newPartition(1, number));
  const shares = partitions.map((partition): Share => ({ partition, owner: undefined, generation: 0 }));
  const group: Group = { ...rules, scheduler, shares, partitions, members: [] };
  const alive = (): Group["members"] => group.members.filter(({ life }) => life.state === "alive");
  const rebalance = (): void => {
    const members = alive().filter(({ isLeaving }) => !isLeaving);
    for (const share of shares) {
      const mayStay = share.owner !== undefined && members.includes(share.owner);
      if (mayStay && scheduler.chance(stayPercent)) continue;
      share.owner = members[scheduler.draw(members.length)];
      share.generation += 1;
    }
  };
  return {
    current: () => shares.map(({ partition }) => partition),
    partitions,
    rebalance,
    publish({ events }, event) {
      events.push(event && { ...event, offset: events.length, timestampMs: nowMs });
    },
    recreate() {
      for (const [number, share] of shares.entries()) {
        share.partition = newPartition(partitions.length / count + 1, number);
      }
      partitions.push(...shares.map(({ partition }) => partition));
    },
    isRead: (partition) =>
      group.members.some(
        ({ life, held }) =>
          life.state !== "dead" &&
          [...held.values()].some((one) => one.partition === partition && one.running !== undefined),
      ),
    open: (life, call) => openMember(group, rebalance, life, call),
    ready: () => alive().flatMap((member) => [...changes(group, member), ...fetches(group, member)]),
  };
}
