/** Tells a flood of rejections that looks like a wrong deployment from one bad producer. Its memory is a window; its verdict is kept in the store. */
import { isJsonObject, type JsonValue, member } from "../core/json.ts";
import type { BreakerState } from "../ports/store-state.ts";
import type { Fates } from "./fate.ts";
import type { Prepared } from "./prepare.ts";

export type BreakerSettings = {
  readonly enabled: boolean;
  /** Messages looked back upon; the breaker never opens before as many were seen. */
  readonly windowSize: number;
  /** Share of rejected messages that opens it. */
  readonly ratio: number;
  /** Producers that must be among the rejected, as they name themselves; what cannot be read names none. */
  readonly producersMin: number;
};

/** Its broken messages are part of the show. */
export const demoTenant = "demo";

type Sighting = { readonly rejected: boolean; readonly producer: string | undefined };

export type Breaker = {
  /** Notes a batch; returns the state to open with when it is the one too many. */
  note(prepared: Prepared, fates: Fates, nowMs: number): BreakerState | undefined;
  reset(): void;
};

export function newBreaker(settings: BreakerSettings): Breaker {
  let window: Sighting[] = [];
  return {
    note(prepared, fates, nowMs) {
      if (!settings.enabled) return undefined;
      window = [...window, ...sightings(prepared, fates)].slice(-settings.windowSize);
      const rejected = window.filter((sighting) => sighting.rejected);
      const producers = new Set(
        rejected.map(({ producer }) => producer).filter((name) => name !== undefined),
      );
      const isFlood =
        window.length >= settings.windowSize &&
        rejected.length >= settings.ratio * window.length &&
        producers.size >= settings.producersMin;
      return isFlood
        ? { open: true, sinceMs: nowMs, rejected: rejected.length, seen: window.length }
        : undefined;
    },
    reset() {
      window = [];
    },
  };
}

/** Conflicts do not count as rejections; the demo tenant does not count at all. */
function sightings(prepared: Prepared, fates: Fates): readonly Sighting[] {
  const accepted = prepared.candidates
    .filter(({ projection }) => projection.tenant !== demoTenant)
    .map(({ event, projection }) => ({
      offset: event.offset,
      rejected: fates.get(event.offset)?.kind === "rejected",
      producer: projection.producerService,
    }));
  const refused = prepared.refused.flatMap(({ event }) => {
    const { tenant, producer } = claimedOrigin(event.value);
    return tenant === demoTenant ? [] : [{ offset: event.offset, rejected: true, producer }];
  });
  return [...accepted, ...refused].sort((a, b) => a.offset - b.offset);
}

/** What a refused event says of its origin, as far as it can be read; believed for counting only. */
function claimedOrigin(value: Uint8Array | null): {
  readonly tenant: string | undefined;
  readonly producer: string | undefined;
} {
  const event = readLoosely(value);
  const metadata = event === undefined ? undefined : member(event, "metadata");
  const tenant = isJsonObject(metadata) ? member(metadata, "tenant_id") : undefined;
  const producer = event === undefined ? undefined : member(event, "producer_service");
  return {
    tenant: typeof tenant === "string" ? tenant : undefined,
    producer: typeof producer === "string" ? producer : undefined,
  };
}

function readLoosely(value: Uint8Array | null) {
  try {
    const parsed: JsonValue = JSON.parse(Buffer.from(value ?? []).toString("utf8"));
    return isJsonObject(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}
