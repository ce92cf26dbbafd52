/** The running service keeps hot records in Redis, and answers right whatever becomes of them. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Redis } from "ioredis";
import { HistoryService } from "../../src/gen/lastro/v1/history_pb.ts";
import { until } from "../support/lastro.ts";
import { redisUrl } from "../support/servers.ts";
import type { StoreKind } from "../support/world.ts";
import { message, type Service, startService, startTimeoutMs } from "./service.ts";

const person = "Maria Antonieta";
/** A copy is there for 60 s; it is made at once, and read at once. */
const copiedMsMax = 10_000;

describe.each<StoreKind>(["sqlite", "mongodb"])("hot records on %s", (kind) => {
  let service: Service;
  let redis: Redis;
  beforeAll(async () => {
    service = await startService(kind, { LASTRO_HOT_RECORDS: "recent" });
    redis = new Redis(redisUrl());
  }, startTimeoutMs);
  afterAll(async () => {
    redis.disconnect();
    await service?.[Symbol.asyncDispose]();
  });

  const read = (rid: string) => service.ask(HistoryService, "getRecord", { by: { case: "rid", value: rid } });
  /** A record of an event that is just stored, and the name of its copy: the copy is made beside the append. */
  async function stored(id: string) {
    // What a row holds beside its sealed body to be found by, is in the clear there.
    await service.send([message({ payload: { public_id: id }, metadata: { user_id: person } })]);
    const { records } = await service.ask(HistoryService, "searchRecords", { filter: `entity_id = ${id}` });
    const [record] = records;
    if (record === undefined) throw new Error("the event was not stored");
    const { rid, event, actor } = record;
    expect(actor?.ownerId).toBe(person);
    let names: readonly string[] = [];
    const isThere = async (): Promise<boolean> => {
      names = await redis.keys(`lastro:*:h:r:${rid}`);
      return names.length === 1;
    };
    await until("its copy is there", isThere, copiedMsMax, service.lastro());
    return { rid, event, name: names[0] ?? "" };
  }

  test("R-22 what was just stored lies in Redis, sealed and for a while, and is answered as the store would", async () => {
    const { rid, event, name } = await stored("h-1");
    const copy = (await redis.getBuffer(name))?.toString("latin1") ?? "";
    expect(copy.length).toBeGreaterThan(Buffer.from(event).length);
    expect(copy.toLowerCase()).not.toContain(person.toLowerCase());
    const leftMs = await redis.pttl(name);
    expect(leftMs).toBeGreaterThan(0);
    expect(leftMs).toBeLessThanOrEqual(60_000);
    expect((await read(rid)).record?.event).toEqual(event);
  });

  test("R-22 a copy that was removed or forged changes no answer", async () => {
    const { rid, event, name } = await stored("h-2");
    await redis.set(name, "forged");
    expect((await read(rid)).record?.event).toEqual(event);
    expect(await redis.del(name)).toBe(1);
    expect((await read(rid)).record?.event).toEqual(event);
  });
});
