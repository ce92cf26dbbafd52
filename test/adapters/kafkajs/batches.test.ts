/** A fetched batch on its way to the handler: where it ends, and what stops its partition. */
import { expect, test } from "@jest/globals";
import type { EachBatchPayload } from "kafkajs";
import type { Assignment, Held } from "../../../src/adapters/kafkajs/assignment.ts";
import { deliverBatch } from "../../../src/adapters/kafkajs/batches.ts";
import { openMembership } from "../../../src/adapters/kafkajs/membership.ts";
import { srcOf, type TopicId } from "../../../src/core/ids.ts";
import type { SourceBatch } from "../../../src/ports/event-source.ts";

const topicId = "AAAAAAAAAAAAAAAAAAAAAQ" as TopicId;
const last = Number.MAX_SAFE_INTEGER;

async function delivered(offsets: readonly string[], highWatermark: string) {
  const batches: SourceBatch[] = [];
  const corrupt: unknown[] = [];
  const resolved: string[] = [];
  const held: Held = {
    src: srcOf(topicId, 0),
    topicId,
    partition: 0,
    next: 7,
    turn: 0,
    changed: false,
    running: undefined,
  };
  const messages = offsets.map((offset) => ({
    offset,
    key: null,
    value: null,
    timestamp: "0",
    attributes: 0,
  }));
  const payload = {
    batch: { partition: 0, fetchedOffset: "7", highWatermark, messages, rawMessages: messages },
    isRunning: () => true,
    heartbeat: async () => undefined,
    resolveOffset: (offset: string) => void resolved.push(offset),
  } as unknown as EachBatchPayload;
  const assignment = {
    byPartition: () => held,
    isDraining: () => false,
    handling: () => ({
      batch: async (batch: SourceBatch) => {
        batches.push(batch);
        return batch.to;
      },
    }),
    corrupt: (_: number, cause: unknown) => void corrupt.push(cause),
  } as unknown as Assignment;
  const membership = openMembership({ sessionTimeoutMs: 6_000, drainBudgetMs: 5_000, now: () => 0 });
  membership.joined();
  const consumer = {} as never;
  await deliverBatch(payload, { topic: "audit", consumer, assignment, membership, now: () => 0 });
  return { batches, corrupt, resolved };
}

test("a batch is delivered from the offset asked for to the one behind its last record", async () => {
  const { batches, corrupt, resolved } = await delivered(["7", "9"], "12");
  expect(batches).toMatchObject([{ from: 7, to: 10, logEnd: 12, events: [{ offset: 7 }, { offset: 9 }] }]);
  expect([corrupt, resolved]).toEqual([[], ["9"]]);
});

test.each([
  ["an offset", [`${last + 1}`], `${last}`],
  ["the end of the log", ["7"], `${last + 1}`],
])("%s that a number does not hold stops the partition, and nothing of the batch is delivered", async (_, offsets, end) => {
  const { batches, corrupt, resolved } = await delivered(offsets, end);
  expect([batches, resolved]).toEqual([[], []]);
  expect(corrupt).toEqual([expect.objectContaining({ message: `offset ${last + 1} is beyond 2^53 − 1` })]);
}); // biome-ignore format: a table
