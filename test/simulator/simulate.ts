/** Runs the world of one seed: a time in which everything goes wrong, then one in which nothing does, and all must be as promised. */

import { startIntake } from "./intake.ts";
import { checkRest, isAtRest } from "./rest.ts";
import type { Action } from "./scheduler.ts";
import { startSequencer } from "./sequencer.ts";
import { look, openWorld, type Plan, quiet, restore, type World } from "./world.ts";

export type Simulated = {
  readonly seed: number;
  readonly plan: Plan;
  readonly trace: readonly string[];
  readonly broken: unknown;
};

type Process = World["lives"][number];

/** After the last fault; far more than any world has needed. */
const restTurnsMax = 20_000;
const restLookTurns = 20;
/** Of a hundred turns, those before which something happens to the world itself. */
const eventPercent = 12;

export async function simulate(seed: number): Promise<Simulated> {
  const world = await openWorld(seed);
  await using _ = world.place.store;
  const { plan, scheduler } = world;
  try {
    await chaos(world);
    await rest(world);
    await checkRest(world);
    return { seed, plan, trace: scheduler.trace, broken: undefined };
  } catch (broken) {
    return { seed, plan, trace: scheduler.trace, broken };
  } finally {
    for (const life of world.lives) scheduler.kill(life);
  }
}

async function chaos(world: World): Promise<void> {
  const { plan, scheduler, place } = world;
  await fillUp(world);
  const backup = {
    at: scheduler.draw(plan.turns),
    restoreAt: scheduler.draw(plan.turns * 2),
    tables: place.backUp(),
  };
  let sent = 0;
  for (let turn = 0; turn < plan.turns; turn++) {
    if (turn === backup.at) backup.tables = place.backUp();
    if (plan.restores && turn > backup.at && turn === backup.restoreAt) await goBack(world, backup.tables);
    if (scheduler.chance(eventPercent)) await happen(world);
    const due = Math.ceil(((turn + 1) * plan.messages.length) / plan.turns);
    for (; sent < due; sent++) publish(world, sent);
    await scheduler.step(world.broker.ready());
    await look(world);
  }
}

function publish({ plan, broker }: World, at: number): void {
  const message = plan.messages[at];
  const partition = broker.partitions[message?.partition ?? 0];
  if (message === undefined || partition === undefined) return;
  const { value } = message;
  const event = value === undefined ? undefined : { key: null, value: Buffer.from(value), headers: [] };
  broker.publish(partition, event);
}

/** As many processes of each role as the plan wants. */
async function fillUp(world: World): Promise<void> {
  const { plan, lives } = world;
  for (const [role, wanted] of [
    ["intake", plan.intakes],
    ["sequencer", plan.sequencers],
  ] as const) {
    const running = lives.filter((life) => life.role === role && life.state !== "dead").length;
    for (let n = running; n < wanted; n++) await start(world, role);
  }
}

async function start(world: World, role: Process["role"]): Promise<void> {
  const { lives, scheduler } = world;
  const name = `${role === "intake" ? "i" : "s"}${lives.length}`;
  scheduler.note(`${name} starts`);
  const life: Process = { name, role, state: "alive", skewMs: 0 };
  lives.push(life);
  if (role === "intake") await startIntake(world, life);
  else startSequencer(world, life);
}

async function happen(world: World): Promise<void> {
  const { plan, scheduler, broker, lives } = world;
  const running = lives.filter(({ state }) => state !== "dead");
  const one = running[scheduler.draw(Math.max(1, running.length))];
  const events: Action[] = [{ label: "the dead are replaced", run: () => fillUp(world) }];
  if (one !== undefined && plan.crashes)
    events.push({ label: `${one.name} dies`, run: () => scheduler.kill(one) });
  if (one !== undefined && plan.freezes) {
    const state = one.state === "frozen" ? "alive" : "frozen";
    const run = (): void => {
      one.state = state;
      // Its session ends, and its partitions go to others.
      if (state === "frozen") broker.rebalance();
    };
    events.push({ label: `${one.name} is ${state}`, run });
  }
  if (plan.rebalances) events.push({ label: "the group is shared out anew", run: broker.rebalance });
  if (one !== undefined && plan.clocks)
    events.push({ label: `the clock of ${one.name} jumps`, run: () => jump(world, one) });
  const event = events[scheduler.draw(events.length)];
  if (event === undefined) return;
  scheduler.note(event.label);
  await event.run();
}

const skewsMs = [0, 3_600_000, -3_600_000, 300_000, -300_000] as const;
function jump({ scheduler }: World, life: Process): void {
  if (life.role === "intake") life.skewMs = skewsMs[scheduler.draw(skewsMs.length)] ?? 0;
}

/** Everything ends, the store is an older copy of itself, and everything begins again. */
async function goBack(world: World, backup: ReturnType<World["place"]["backUp"]>): Promise<void> {
  const { scheduler, lives, place, broker } = world;
  scheduler.note("the store is restored");
  for (const life of lives) scheduler.kill(life);
  scheduler.cut();
  await restore(world, () => place.restore(backup));
  broker.rebalance();
  await fillUp(world);
}

async function rest(world: World): Promise<void> {
  const { scheduler, broker, plan, lives } = world;
  scheduler.note("nothing goes wrong any more");
  world.faults = quiet;
  for (
    let at = broker.partitions.reduce((sum, { events }) => sum + events.length, 0);
    at < plan.messages.length;
    at++
  )
    publish(world, at);
  for (const life of lives) if (life.state === "frozen") life.state = "alive";
  await fillUp(world);
  broker.rebalance();
  for (let turn = 0; turn < restTurnsMax; turn++) {
    await scheduler.step(broker.ready());
    await look(world);
    if (turn % restLookTurns === 0 && (await isAtRest(world))) return;
  }
  throw new Error(`no rest after ${restTurnsMax} turns`);
}
