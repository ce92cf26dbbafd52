/** What processes of a world see of each other and of everything outside: calls, a clock, and a place to say what must not be. */
import { nowMs } from "../support/intake.ts";
import { type Call, callBy, type Faults, noFaults, reached, stepwiseLog, stepwiseRecords } from "./calls.ts";
import { assert } from "./violation.ts";
import type { Process, World } from "./world.ts";

const effects = /\.(append|account|repairActive|moveHead|putTile|publish|queueControl)$/;

/** What the process calls, by whom it is answered. */
export function waysOf(world: World, life: Process) {
  const { scheduler, written, plan } = world;
  const onEffect = (label: string): void => {
    if (effects.test(label)) written.add(label.startsWith("log.") ? "log" : "records");
  };
  const unlessQuiet = (faults: Faults) => (): Faults => (world.isQuiet ? noFaults : faults);
  const away = (percent = 0) => unlessQuiet({ ...plan.faults, lost: percent });
  const way = { scheduler, life, faults: unlessQuiet(plan.faults), onEffect };
  return {
    store: callBy({ ...way, code: "STORE_UNAVAILABLE" }),
    source: callBy({ ...way, code: "SOURCE_UNAVAILABLE" }),
    letters: callBy({ ...way, code: "DEAD_LETTERS_UNAVAILABLE" }),
    ring: callBy({ ...way, faults: away(plan.ring?.away), code: "KEY_UNAVAILABLE" }),
    hints: callBy({ ...way, faults: () => noFaults, code: "INTERNAL" }),
    witness: callBy({ ...way, faults: away(plan.witnessAway), code: "WITNESS_UNAVAILABLE" }),
    anchor: callBy({ ...way, faults: away(plan.anchorAway), code: "ANCHOR_UNAVAILABLE" }),
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
    audit: reached(place.store.audit, "audit", call),
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
