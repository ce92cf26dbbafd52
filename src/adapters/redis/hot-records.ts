/** Hot records in Redis or Valkey, shared by all processes of a store. May be empty, slow or away: then the store is read. */
import type { StoreId } from "../../core/ids.ts";
import type { ClientTls } from "../../ports/client-tls.ts";
import type { Clock } from "../../ports/clock.ts";
import type { HotRecords } from "../../ports/hot-records.ts";
import type { Log } from "../../ports/log.ts";
import { openPatientClient } from "./patient-client.ts";

type RedisHotRecordsOptions = {
  /** redis:// or rediss://, may hold a password: never logged. */
  readonly url: string;
  readonly tls?: ClientTls | undefined;
  readonly storeId: StoreId;
  readonly ttlMs: number;
  /** Longest wait for Redis: a read that waits longer than the store takes has gained nothing. */
  readonly budgetMs: number;
  readonly log: Log;
  readonly now: Clock;
};

/** Resolves also while Redis is away; throws CONFIG_INVALID on a Redis Cluster. */
export async function openRedisHotRecords(options: RedisHotRecordsOptions): Promise<HotRecords> {
  const { url, storeId, ttlMs, budgetMs, log, now } = options;
  const redis = await openPatientClient({
    url,
    tls: options.tls,
    budgetMs,
    now,
    noteHelp(helps, why) {
      if (helps) log.info("hot_records_up", "Redis answers: hot records are read from it again");
      else
        log.warn("hot_records_down", `Redis does not help (${why}): records are read from the store alone`);
    },
    noteCluster: (what) => log.error("hot_records_cluster", what),
  });
  const nameOf = (key: string): string => `lastro:${storeId}:h:${key}`;

  return {
    async find(keys, signal) {
      const found = await redis.asking(async (client) => {
        signal.throwIfAborted();
        return keys.length === 0 ? [] : client.mgetBuffer(keys.map(nameOf));
      });
      return keys.map((_, at) => (found === "unavailable" ? undefined : (found[at] ?? undefined)));
    },
    async keep(entries, signal) {
      if (entries.length === 0) return;
      await redis.asking(async (client) => {
        signal.throwIfAborted();
        const pipeline = client.pipeline();
        for (const { key, value } of entries) pipeline.set(nameOf(key), Buffer.from(value), "PX", ttlMs);
        const answers = (await pipeline.exec()) ?? [];
        const refusal = answers.find(([error]) => error !== null)?.[0];
        if (refusal) throw refusal;
      });
    },
    [Symbol.asyncDispose]: () => redis[Symbol.asyncDispose](),
  };
}
