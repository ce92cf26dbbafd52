/** The operator of a world: decides what stands still until somebody does. */
import { LastroError } from "../../src/core/errors.ts";
import type { Action } from "./scheduler.ts";
import { fault } from "./ways.ts";
import type { Process, World } from "./world.ts";

/** Of a hundred turns, those in which the operator looks. */
const lookPercent = 20;

export function operatorActs(world: World): readonly Action[] {
  const acts = world.lives.flatMap((life) => actsAt(world, life));
  return acts.length > 0 && world.scheduler.chance(lookPercent) ? acts : [];
}

function actsAt(world: World, life: Process): readonly Action[] {
  const { intake, state, isOperated, stop } = life;
  if (intake === undefined || state !== "alive" || isOperated || stop.signal.aborted) return [];
  const { consumer } = intake;
  const ask = (label: string, work: () => Promise<void>): Action => ({
    label: `the operator ${label} at ${life.name}`,
    run: () => {
      life.isOperated = true;
      void work()
        .catch((error: unknown) => {
          // He is told why, and tries again.
          if (!(error instanceof LastroError)) fault(world, life, String(error));
        })
        .finally(() => {
          life.isOperated = false;
        });
    },
  });
  return [...consumer.held].flatMap(([src, { condition }]) => {
    const { kind, code } = { code: undefined, ...condition };
    if (kind === "waiting" && code === "BREAKER_OPEN")
      return [ask("closes the breaker", () => consumer.closeBreaker())];
    if (kind !== "stopped") return [];
    const acceptIncarnation = code === "SOURCE_CHANGED";
    return [ask(`resumes ${src}`, () => consumer.reopen(src, { acceptIncarnation }))];
  });
}
