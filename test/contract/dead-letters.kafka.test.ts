/** Dead letters through @platformatic/kafka keep the contract. */
import { randomUUID } from "node:crypto";
import { afterAll, describe, expect, test } from "@jest/globals";
import { prepareTopics } from "../../src/adapters/kafkajs/topics.ts";
import { openDeadLetters } from "../../src/adapters/platformatic-kafka/dead-letters.ts";
import { readRecords } from "../../src/adapters/platformatic-kafka/record-reader.ts";
import { openTopicReader } from "../../src/adapters/platformatic-kafka/topic-reader.ts";
import { limitMessages } from "../support/kafka-admin.ts";
import { kafkaBrokers } from "../support/servers.ts";
import { type DeadLetterBed, deadLettersContract, letter, type Stored } from "./dead-letters.contract.ts";

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

describe("dead letters in Kafka", () => {
  const brokers = kafkaBrokers();
  const clientId = "lastro-test";
  const topicReader = openTopicReader({ brokers, clientId });
  const opened: AsyncDisposable[] = [topicReader];
  const signal = AbortSignal.timeout(60_000);
  afterAll(async () => {
    for (const one of opened.reverse()) await one[Symbol.asyncDispose]();
  });

  const open = async (): Promise<DeadLetterBed> => {
    const topic = `audit-${randomUUID()}`;
    const deadLetterTopic = `${topic}.dlq`;
    await prepareTopics({ brokers, clientId, log, topic, deadLetterTopic, create: true });
    const letters = openDeadLetters({
      brokers,
      clientId,
      topicReader,
      topic,
      deadLetterTopic,
      consumer: "test-group",
    });
    opened.push(letters);
    const at = async (name: string, positions: { partition: number; offset: number }[]) => {
      const records: Stored[] = [];
      for await (const record of readRecords({ brokers, clientId, topicReader }, name, positions, signal)) {
        if (record === undefined) throw new Error("no such record");
        records.push(record);
      }
      return records;
    };
    return {
      letters,
      topic,
      deadLetterTopic,
      async read(position) {
        const [record] = await at(position.topic, [position]);
        if (record === undefined) throw new Error("no such record");
        return record;
      },
      async readAll(name, partition) {
        const extent = (await topicReader.read(name, signal)).partitions[partition];
        return at(
          name,
          Array.from({ length: extent?.logEnd ?? 0 }, (_, offset) => ({ partition, offset })),
        );
      },
    };
  };
  deadLettersContract(open);

  test("a replay that runs out of time publishes nothing more and says what became of each letter", async () => {
    const bed = await open();
    const count = 300;
    const sent = Array.from({ length: count }, (_, n) => letter(bed, { value: Buffer.from(`letter ${n}`) }));
    const positions = await bed.letters.send(sent, signal);
    const caller = new AbortController();
    const replaying = bed.letters.replay(positions, 1, caller.signal);
    while ((await bed.readAll(bed.topic, 1)).length === 0);
    caller.abort(new Error("too late"));
    const verdicts = await replaying;
    const replayed = verdicts.filter((verdict) => verdict === "replayed").length;
    const unknown = verdicts.filter((verdict) => verdict === "unknown").length;
    expect(unknown).toBeLessThanOrEqual(1);
    expect(replayed + unknown).toBeLessThan(count);
    expect(verdicts).toEqual([
      ...Array(replayed).fill("replayed"),
      ...Array(unknown).fill("unknown"),
      ...Array(count - replayed - unknown).fill("untried"),
    ]);
    // Another letter goes after all that was on its way.
    expect(await bed.letters.replay(positions.slice(-1), 1, signal)).toEqual(["replayed"]);
    const values = (await bed.readAll(bed.topic, 1)).map(({ value }) => Buffer.from(value ?? []).toString());
    expect(values.at(-1)).toBe(`letter ${count - 1}`);
    expect([replayed + 1, replayed + unknown + 1]).toContain(values.length);
  });

  test("a small letter that its topic refuses for its size is not taken apart: it is refused until the topic takes it whole", async () => {
    const bed = await open();
    const limit = (bytesMax: number) => limitMessages(brokers.join(","), bed.deadLetterTopic, bytesMax);
    const small = letter(bed, { value: Buffer.alloc(9_000, "{") });
    const bytesMax = await limit(4_000);
    await expect(bed.letters.send([small], signal)).rejects.toMatchObject({
      code: "DEAD_LETTERS_UNAVAILABLE",
    });
    expect(await bed.readAll(bed.deadLetterTopic, 1)).toEqual([]);
    await limit(bytesMax);
    const [position] = await bed.letters.send([small], signal);
    if (!position) throw new Error("no position");
    expect((await bed.read(position)).value?.length).toBe(9_000);
  });
});
