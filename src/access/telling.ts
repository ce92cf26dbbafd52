/** How events of our own get on the audit topic: beside the calls, in a bounded queue, published again until they are there. What does not fit is dropped and counted. */
import { type Caller, countedAs } from "../core/caller.ts";
import { isTransient } from "../core/errors.ts";
import type { JsonObject } from "../core/json.ts";
import { isoTime } from "../core/leaf.ts";
import { asIdText, selfProducer } from "../core/parse-options.ts";
import { backoffMs, sleep } from "../lib/backoff.ts";
import { withDeadline } from "../lib/signals.ts";
import type { Clock, Randomness } from "../ports/clock.ts";
import type { EventPublisher, EventToPublish } from "../ports/event-publisher.ts";
import type { Observer } from "../ports/observer.ts";

/** Types of the events of our own: what each is about, and a verb of an activity. */
export const toldTypes = [
  "personal_data.viewed", "access.access_denied", "records.exported",
  "offset_skip.submitted", "partition_resume.submitted", "dead_letter_replay.submitted",
  "personal_access.submitted", "personal_access.approved", "viewer_token.shared",
  "access_file.config_updated", "switches_file.config_updated",
] as const; // biome-ignore format: a list
type ToldType = (typeof toldTypes)[number];

export type Act = {
  readonly type: ToldType;
  readonly id: string;
  readonly detail: JsonObject;
};

export type Telling = AsyncDisposable & {
  /** Resolves once it is published. */
  now(caller: Caller, act: Act, tenant: string | undefined, signal: AbortSignal): Promise<void>;
  soon(caller: Caller, act: Act, tenant: string | undefined): void;
  /** One event a caller and window for all of a type, however often it happens; viewers of one maker are one caller. */
  count(caller: Caller, type: ToldType, what: string, times: number): void;
};

export type TellingOptions = {
  readonly publisher: Pick<EventPublisher, "publish">;
  /** Who of those that say `lastro` it is. */
  readonly instance: string;
  readonly windowMs: number;
  readonly observer: Pick<Observer, "selfAudit">;
  readonly now: Clock;
  readonly random: Randomness;
};

/** Events that wait, some 5 MB. */
export const waitingMax = 10_000;
const inFlightMax = 64;
/** Callers that are counted in one window. */
export const countedMax = 1_000;
const [retryMinMs, retryMaxMs] = [100, 5_000];
/** For what waits, when the service ends. */
const drainMsMax = 2_000;

type Count = { readonly caller: Caller; readonly type: ToldType; readonly times: Map<string, number> };

export function openTelling(options: TellingOptions): Telling {
  const { publisher, windowMs, observer, random } = options;
  const stop = new AbortController();
  const waiting: EventToPublish[] = [];
  const running = new Set<Promise<void>>();
  const counts = new Map<string, Count>();
  let window: NodeJS.Timeout | undefined;

  async function deliver(event: EventToPublish): Promise<"published" | "dropped"> {
    for (let attempt = 1; !stop.signal.aborted; attempt++) {
      try {
        await publisher.publish(event, stop.signal);
        return "published";
      } catch (error) {
        if (!isTransient(error)) break;
        const pauseMs = backoffMs(attempt, retryMinMs, retryMaxMs, random);
        await sleep(pauseMs, stop.signal).catch(() => undefined);
      }
    }
    return "dropped";
  }

  function pump(): void {
    while (running.size < inFlightMax) {
      const event = waiting.shift();
      if (event === undefined) return;
      const work = deliver(event).then((outcome) => {
        observer.selfAudit(outcome, 1);
        running.delete(work);
        pump();
      });
      running.add(work);
    }
  }

  const soon: Telling["soon"] = (caller, act, tenant) => {
    if (waiting.length >= waitingMax) return observer.selfAudit("dropped", 1);
    waiting.push(eventOf(options, caller, act, tenant));
    pump();
  };

  function flush(): void {
    clearTimeout(window);
    window = undefined;
    const ended = [...counts.values()];
    counts.clear();
    for (const { caller, type, times } of ended) {
      const [what = "", ...more] = times.keys();
      const detail = { times: Object.fromEntries(times), window_ms: windowMs };
      soon(caller, { type, id: more.length === 0 ? what : "several", detail }, undefined);
    }
  }

  return {
    soon,
    async now(caller, act, tenant, signal) {
      await publisher.publish(eventOf(options, caller, act, tenant), signal);
      observer.selfAudit("published", 1);
    },
    count(caller, type, what, times) {
      const key = `${type} ${countedAs(caller)}`;
      const known = counts.get(key) ?? { caller, type, times: new Map() };
      const counted = known.caller.id === caller.id ? known : { ...known, caller: severalViewers(caller) };
      if (counts.size >= countedMax && !counts.has(key)) return observer.selfAudit("dropped", 1);
      counted.times.set(what, (counted.times.get(what) ?? 0) + times);
      counts.set(key, counted);
      window ??= setTimeout(flush, windowMs).unref();
    },
    async [Symbol.asyncDispose]() {
      flush();
      const end = withDeadline(stop.signal, drainMsMax);
      while (running.size > 0 && !end.aborted)
        await Promise.race([Promise.all(running), sleep(drainMsMax, end).catch(() => undefined)]);
      stop.abort(new Error("the service ends"));
      observer.selfAudit("dropped", waiting.splice(0).length);
      await Promise.all(running);
    },
  };
}

/** Of one maker. */
const severalViewers = (one: Caller): Caller => ({ ...one, id: "viewer:several" });

const idBytes = 16;
/** The envelope wants an address, and callers come without one: the unspecified one. */
const noAddress = "::";

/** Half a surrogate pair, as a claim of a token may hold, would make the event a dead letter. */
const wellFormed = (_name: string, value: unknown): unknown =>
  typeof value === "string" ? value.toWellFormed() : value;

/** Whatever a caller is called or asks for, intake accepts it. */
function eventOf(
  { instance, now, random }: TellingOptions,
  { id, kind, grants, lentBy }: Caller,
  { type, id: entityId, detail }: Act,
  tenant = "default",
): EventToPublish {
  const eventId = Buffer.from(random(idBytes)).toString("hex");
  const event = {
    producer_service: selfProducer,
    producer_service_id: instance,
    trace_id: eventId,
    timestamp: isoTime(now()),
    event_type: type,
    payload: { id: asIdText(entityId), ...detail, ...(lentBy !== undefined && { lent_by: lentBy }) },
    metadata: {
      event_schema_version: "1.0",
      owner_id: asIdText(id),
      owner_ip: noAddress,
      owner_role: [...new Set(grants.map(({ role }) => role))].join(",") || "none",
      owner_type: kind === "service" ? "service" : "user",
      tenant_id: tenant,
    },
  };
  return {
    key: eventId,
    value: Buffer.from(JSON.stringify(event, wellFormed)),
    headers: { event_id: eventId },
  };
}
