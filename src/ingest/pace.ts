/** Long work on the bytes of many events, one batch at a time: while a store takes one batch the next is prepared. Timers, heartbeats and readers have their turn in between. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { Mutex } from "async-mutex";
import type { BatchControl } from "../ports/event-source.ts";

const eventsPerTurnMax = 128;
const bytesPerTurnMax = 256 * 1024;

/** Calls `work` for each item; `bytesOf` tells the bytes it works on. Who asks first is first. */
export type Pace = <T>(
  items: readonly T[],
  bytesOf: (item: T) => Uint8Array | null,
  control: Pick<BatchControl, "heartbeat">,
  work: (item: T, at: number) => void,
) => Promise<void>;

/** For all partitions together. */
export function openPace(): Pace {
  const oneBatch = new Mutex();
  return (items, bytesOf, control, work) =>
    oneBatch.runExclusive(async () => {
      let [at, events, bytes] = [0, 0, 0];
      for (const item of items) {
        events += 1;
        bytes += bytesOf(item)?.length ?? 0;
        if (events >= eventsPerTurnMax || bytes >= bytesPerTurnMax) {
          [events, bytes] = [0, 0];
          await nextTurn();
          await control.heartbeat();
        }
        work(item, at);
        at += 1;
      }
    });
}
