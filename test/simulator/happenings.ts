/** What happens to a world and its processes while everything goes wrong, besides what becomes of their calls. */

import { startIntake } from "./intake.ts";
import type { Backup } from "./place.ts";
import type { Action } from "./scheduler.ts";
import { startSequencer } from "./sequencer.ts";
import type { Partition } from "./topic.ts";
import { type Process, restore, type World } from "./world.ts";

/** As many processes of each role as the plan wants. */
export function fillUp(world: World): void {
  const { plan, lives } = world;
  for (const [role, wanted] of [
    ["intake", plan.intakes],
    ["sequencer", plan.sequencers],
  ] as const) {
    const running = lives.filter((life) => life.role === role && life.state !== "dead").length;
    for (let n = running; n < wanted; n++) start(world, role);
  }
}

function start(world: World, role: Process["role"]): void {
  const { lives, scheduler } = world;
  const name = `${role === "intake" ? "i" : "s"}${lives.length}`;
  scheduler.note(`${name} starts`);
  const stop = new AbortController();
  const life: Process = {
    name, role, stop, state: "alive", skewMs: 0, intake: undefined, isOperated: false,
  }; // biome-ignore format: one line of names
  lives.push(life);
  if (role === "intake") void startIntake(world, life);
  else startSequencer(world, life);
}

export async function happen(world: World): Promise<void> {
  const { scheduler, lives } = world;
  const running = lives.filter(({ state }) => state !== "dead");
  const one = running[scheduler.draw(Math.max(1, running.length))];
  const events = [...toWorld(world), ...(one === undefined ? [] : toProcess(world, one))];
  const event = events[scheduler.draw(events.length)];
  if (event === undefined) return;
  scheduler.note(event.label);
  await event.run();
}

const when = (can: boolean, label: string, run: Action["run"]): readonly Action[] =>
  can ? [{ label, run }] : [];

function toWorld(world: World): readonly Action[] {
  const { plan, broker, ring } = world;
  const partition = stillPartition(world);
  return [
    { label: "the dead are replaced", run: () => fillUp(world) },
    ...when(plan.rebalances, "the group is shared out anew", broker.rebalance),
    ...when(plan.recreates && broker.partitions.length <= plan.partitions, "the topic is made again", () =>
      broker.recreate(),
    ),
    ...when(ring.keks.length < plan.keks, "another KEK is current", () => addKek(world)),
    ...when(plan.retention, "all are down until retention has passed", () =>
      outage(world, () => {
        for (const one of broker.current()) expire(world, one);
      }),
    ),
    ...when(
      plan.retention && partition !== undefined,
      "retention passes a partition that stands still",
      () => {
        if (partition !== undefined) expire(world, partition);
      },
    ),
  ];
}

function toProcess(world: World, one: Process): readonly Action[] {
  const { plan, scheduler, broker } = world;
  const { name } = one;
  const state = one.state === "frozen" ? "alive" : "frozen";
  return [
    ...when(plan.crashes, `${name} dies`, () => scheduler.kill(one)),
    ...when(plan.stops && one.state === "alive", `${name} is asked to stop`, () => stop(world, one)),
    ...when(plan.freezes, `${name} is ${state}`, () => {
      one.state = state;
      // Its session ends, and its partitions go to others.
      if (state === "frozen") broker.rebalance();
    }),
    ...when(plan.clocks, `the clock of ${name} jumps`, () => jump(world, one)),
  ];
}

/** The first SIGTERM: what was begun is finished, then it leaves. */
function stop({ scheduler, broker }: World, life: Process): void {
  life.stop.abort(new Error("asked to stop"));
  if (life.role === "sequencer") return;
  void Promise.resolve(life.intake?.source[Symbol.asyncDispose]()).then(() => {
    scheduler.kill(life);
    broker.rebalance();
  });
}

const [hourMs, yearMs] = [3_600_000, 365 * 86_400_000];
const skewsMs = [0, hourMs, -hourMs, hourMs / 12, -hourMs / 12, 10 * yearMs] as const;
function jump({ scheduler }: World, life: Process): void {
  life.skewMs = skewsMs[scheduler.draw(skewsMs.length)] ?? 0;
}

const kekBytes = 32;
function addKek({ ring }: World): void {
  const epoch = ring.keks.length + 1;
  ring.keks.push({ epoch, key: Buffer.alloc(kekBytes, epoch) });
  ring.currentEpoch = epoch;
}

/** Nobody reads it, and what was sent of it has arrived: retention takes days. */
function stillPartition({ broker, scheduler, lives }: World): Partition | undefined {
  const intakes = new Set(lives.filter(({ role }) => role === "intake").map(({ name }) => name));
  if (scheduler.isUnderWay(({ name }) => intakes.has(name))) return undefined;
  return broker.current().find((partition) => !broker.isRead(partition));
}

function expire({ scheduler }: World, partition: Partition): void {
  const { events, logStart } = partition;
  partition.logStart += scheduler.draw(Math.max(1, events.length - logStart));
}

/** Everything ends, and begins again after `meanwhile`. */
async function outage(world: World, meanwhile: () => void | Promise<void>): Promise<void> {
  const { scheduler, lives, broker } = world;
  for (const life of lives) scheduler.kill(life);
  scheduler.cut();
  await meanwhile();
  broker.rebalance();
  fillUp(world);
}

/** The store is an older copy of itself. */
export function goBack(world: World, backup: Backup): Promise<void> {
  world.scheduler.note("the store is restored");
  return outage(world, () => restore(world, () => world.place.restore(backup)));
}
