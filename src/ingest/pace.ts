/** Lets timers, heartbeats and readers have their turn during long work on the bytes of many events. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { BatchControl } from "../ports/event-source.ts";

const eventsPerTurnMax = 128;
const bytesPerTurnMax = 256 * 1024;

/** To be called before each event; waits when enough was done since the last turn. */
export function paceOf(
  control: Pick<BatchControl, "heartbeat">,
): (value: Uint8Array | null) => Promise<void> | undefined {
  let [events, bytes] = [0, 0];
  return (value) => {
    events += 1;
    bytes += value?.length ?? 0;
    if (events < eventsPerTurnMax && bytes < bytesPerTurnMax) return undefined;
    [events, bytes] = [0, 0];
    return nextTurn().then(() => control.heartbeat());
  };
}
