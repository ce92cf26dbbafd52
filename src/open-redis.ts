/** The part of the composition root that joins Redis, or what stands in for it. */
import { memoryHints } from "./adapters/memory/hints.ts";
import { openRedisHints } from "./adapters/redis/hints.ts";
import { openRedisHotRecords } from "./adapters/redis/hot-records.ts";
import type { Config } from "./config.ts";
import type { ClientTls } from "./ports/client-tls.ts";
import type { Clock } from "./ports/clock.ts";
import type { DedupHints } from "./ports/dedup-hints.ts";
import type { Log } from "./ports/log.ts";
import { type HotCopies, type HotCopiesDeps, hotCopies } from "./privacy/hot-copies.ts";
import type { StoreKeys } from "./privacy/store-keys.ts";

type Around = Pick<HotCopiesDeps, "now" | "random"> & {
  /** For waiting. */
  readonly steadyNow: Clock;
  readonly keys: StoreKeys;
  readonly log: Log;
  /** For rediss:// alone. */
  readonly tls: ClientTls;
};

export async function openHints({ hints }: Config, around: Around): Promise<DedupHints> {
  const { keys, log, steadyNow, tls } = around;
  const { redisUrl: url, budgetMs, ttlMs, entriesMax } = hints;
  if (url === undefined) return memoryHints({ uidsMax: entriesMax });
  return openRedisHints({ url, tls, storeId: keys.storeId, budgetMs, ttlMs, log, now: steadyNow });
}

/** Undefined where every read goes to the store. */
export async function openHotCopies(
  { hot }: Config,
  { keys, log, now, random, steadyNow, tls }: Around,
  opened: AsyncDisposableStack,
): Promise<HotCopies | undefined> {
  if (hot === undefined) return undefined;
  const { storeId, lookupKey: lookup } = keys;
  const { redisUrl: url, ageMsMax, budgetMs, bytesMax } = hot;
  const kept = opened.use(
    await openRedisHotRecords({ url, tls, storeId, ttlMs: ageMsMax, budgetMs, log, now: steadyNow }),
  );
  return hotCopies({ kept, lookup, now, random, ageMsMax, bytesMax });
}
