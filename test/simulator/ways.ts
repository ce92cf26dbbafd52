/** What processes of a world see of each other and of everything outside: calls, a clock, and a place to say what must not be. */
import { nowMs } from "../support/intake.ts";
import { type Call, callBy, noFaults, reached, stepwiseLog, stepwiseRecords } from "./calls.ts";
import { assert } from "./violation.ts";
import type { World } from "./world.ts";

export type Process = World["lives"][number];

const effects = /\.(append|account|repairActive|moveHead|putTile|publish|queueControl)$/;

/** What the process calls, by whom it is answered. */
export function waysOf(world: World, life: Process) {
  const { scheduler, written } = world;
  const onEffect = (label: string): void => {
    if (effects.test(label)) written.add(label.startsWith("log.") ? "log" : "records");
  };
  const way = { scheduler, life, faults: () => world.faults, onEffect };
  return {
    store: callBy({ ...way, code: "STORE_UNAVAILABLE" }),
    source: callBy({ ...way, code: "SOURCE_UNAVAILABLE" }),
    letters: callBy({ ...way, code: "DEAD_LETTERS_UNAVAILABLE" }),
    hints: callBy({ ...way, faults: () => noFaults, code: "INTERNAL" }),
    witness: callBy({ ...way, code: "WITNESS_UNAVAILABLE" }),
    signer: callBy({ ...way, faults: () => noFaults, code: "INTERNAL" }),
  };
}

export function facesOf({ place, plan }: World, call: Call) {
  const records = reached(place.store.records, "records", call);
  const log = reached(place.store.log, "log", call);
  return {
    records: plan.isStepwise ? stepwiseRecords(records) : records,
    log: {
      ...(plan.isStepwise ? stepwiseLog(log) : log),
      ...(plan.isLeaseFree && { lease: async () => true }),
    },
    keys: reached(place.store.keys, "keys", call),
    state: reached(place.store.state, "state", call),
  };
}

export const clockOf =
  ({ scheduler }: World, life: Process) =>
  (): number =>
    nowMs + scheduler.elapsedMs() + life.skewMs;

/** What no fault excuses: a bug of ours, or a need for an operator. */
export const fault = (world: World, life: Process, what: string): void =>
  void world.claims.push(() => assert(false, () => `${life.name}: ${what}`));
