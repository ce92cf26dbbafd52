/** The way in for what is collected elsewhere than on Kafka: first it is published there. Kafka is the only order. */
import type { Rid } from "../core/ids.ts";

export type EventToPublish = {
  /** Events with one key keep their order; it gives the partition that Kafka's own clients choose. */
  readonly key: string;
  readonly value: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
};

/** Contract. Resolves when every in-sync replica has it (acks=all), with the rid its place gives it. Throws SOURCE_UNAVAILABLE where that is not known; the event may then be there all the same, so callers repeat it with the same event id. It may lie there more than once; the rid is then that of a copy. */
export type EventPublisher = AsyncDisposable & {
  publish(event: EventToPublish, signal: AbortSignal): Promise<Rid>;
};
