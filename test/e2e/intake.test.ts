/** with the running service: everything on the topic is taken once, whoever shares the work and whatever Redis remembers. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Redis } from "ioredis";
import { HistoryService } from "../../src/gen/lastro/v1/history_pb.ts";
import { OperationsService, PartitionState } from "../../src/gen/lastro/v1/operations_pb.ts";
import { call, connect } from "../support/grpc-client.ts";
import { type LastroProcess, until } from "../support/lastro.ts";
import { startRedis } from "../support/servers.ts";
import { makeWorld, untilDrained } from "../support/world.ts";
import {
  headerOf,
  kafkaClient,
  message,
  metricOf,
  readTopic,
  type Service,
  startService,
  startTimeoutMs,
  totalOf,
} from "./service.ts";

async function runningPartitions(lastro: LastroProcess): Promise<readonly number[]> {
  using client = connect(lastro.grpcAddress);
  const { partitions } = await call(client, OperationsService, "getIntake", {});
  return partitions.filter(({ state }) => state === PartitionState.RUNNING).map(({ partition }) => partition);
}

/** What the consumer groups of the topic have committed, summed over partitions, by group. */
async function committed(topic: string): Promise<Readonly<Record<string, number>>> {
  const admin = kafkaClient().admin();
  await admin.connect();
  try {
    const { groups } = await admin.listGroups();
    const sums: Record<string, number> = {};
    for (const { groupId } of groups.filter(({ groupId }) => groupId.startsWith("lastro-"))) {
      const [offsets] = await admin.fetchOffsets({ groupId, topics: [topic] });
      const sum = offsets?.partitions.reduce((all, { offset }) => all + Math.max(0, Number(offset)), 0) ?? 0;
      if (sum > 0) sums[groupId] = sum;
    }
    return sums;
  } finally {
    await admin.disconnect();
  }
}

test("R-01 the processes of one consumer group share the topic, take over from each other, and take every event once", async () => {
  await using world = await makeWorld("mongodb");
  // One after the other: FerretDB does not survive two processes that prepare one empty database at once.
  const one = await world.start();
  const two = await world.start();
  await until(
    "the partitions are shared",
    async () => {
      const [mine, yours] = [await runningPartitions(one), await runningPartitions(two)];
      return mine.length === 3 && new Set([...mine, ...yours]).size === 6;
    },
    20_000,
    one,
  );
  const events = 300;
  const published = await world.publish(7, events);
  await untilDrained(one, events);
  await world.check(published);
  expect(await one.stop()).toBe(0);
  await until("the rest is taken over", async () => (await runningPartitions(two)).length === 6, 20_000, two);
  await untilDrained(two, events);
  expect(await two.stop()).toBe(0);
  // Both have let go, so what they had done is committed: for lag tools only, but then it must be right.
  expect(Object.values(await committed(world.topic))).toEqual([events]);
  expect(Object.keys(await committed(world.topic))).toEqual([expect.stringMatching(/^lastro-[0-9a-f]{8}$/)]);
}, 90_000);

describe("duplicates", () => {
  const folder = mkdtempSync(join(tmpdir(), "lastro-redis-"));
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let service: Service;
  beforeAll(async () => {
    redis = await startRedis({ dir: folder });
    service = await startService("sqlite", { LASTRO_REDIS_URL: redis.url });
  }, startTimeoutMs);
  afterAll(async () => {
    await service?.[Symbol.asyncDispose]();
    await redis?.stop();
    rmSync(folder, { recursive: true });
  });

  const event = (id: number, name = "x") =>
    message({ payload: { public_id: `a-${id % 10}`, name }, metadata: { event_id: `e-${id}` } });
  const originals = Array.from({ length: 50 }, (_, id) => event(id));
  const outcomes = async () => totalOf(await service.intake());
  const hints = async (answer: string) =>
    metricOf(await service.metrics(), `lastro_dedup_total{layer="hint",answer="${answer}"}`);

  test("R-05 duplicates are recognised with Redis warm, empty and absent, and again after a restart without it", async () => {
    await service.send(originals);
    expect(await outcomes()).toMatchObject({ stored: 50, duplicate: 0 });
    const hitsBefore = await hints("hit");
    await service.send(originals);
    expect(await outcomes()).toMatchObject({ stored: 50, duplicate: 50 });
    expect((await hints("hit")) - hitsBefore).toBe(50);

    const client = new Redis(redis.url);
    expect(await client.dbsize()).toBeGreaterThan(0);
    await client.flushall();
    client.disconnect();
    const missesBefore = await hints("miss");
    await service.send(originals);
    expect(await outcomes()).toMatchObject({ stored: 50, duplicate: 100 });
    expect((await hints("miss")) - missesBefore).toBe(50);

    await redis.stop();
    await service.send(originals);
    expect(await outcomes()).toMatchObject({ stored: 50, duplicate: 150 });
    expect(metricOf(await service.metrics(), "lastro_hints_unavailable_total")).toBeGreaterThan(0);
    expect((await fetch(`${service.lastro().httpUrl}/readyz`)).status).toBe(200);

    await service.restart({ LASTRO_REDIS_URL: "" });
    await service.send(originals);
    expect(await outcomes()).toMatchObject({ stored: 50, duplicate: 200, conflict: 0, rejected: 0, gap: 0 });
    const found = await service.ask(HistoryService, "searchRecords", { pageSize: 1000 });
    expect(found.records).toHaveLength(50);
  }, 60_000);

  test("R-05 the same event id with other content is a conflict: the first stays, the other is a dead letter", async () => {
    await service.send([event(1, "somebody else")]);
    expect(await outcomes()).toMatchObject({ stored: 50, conflict: 1 });
    const [letter] = await readTopic(`${service.world.topic}.dlq`, 1);
    expect(headerOf(letter, "audit.dlq.reason")).toBe("CONFLICT");
    expect(letter?.value?.equals(event(1, "somebody else").value ?? Buffer.of())).toBe(true);
  });

  test.each(["gzip", "snappy", "lz4", "zstd"] as const)(
    "R-01 a batch packed with %s arrives whole",
    async (codec) => {
      const before = (await outcomes()).stored;
      const events = Array.from({ length: 60 }, (_, n) =>
        message(
          { payload: { public_id: `${codec}-${n}`, note: "packed ".repeat(50) } },
          {},
          { partition: n % 6 },
        ),
      );
      await service.send(events, codec);
      expect((await outcomes()).stored - before).toBe(60);
      const filter = `entity_id = ${codec}-59`;
      const { records } = await service.ask(HistoryService, "searchRecords", { filter });
      expect(Buffer.from(records[0]?.event ?? []).equals(events[59]?.value ?? Buffer.of())).toBe(true);
    },
  );
});
