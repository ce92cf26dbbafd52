/** A load whose right outcome is known: streams, copies, conflicts and bad data, published to a real topic. */
import kafkajs from "kafkajs";
import { eventStream, seededRandom } from "../bench/events.ts";

export type Published = {
  /** Event ids (producer/id) that must end as exactly one record each. */
  readonly ids: ReadonlySet<string>;
  readonly messages: number;
  readonly duplicates: number;
  readonly conflicts: number;
  readonly rejected: number;
  /** Values of the conflicts and of what is rejected, each of which must lie in the dead letters; unknown where only the numbers are. */
  readonly bad?: readonly string[] | undefined;
  /** Offsets that Kafka lost or an operator skipped before they were read. */
  readonly gaps?: number;
};

export type LoadOptions = { readonly seed: number; readonly events: number; readonly entities: number };
/** The partition is the key's unless it is given. */
export type Message = { readonly key: string; readonly value: string; readonly partition?: number };

const [copyShare, conflictShare, poisonShare] = [0.05, 0.01, 0.01];
const sendSize = 500;

/** Messages in publishing order: copies and conflicts come behind their original, with the same key, hence in the same partition. */
export function makeLoad({
  seed,
  events,
  entities,
}: LoadOptions): Published & { readonly batch: readonly Message[] } {
  const random = seededRandom(seed);
  const batch: Message[] = [];
  const ids = new Set<string>();
  const bad: string[] = [];
  const counts = { duplicates: 0, conflicts: 0, rejected: 0 };
  const originals = eventStream(seed, { entities, ownerships: 25, startMs: Date.UTC(2026, 10, 1) });
  while (batch.length < events) {
    const dice = random();
    const earlier = batch[Math.floor(random() * batch.length)];
    if (dice < copyShare && earlier !== undefined && isEvent(earlier)) {
      counts.duplicates += 1;
      batch.push(earlier);
    } else if (dice < copyShare + conflictShare && earlier !== undefined && isEvent(earlier)) {
      counts.conflicts += 1;
      const value = earlier.value.replace('"environment":"production"', '"environment":"other"');
      batch.push({ ...earlier, value });
      bad.push(value);
    } else if (dice < copyShare + conflictShare + poisonShare) {
      counts.rejected += 1;
      const value = `{"broken": ${counts.rejected},}`;
      batch.push({ key: "poison", value });
      bad.push(value);
    } else {
      const { value: event } = originals.next();
      batch.push(event);
      ids.add(idOf(event.value));
    }
  }
  return { batch, ids, bad, messages: batch.length, ...counts };
}

/** Events that are all different and all right. */
export function plainEvents(seed: number, count: number): readonly Message[] {
  const shape = { entities: 20, ownerships: 5, startMs: Date.UTC(2026, 10, 1) };
  return [...eventStream(seed, shape).take(count)];
}

/** What must come of events that are all different and all right. */
export const storedOnly = (batch: readonly Message[]): Published => ({
  ids: new Set(batch.map(({ value }) => idOf(value))),
  messages: batch.length,
  duplicates: 0,
  conflicts: 0,
  rejected: 0,
});

export const combined = (loads: readonly Published[]): Published => {
  const sum = (count: (load: Published) => number): number =>
    loads.reduce((total, load) => total + count(load), 0);
  return {
    ids: new Set(loads.flatMap(({ ids }) => [...ids])),
    bad: loads.every(knowsBad) ? loads.flatMap(({ bad }) => bad ?? []) : undefined,
    messages: sum(({ messages }) => messages),
    duplicates: sum(({ duplicates }) => duplicates),
    conflicts: sum(({ conflicts }) => conflicts),
    rejected: sum(({ rejected }) => rejected),
    gaps: sum(({ gaps }) => gaps ?? 0),
  };
};

const knowsBad = ({ bad, conflicts, rejected }: Published): boolean =>
  bad !== undefined || conflicts + rejected === 0;

/** A conflict is never copied, so that every copy is of an original. */
const isEvent = ({ value }: Message): boolean => value.includes('"environment":"production"');

export function idOf(value: string): string {
  const event = JSON.parse(value) as { producer_service: string; metadata: { event_id: string } };
  return `${event.producer_service}/${event.metadata.event_id}`;
}

export async function publish(
  brokers: readonly string[],
  topic: string,
  messages: readonly Message[],
): Promise<void> {
  const kafka = new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING });
  // A send that is tried again must not be taken for two.
  const producer = kafka.producer({
    idempotent: true,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  try {
    for (let start = 0; start < messages.length; start += sendSize) {
      await producer.send({ topic, acks: -1, messages: messages.slice(start, start + sendSize) });
    }
  } finally {
    await producer.disconnect();
  }
}
