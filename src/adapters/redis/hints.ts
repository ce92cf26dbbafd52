/** Dedup hints in Redis or Valkey, shared by all processes of a store. May be slow, empty, stale or away: then intake looks into the store. */
import type { StoreId, Uid } from "../../core/ids.ts";
import type { ClientTls } from "../../ports/client-tls.ts";
import type { Clock } from "../../ports/clock.ts";
import type { DedupHints } from "../../ports/dedup-hints.ts";
import type { Log } from "../../ports/log.ts";
import { openPatientClient } from "./patient-client.ts";

const budgetDefaultMs = 100;
/** Keys of one MGET or one script call: longer ones hold up other users of a shared Redis. */
const keysPerCallMax = 1_000;

const stored = "1";
/** One round trip and one reply for all keys. ARGV[1]: time to live in ms, 0 for ever. */
const rememberScript = `
for i = 1, #KEYS do
  if ARGV[1] == '0' then redis.call('SET', KEYS[i], '${stored}') else redis.call('SET', KEYS[i], '${stored}', 'PX', ARGV[1]) end
end
return #KEYS`;

type RedisHintsOptions = {
  /** redis:// or rediss://, may hold a password: never logged. */
  readonly url: string;
  /** For rediss:// alone. */
  readonly tls?: ClientTls;
  readonly storeId: StoreId;
  /** 0: no expiry. */
  readonly ttlMs: number;
  readonly budgetMs?: number;
  readonly log: Log;
  readonly now: Clock;
};

/** Resolves also while Redis is away (it is looked for in the background); throws CONFIG_INVALID on a Redis Cluster. */
export async function openRedisHints(options: RedisHintsOptions): Promise<DedupHints> {
  const { storeId, ttlMs, log, now, budgetMs = budgetDefaultMs } = options;
  const redis = await openPatientClient({
    url: options.url,
    tls: options.tls,
    budgetMs,
    now,
    noteHelp(helps, why) {
      if (helps) log.info("hints_up", "Redis answers: duplicates are known beforehand again");
      else
        log.warn(
          "hints_down",
          `Redis does not help (${why}): duplicates are looked up in the store until it does`,
        );
    },
    noteCluster: (what) => log.error("hints_cluster", what),
  });
  const keyOf = (uid: Uid): string => `lastro:${storeId}:u:${uid}`;

  return {
    known: (uids, signal) =>
      redis.asking(async (client) => {
        signal.throwIfAborted();
        const parts = await Promise.all(
          inParts(uids).map(async (part) => {
            const values = await client.mget(part.map(keyOf));
            return part.filter((_, at) => values[at] === stored);
          }),
        );
        return new Set(parts.flat());
      }),
    async remember(uids, signal) {
      await redis.asking(async (client) => {
        signal.throwIfAborted();
        const ttl = String(ttlMs);
        await Promise.all(
          inParts(uids).map((part) => client.eval(rememberScript, part.length, ...part.map(keyOf), ttl)),
        );
      });
    },
    isConnected: redis.helps,
    [Symbol.asyncDispose]: () => redis[Symbol.asyncDispose](),
  };
}

function inParts(uids: readonly Uid[]): (readonly Uid[])[] {
  const parts: (readonly Uid[])[] = [];
  for (let at = 0; at < uids.length; at += keysPerCallMax) parts.push(uids.slice(at, at + keysPerCallMax));
  return parts;
}
