/** What brokers may answer and Lastro cannot use: they are known by it, and nothing is made of it. */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterEach, expect, jest, test } from "@jest/globals";
import { Admin } from "@platformatic/kafka";
import { openTopicReader } from "../../../src/adapters/platformatic-kafka/topic-reader.ts";

const topic = "audit";
const signal = new AbortController().signal;
const uuid = "01234567-89ab-cdef-0123-456789abcdef";
const latest = -1n;
afterEach(() => void jest.restoreAllMocks());

/** A broker with one partition, which tells this id of the topic, and this end of the partition. */
async function reading(id: string, end: bigint) {
  const answered = <Name extends "metadata" | "listOffsets">(name: Name, answer: (asked: never) => unknown) =>
    jest.spyOn(Admin.prototype, name).mockImplementation((async (asked: never) => answer(asked)) as never);
  answered("metadata", () => ({ id: "cluster", topics: new Map([[topic, { id, partitions: [{}] }]]) }));
  answered("listOffsets", ({ topics: [asked] }: { topics: { partitions: { timestamp: bigint }[] }[] }) => [
    {
      partitions: asked?.partitions.map(({ timestamp }) => ({
        partitionIndex: 0,
        offset: timestamp === latest ? end : 0n,
      })),
    },
  ]);
  return openTopicReader({ brokers: ["127.0.0.1:1"], clientId: "lastro-test" });
}

test("a topic is told by its id and the offsets of its partitions", async () => {
  await using reader = await reading(uuid, BigInt(Number.MAX_SAFE_INTEGER));
  const topicId = Buffer.from(uuid.replaceAll("-", ""), "hex").toString("base64url");
  expect(await reader.read(topic, signal)).toEqual({
    clusterId: "cluster",
    topicId,
    partitions: [{ partition: 0, logStart: 0, logEnd: Number.MAX_SAFE_INTEGER }],
  });
  expect(await reader.topicId(topic, signal)).toBe(topicId);
});

test.each(["00000000-0000-0000-0000-000000000000", ""])(
  "a broker that gives its topics no ids (%j) is refused with what it needs: incarnations could not be told apart",
  async (id) => {
    await using reader = await reading(id, 1n);
    for (const asked of [reader.topicId(topic, signal), reader.read(topic, signal)])
      await expect(asked).rejects.toMatchObject({
        code: "TOPIC_UNSUITABLE",
        message: expect.stringContaining("needs Apache Kafka 3.0 or newer"),
      });
  },
);

test("an offset that a number does not hold is none: it would be read as another", async () => {
  await using reader = await reading(uuid, BigInt(Number.MAX_SAFE_INTEGER) + 1n);
  await expect(reader.read(topic, signal)).rejects.toMatchObject({
    code: "SOURCE_UNAVAILABLE",
    cause: expect.objectContaining({ message: "an offset is beyond 2^53 − 1" }),
  });
});

test("a broker that cuts connections while they say who they are is away; an error of it that nobody hears would end the process", async () => {
  let cuts = 0;
  const server = createServer((socket) =>
    socket.once("data", () => {
      cuts += 1;
      socket.resetAndDestroy();
    }),
  ).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const sasl = { mechanism: "scram-sha-256", username: "lastro", password: "secret" } as const;
  await using reader = openTopicReader({
    brokers: [`127.0.0.1:${port}`],
    clientId: "lastro-test",
    security: { tls: undefined, sasl },
  });
  await expect(reader.read(topic, signal)).rejects.toMatchObject({ code: "SOURCE_UNAVAILABLE" });
  expect(cuts).toBeGreaterThan(1);
  server.close();
});

test("a broker that takes what it is asked and says nothing is given up in seconds, and the question asked anew on another connection", async () => {
  const server = createServer((socket) => socket.resume()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await using reader = openTopicReader({ brokers: [`127.0.0.1:${port}`], clientId: "lastro-test" });
  const stop = new AbortController();
  const asked = expect(reader.topicId(topic, stop.signal)).rejects.toMatchObject({
    code: "SOURCE_UNAVAILABLE",
  });
  for (let connections = 0; connections < 2; connections++) await once(server, "connection");
  stop.abort(new Error("enough"));
  await asked;
  server.close();
}, 20_000);
