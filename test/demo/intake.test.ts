import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "@jest/globals";
import type { Ask } from "../../src/demo/client.ts";
import { checkIntake, rangesOf, untilAccounted } from "../../src/demo/intake.ts";
import { GetIntakeResponseSchema, PartitionState } from "../../src/gen/lastro/v1/operations_pb.ts";

type Intake = MessageInitShape<typeof GetIntakeResponseSchema>;
const live = { src: "a.0", partition: 0, state: PartitionState.RUNNING, mark: 5n, lag: 0n };
const places = [3, 4, 5].map((offset) => ({ partition: 0, offset }));
const { signal } = new AbortController();

/** A service that answers one after the other, the last for ever. */
function answering(...intakes: readonly Intake[]): Ask {
  let asked = 0;
  const ask = async () => {
    asked += 1;
    return create(GetIntakeResponseSchema, intakes[Math.min(asked, intakes.length) - 1]);
  };
  return ask as Ask;
}

test("offsets that follow one another are one range; what others published between them is left out", () => {
  const offsets = [7, 3, 4, 9, 8].map((offset) => ({ partition: 1, offset }));
  expect(rangesOf([...offsets, { partition: 0, offset: 5 }])).toEqual([
    { partition: 0, from: 5, to: 6 },
    { partition: 1, from: 3, to: 5 },
    { partition: 1, from: 7, to: 10 },
  ]);
});

test("the wait ends when the mark has passed the last message, in the topic as it is now", async () => {
  const seen: number[] = [];
  const older = { ...live, src: "old.0", lag: undefined, mark: 900n, state: PartitionState.RELEASED };
  const ask = answering({ partitions: [older, live] }, { partitions: [older, { ...live, mark: 6n }] });
  const srcOf = await untilAccounted(ask, places, (count) => seen.push(count), signal);
  expect(seen).toEqual([2, 3]);
  expect(srcOf.get(0)).toBe("a.0");
});

test("a stopped partition and an open breaker end the demo at once, with what to do", async () => {
  const stopped = { ...live, state: PartitionState.STOPPED, reason: "CORRUPT_BATCH", message: "skip it" };
  await expect(checkIntake(answering({ partitions: [stopped] }))).rejects.toThrow(
    "partition 0 is stopped (CORRUPT_BATCH): skip it",
  );
  await expect(
    untilAccounted(answering({ partitions: [live], breaker: { open: true } }), places, () => {}, signal),
  ).rejects.toThrow("ResumePartition");
});

test("a wait without end is ended, and says how far it came and why", async () => {
  const late = (partitions: Intake["partitions"]): Promise<unknown> =>
    untilAccounted(answering({ partitions: partitions ?? [] }), places, () => {}, signal, 0);
  await expect(late([{ ...live, lag: 70n }])).rejects.toThrow(
    "only 2 of 3 messages have an outcome. The service is 70 messages behind",
  );
  await expect(late([live])).rejects.toThrow(
    "the LASTRO_KAFKA_BROKERS and LASTRO_KAFKA_TOPIC of the service",
  );
  const waiting = {
    ...live,
    state: PartitionState.WAITING,
    reason: "STORE_UNAVAILABLE",
    message: "it goes on by itself",
  };
  await expect(late([waiting])).rejects.toThrow(
    "Partition 0 waits (STORE_UNAVAILABLE): it goes on by itself",
  );
});
