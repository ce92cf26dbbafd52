/** The watcher is watched: what callers read, were denied and did becomes events of the producer `lastro` on the audit topic, like everybody's. */
import type { Caller } from "../core/caller.ts";
import type { JsonObject } from "../core/json.ts";

export type Act = {
  /** Of the event: what it was about, and a verb of an activity. */
  readonly type: string;
  readonly id: string;
  readonly detail: JsonObject;
};
/** A record that was shown whole. */
type Read = { readonly tenant: string; readonly producerService: string };

/**
 * Contract. Nothing throws or waits, except that in strict mode `read` and `act` resolve once the event is published, and throw SOURCE_UNAVAILABLE
 * where that is not known: then the caller gets no answer.
 */
export type Watch = {
  /** Spares the counting where nobody wants it. */
  readonly isOn: boolean;
  /** Bodies were read: one event a call. Of reading what was told here, one event a caller and window, so that telling never feeds itself. */
  read(caller: Caller, method: string, records: readonly Read[], signal: AbortSignal): Promise<void>;
  /** One event a caller and window, however often. */
  denied(caller: Caller, method: string): void;
  act(caller: Caller, act: Act, signal: AbortSignal): Promise<void>;
};

const done = Promise.resolve();
export const noWatch: Watch = { isOn: false, read: () => done, denied: () => undefined, act: () => done };
