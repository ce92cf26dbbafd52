/** A broker that acknowledges without saying where: nobody is told a place that is not known. */
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { Producer } from "@platformatic/kafka";
import { openDeadLetters } from "../../../src/adapters/platformatic-kafka/dead-letters.ts";
import { openEventPublisher } from "../../../src/adapters/platformatic-kafka/event-publisher.ts";
import type { TopicId } from "../../../src/core/ids.ts";
import { letter } from "../../contract/dead-letters.contract.ts";

const signal = new AbortController().signal;
const topicId = "AAAAAAAAAAAAAAAAAAAAAQ" as TopicId;
const options = {
  brokers: ["127.0.0.1:1"],
  clientId: "lastro-test",
  topic: "audit",
  deadLetterTopic: "audit.dlq",
  consumer: "test-group",
  topicReader: {
    topicId: async () => topicId,
    read: async () => ({ clusterId: "cluster", topicId, partitions: [] }),
    [Symbol.asyncDispose]: async () => undefined,
  },
};
type Acknowledged = { readonly partition: number; readonly offset: bigint };
let acknowledged: readonly Acknowledged[] | undefined;

beforeEach(() => {
  const answered = (name: "metadata" | "send", answer: () => unknown) =>
    jest.spyOn(Producer.prototype, name).mockImplementation((async () => answer()) as never);
  answered("metadata", () => ({ topics: new Map([["audit.dlq", { partitionsCount: 2 }]]) }));
  answered("send", () => ({ offsets: acknowledged }));
});
afterEach(() => void jest.restoreAllMocks());

const noOffset = { cause: expect.objectContaining({ message: "the broker acknowledged no offset" }) };

test("dead letters have the places that were acknowledged, and without one of them they were not sent", async () => {
  await using letters = openDeadLetters(options);
  const bed = { topic: "audit" } as Parameters<typeof letter>[0];
  const send = () => letters.send([letter(bed, {}, 0), letter(bed, {}, 1), letter(bed, {}, 0)], signal);
  const at = (partition: number, offset: number) => ({ topic: "audit.dlq", partition, offset });
  const [first, second] = [
    { partition: 0, offset: 7n },
    { partition: 1, offset: 3n },
  ];
  acknowledged = [first, second];
  expect(await send()).toEqual([at(0, 7), at(1, 3), at(0, 8)]);
  for (acknowledged of [undefined, [], [second]])
    await expect(send()).rejects.toMatchObject({ code: "DEAD_LETTERS_UNAVAILABLE", ...noOffset });
});

test("an event has the rid that was acknowledged, and without one it was not published", async () => {
  await using publisher = openEventPublisher(options);
  const publish = () => publisher.publish({ key: "k", value: Buffer.from("{}"), headers: {} }, signal);
  acknowledged = [{ partition: 1, offset: 3n }];
  expect(await publish()).toBe(`${topicId}.1.3`);
  for (acknowledged of [undefined, []])
    await expect(publish()).rejects.toMatchObject({ code: "SOURCE_UNAVAILABLE", ...noOffset });
});
