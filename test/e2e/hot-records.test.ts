/** The running service keeps hot records in Redis, and answers right whatever becomes of them. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Redis } from "ioredis";
import { HistoryService } from "../../src/gen/lastro/v1/history_pb.ts";
import { redisUrl } from "../support/servers.ts";
import type { StoreKind } from "../support/world.ts";
import { message, type Service, startService, startTimeoutMs } from "./service.ts";

const person = "Maria Antonieta";

describe.each<StoreKind>(["sqlite", "mongodb"])("hot records on %s", (kind) => {
  let service: Service;
  let redis: Redis;
  beforeAll(async () => {
    service = await startService(kind, { LASTRO_HOT_RECORDS: "recent" });
    redis = new Redis(redisUrl());
    await service.send([message({ payload: { public_id: "h-1", name: person } })]);
  }, startTimeoutMs);
  afterAll(async () => {
    redis.disconnect();
    await service?.[Symbol.asyncDispose]();
  });

  const read = (rid: string) => service.ask(HistoryService, "getRecord", { by: { case: "rid", value: rid } });
  async function stored() {
    const { records } = await service.ask(HistoryService, "searchRecords", { filter: "entity_id = h-1" });
    const [record] = records;
    if (record === undefined) throw new Error("the event was not stored");
    return record;
  }

  test("R-22 what was just stored lies in Redis, sealed and for a while, and is answered as the store would", async () => {
    const { rid, event } = await stored();
    const [name = ""] = await redis.keys(`lastro:*:h:r:${rid}`);
    const copy = (await redis.getBuffer(name))?.toString("latin1") ?? "";
    expect(copy.length).toBeGreaterThan(Buffer.from(event).length);
    expect(copy).not.toContain(person);
    expect(await redis.pttl(name)).toBeLessThanOrEqual(60_000);
    expect((await read(rid)).record?.event).toEqual(event);
  });

  test("R-22 a copy that was removed or forged changes no answer", async () => {
    const { rid, event } = await stored();
    const [name = ""] = await redis.keys(`lastro:*:h:r:${rid}`);
    await redis.set(name, "forged");
    expect((await read(rid)).record?.event).toEqual(event);
    await redis.del(name);
    expect((await read(rid)).record?.event).toEqual(event);
  });
});
