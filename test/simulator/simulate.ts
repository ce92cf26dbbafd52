/** Runs the world of one seed: a time in which everything goes wrong, then one in which nothing does, and all must be as promised. */

import { fillUp, goBack, happen } from "./happenings.ts";
import { operatorActs } from "./operator.ts";
import type { Plan } from "./plan.ts";
import { checkRest, isAtRest } from "./rest.ts";
import { look, openWorld, type World } from "./world.ts";

export type Simulated = {
  readonly seed: number;
  readonly plan: Plan;
  readonly trace: readonly string[];
  readonly broken: unknown;
};

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
  fillUp(world);
  const backup = {
    at: scheduler.draw(plan.turns),
    restoreAt: scheduler.draw(plan.turns * 2),
    tables: place.backUp(),
  };
  for (let turn = 0; turn < plan.turns; turn++) {
    if (turn === backup.at) backup.tables = place.backUp();
    if (plan.restores && turn > backup.at && turn === backup.restoreAt) await goBack(world, backup.tables);
    if (scheduler.chance(eventPercent)) await happen(world);
    const due = Math.ceil(((turn + 1) * plan.messages.length) / plan.turns);
    while (world.sent < due) publish(world);
    await turnOf(world);
  }
}

async function turnOf(world: World): Promise<void> {
  await world.scheduler.step([...world.broker.ready(), ...operatorActs(world)]);
  await look(world);
}

function publish(world: World): void {
  const { plan, broker } = world;
  const message = plan.messages[world.sent++];
  const partition = broker.current()[message?.partition ?? 0];
  if (message === undefined || partition === undefined) return;
  const { value } = message;
  const key = Buffer.from(`message ${world.sent}`);
  const event = value === undefined ? undefined : { key, value: Buffer.from(value), headers: [] };
  broker.publish(partition, event);
}

async function rest(world: World): Promise<void> {
  const { scheduler, broker, plan, lives } = world;
  scheduler.note("nothing goes wrong any more");
  world.isQuiet = true;
  while (world.sent < plan.messages.length) publish(world);
  for (const life of lives) if (life.state === "frozen") life.state = "alive";
  broker.rebalance();
  for (let turn = 0; turn < restTurnsMax; turn++) {
    if (turn % restLookTurns === 0) {
      fillUp(world);
      if (await isAtRest(world)) return;
    }
    await turnOf(world);
  }
  throw new Error(`no rest after ${restTurnsMax} turns`);
}
