/** IngestService: events to src/collect, answers through the wire. */
import { type CollectDeps, eventsAtOnceMax, publishEvents } from "../../collect/publish-events.ts";
import { LastroError } from "../../core/errors.ts";
import type { IngestService } from "../../gen/lastro/v1/ingest_pb.ts";
import { offeredFromWire, publishedToWire, waitFromWire } from "../wire-ingest.ts";
import type { Handlers } from "./unary.ts";

export const ingestHandlers = (deps: CollectDeps): Handlers<typeof IngestService> => ({
  async publishEvent({ event, waitFor }, caller, signal) {
    const offered = [offeredFromWire(event, "event")];
    const wait = waitFromWire(waitFor);
    const [published] = await publishEvents(deps, offered, wait, () => "event", caller, signal);
    return published === undefined ? {} : { event: publishedToWire(published) };
  },

  async publishEvents({ events, waitFor }, caller, signal) {
    if (events.length === 0 || events.length > eventsAtOnceMax) {
      throw new LastroError("INVALID_ARGUMENT", `events must be 1 to ${eventsAtOnceMax}`, {
        field: "events",
      });
    }
    const fieldOf = (index: number): string => `events[${index}]`;
    const offered = events.map((event, i) => offeredFromWire(event, fieldOf(i)));
    const wait = waitFromWire(waitFor);
    const published = await publishEvents(deps, offered, wait, fieldOf, caller, signal);
    return { events: published.map(publishedToWire) };
  },
});
