/** Takes one fetched batch of one partition to the handler and moves kafkajs to the offset the handler returns. */
import type { Batch, Consumer, EachBatchPayload } from "kafkajs";
import type { Clock } from "../../ports/clock.ts";
import type { BatchControl } from "../../ports/event-source.ts";
import type { Assignment, Held } from "./assignment.ts";
import { endOf, isFiller } from "./fetch-guard.ts";
import type { Membership } from "./membership.ts";
import { type RawMessage, toOffset, toSourceEvent } from "./messages.ts";

/** Members that kafkajs's batches have and its types leave out. */
type FetchedBatch = Batch & { readonly fetchedOffset: string; readonly rawMessages: readonly RawMessage[] };

/** How often a running batch is looked at: whether it must stop, whether a heartbeat is due while it waits for a store. */
const watchEveryMs = 250;

type Delivery = {
  readonly topic: string;
  readonly consumer: Consumer;
  readonly assignment: Assignment;
  readonly membership: Membership;
  readonly now: Clock;
};

export async function deliverBatch(payload: EachBatchPayload, delivery: Delivery): Promise<void> {
  const { assignment, membership } = delivery;
  const batch = payload.batch as FetchedBatch;
  const held = assignment.byPartition(batch.partition);
  const from = held?.next;
  if (held === undefined || from === undefined) return;
  if (assignment.isDraining() || membership.rebalance() !== undefined || membership.mustStop()) return;
  // Fetched before the last seek, or from where the group once committed: not what was asked for.
  if (batch.fetchedOffset !== String(from)) return seek(delivery, held.partition, from);

  const last = batch.rawMessages.at(-1);
  if (last === undefined) return;
  const to = endOf(last);
  const abort = new AbortController();
  const running = run(payload, delivery, held, { batch, from, to, abort });
  held.running = { done: running, abort };
  try {
    await running;
  } finally {
    held.running = undefined;
  }
}

type Fetched = {
  readonly batch: FetchedBatch;
  readonly from: number;
  readonly to: number;
  readonly abort: AbortController;
};

/** Undefined when an offset is beyond what a number holds: the partition is stopped. */
function read({ batch, to }: Fetched, { assignment }: Delivery) {
  try {
    const events = batch.messages.filter((message) => !isFiller(message)).map(toSourceEvent);
    return { events, logEnd: Math.max(to, toOffset(batch.highWatermark)) };
  } catch (error) {
    assignment.corrupt(batch.partition, error);
    return undefined;
  }
}

async function run(
  payload: EachBatchPayload,
  delivery: Delivery,
  held: Held,
  fetched: Fetched,
): Promise<void> {
  const { from, to, abort } = fetched;
  const { topic, assignment, membership } = delivery;
  const contents = read(fetched, delivery);
  if (contents === undefined) return;
  const turn = held.turn;
  const isStale = (): boolean => held.turn !== turn || membership.mustStop() || !payload.isRunning();
  const heartbeat = heartbeats(payload, delivery);
  const watch = setInterval(() => {
    void heartbeat();
    if (membership.mustStop()) abort.abort(membership.rebalance());
  }, watchEveryMs);
  try {
    const { src, topicId, partition } = held;
    const next = await assignment
      .handling()
      .batch(
        { src, topicId, topic, partition, from, to, ...contents },
        { heartbeat, isStale, signal: abort.signal },
      );
    if (held.turn !== turn) return;
    held.next = next;
    if (next === to) payload.resolveOffset(String(to - 1));
    else seek(delivery, partition, next);
  } finally {
    clearInterval(watch);
  }
}

function heartbeats(payload: EachBatchPayload, { membership, now }: Delivery): BatchControl["heartbeat"] {
  let lastMs = now();
  return async () => {
    if (now() - lastMs < membership.heartbeatEveryMs) return;
    lastMs = now();
    try {
      await payload.heartbeat();
    } catch (error) {
      membership.failed(error);
    }
  };
}

function seek({ topic, consumer }: Delivery, partition: number, offset: number): void {
  consumer.seek({ topic, partition, offset: String(offset) });
}
