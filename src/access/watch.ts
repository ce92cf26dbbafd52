/** The watcher is watched: what callers read, were denied and did becomes events of the producer `lastro` on the audit topic, like everybody's. */
import type { Caller } from "../core/caller.ts";
import { selfProducer } from "../core/parse-options.ts";
import { type Act, openTelling, type Telling, type TellingOptions } from "./telling.ts";

/** A record that was shown whole. */
export type Read = { readonly tenant: string; readonly producerService: string };

/** What else tells of persons: counts of records by persons or of theirs, and ownerships with their ids. */
export type Told = {
  readonly what: "records_counted" | "ownerships";
  readonly number: number;
  /** As far as they are known. */
  readonly tenants: readonly string[];
  /** Of nothing but what was told here. */
  readonly isOfSelfAudit?: boolean;
};

/**
 * Contract. Nothing throws or waits, except that in strict mode `read`, `told` and `act` resolve once the event is published, and throw SOURCE_UNAVAILABLE
 * where that is not known: then the caller gets no answer.
 */
export type Watch = {
  /** Spares the counting where nobody wants it. */
  readonly isOn: boolean;
  /** Bodies were read: one event a call. Of reading what was told here, one event a caller and window, so that telling never feeds itself. */
  read(caller: Caller, method: string, records: readonly Read[], signal: AbortSignal): Promise<void>;
  /** One event a call, or of what was told here one a caller and window, as of a read. */
  told(caller: Caller, method: string, told: Told, signal: AbortSignal): Promise<void>;
  /** One event a caller and window, however often. */
  denied(caller: Caller, method: string): void;
  /** Before it is done. */
  act(caller: Caller, act: Act, signal: AbortSignal): Promise<void>;
};

const done = Promise.resolve();
export const noWatch: Watch = {
  isOn: false,
  read: () => done,
  told: () => done,
  denied: () => undefined,
  act: () => done,
};

export type WatchOptions = TellingOptions & {
  readonly mode: "off" | "on" | "strict";
  /** Of reads: an event each, or one a caller and window. */
  readonly reads: "each" | "counted";
};

export function openWatch({ mode, reads, ...options }: WatchOptions): Watch & AsyncDisposable {
  if (mode === "off") return { ...noWatch, [Symbol.asyncDispose]: () => done };
  const telling = openTelling(options);
  return {
    ...watchBy(telling, mode === "strict", reads),
    [Symbol.asyncDispose]: () => telling[Symbol.asyncDispose](),
  };
}

const viewed = "personal_data.viewed";
const denied = "access.access_denied";
/** Named in one event. */
const tenantsMax = 20;

function watchBy(telling: Telling, isStrict: boolean, reads: WatchOptions["reads"]): Watch {
  const tell = (caller: Caller, act: Act, tenant: string | undefined, signal: AbortSignal): Promise<void> => {
    if (isStrict) return telling.now(caller, act, tenant, signal);
    telling.soon(caller, act, tenant);
    return done;
  };
  const view = async (
    caller: Caller,
    method: string,
    { what, number, tenants }: Omit<Told, "what"> & { readonly what: Told["what"] | "records" },
    signal: AbortSignal,
  ): Promise<void> => {
    if (number === 0) return;
    if (reads === "counted") return telling.count(caller, viewed, method, number);
    const detail = { [what]: number, tenants: tenants.slice(0, tenantsMax) };
    const tenant = tenants.length === 1 ? tenants[0] : undefined;
    await tell(caller, { type: viewed, id: method, detail }, tenant, signal);
  };
  const countOwn = (caller: Caller, method: string, number: number): void => {
    if (number > 0) telling.count(caller, viewed, `${method} of self-audit`, number);
  };
  return {
    isOn: true,
    async read(caller, method, records, signal) {
      const others = records.filter(({ producerService }) => producerService !== selfProducer);
      countOwn(caller, method, records.length - others.length);
      const tenants = [...new Set(others.map(({ tenant }) => tenant))];
      await view(caller, method, { what: "records", number: others.length, tenants }, signal);
    },
    async told(caller, method, { isOfSelfAudit, ...told }, signal) {
      if (isOfSelfAudit) countOwn(caller, method, told.number);
      else await view(caller, method, told, signal);
    },
    denied: (caller, method) => telling.count(caller, denied, method, 1),
    act: (caller, act, signal) => tell(caller, act, undefined, signal),
  };
}
