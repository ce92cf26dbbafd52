/** The pure stations in the thread that asks, in slices so that heartbeats and readers get their turn. */
import type { Rejection } from "../core/outcome.ts";
import type { SealedBody } from "../privacy/seal.ts";
import { paceOf } from "./pace.ts";
import {
  type EventFacts,
  type Refusal,
  readEvent,
  type StationSettings,
  type Stations,
  sealOne,
  type ToSeal,
} from "./stations.ts";

export const stationsHere = (settings: StationSettings): Stations => ({
  async prepare({ src, events }, nowMs, control) {
    const results: (EventFacts | Refusal)[] = [];
    const kept: (ToSeal | undefined)[] = [];
    const pace = paceOf(control);
    for (const event of events) {
      await pace(event.value);
      const read = readEvent(settings, src, event, nowMs);
      results.push("facts" in read ? read.facts : read);
      kept.push("facts" in read ? read.toSeal : undefined);
    }
    return {
      results,
      async seal(orders, sealing) {
        const sealed: (SealedBody | Rejection)[] = [];
        const paceSealing = paceOf(sealing);
        for (const order of orders) {
          const toSeal = kept[order.at];
          if (toSeal === undefined) throw new Error(`event ${order.at} of the batch was refused`);
          await paceSealing(toSeal.event.value);
          sealed.push(sealOne(settings, toSeal, order));
        }
        return sealed;
      },
      [Symbol.dispose]() {},
    };
  },
  async [Symbol.asyncDispose]() {},
});
