/** Dedup hints in Redis or Valkey, shared by all processes of a store. May be slow, empty, stale or away: then intake looks into the store. */
import { Redis, ReplyError } from "ioredis";
import { LastroError } from "../../core/errors.ts";
import type { StoreId, Uid } from "../../core/ids.ts";
import type { ClientTls } from "../../ports/client-tls.ts";
import type { Clock } from "../../ports/clock.ts";
import type { DedupHints } from "../../ports/dedup-hints.ts";
import type { Log } from "../../ports/log.ts";

const budgetDefaultMs = 100;
/** Keys of one MGET or one script call: longer ones hold up other users of a shared Redis. */
const keysPerCallMax = 1_000;
/** After this many time-outs in a row Redis is left alone for a while and the connection is made anew. */
const timeoutsInRowMax = 2;
export const restMs = 1_000;
/** So long a refusal counts, whatever else is answered: Redis without memory left answers reads, a replica too. */
export const refusalCountsMs = 5_000;
const connectBudgetMs = 2_000;
const disconnectBudgetMs = 200;
const reconnectStepMs = 100;
const reconnectMaxMs = 2_000;

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
  const client = new Redis(options.url, {
    ...(options.tls !== undefined && /^rediss:/i.test(options.url) && { tls: options.tls }),
    lazyConnect: true,
    connectTimeout: connectBudgetMs,
    disconnectTimeout: disconnectBudgetMs,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (times) => Math.min(times * reconnectStepMs, reconnectMaxMs),
  });
  let restUntilMs = 0;
  let helpsFromMs = 0;
  let timeoutsInRow = 0;
  let wasUp: boolean | undefined;
  let isCluster = false;

  const usable = (): boolean => client.status === "ready" && now() >= restUntilMs && !isCluster;
  const helps = (): boolean => now() >= helpsFromMs;
  const keyOf = (uid: Uid): string => `lastro:${storeId}:u:${uid}`;

  function noteUp(up: boolean, why: string): void {
    if (wasUp === up) return;
    const isFirst = wasUp === undefined;
    wasUp = up;
    if (up && isFirst) return;
    if (up) log.info("hints_up", "Redis answers: duplicates are known beforehand again");
    else
      log.warn(
        "hints_down",
        `Redis does not help (${why}): duplicates are looked up in the store until it does`,
      );
  }

  function failed(error: unknown): void {
    noteUp(false, reasonOf(error));
    if (isTimeout(error) || error instanceof ReplyError) helpsFromMs = now() + refusalCountsMs;
    if (!isTimeout(error)) return;
    timeoutsInRow += 1;
    if (timeoutsInRow < timeoutsInRowMax) return;
    timeoutsInRow = 0;
    restUntilMs = now() + restMs;
    client.disconnect(true);
  }

  async function asking<T>(ask: () => Promise<T>): Promise<T | "unavailable"> {
    if (!usable()) return "unavailable";
    try {
      const answer = await inTime(ask(), budgetMs);
      timeoutsInRow = 0;
      if (helps()) noteUp(true, "");
      return answer;
    } catch (error) {
      failed(error);
      return "unavailable";
    }
  }

  async function lookForCluster(): Promise<void> {
    const cluster = await inTime(client.info("cluster"), budgetMs).catch(() => "");
    isCluster = cluster.includes("cluster_enabled:1");
    if (isCluster) log.error("hints_cluster", clusterRefused);
  }

  client.on("error", (error) => noteUp(false, reasonOf(error)));
  client.on("close", () => noteUp(false, "connection closed"));
  let looking = Promise.resolve();
  client.on("ready", () => {
    looking = lookForCluster();
  });
  await client.connect().catch(() => undefined);
  await looking;
  if (isCluster) {
    wasUp = false;
    client.disconnect();
    throw new LastroError("CONFIG_INVALID", clusterRefused, { field: "LASTRO_REDIS_URL" });
  }

  return {
    known: (uids, signal) =>
      asking(async () => {
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
      await asking(async () => {
        signal.throwIfAborted();
        const ttl = String(ttlMs);
        await Promise.all(
          inParts(uids).map((part) => client.eval(rememberScript, part.length, ...part.map(keyOf), ttl)),
        );
      });
    },
    isConnected: () => usable() && helps(),
    async [Symbol.asyncDispose]() {
      wasUp = false;
      client.disconnect();
    },
  };
}

const clusterRefused =
  "LASTRO_REDIS_URL names a Redis Cluster, which is not supported: give a single Redis or Valkey (a primary with replicas is fine), or leave the variable out to keep hints in the process";

function inParts(uids: readonly Uid[]): (readonly Uid[])[] {
  const parts: (readonly Uid[])[] = [];
  for (let at = 0; at < uids.length; at += keysPerCallMax) parts.push(uids.slice(at, at + keysPerCallMax));
  return parts;
}

const timedOut = new Error("no answer in time");
const isTimeout = (error: unknown): boolean => error === timedOut;

/** When the time is up, sockets still have their turn: an answer that came while this process was busy came in time. */
function inTime<T>(answer: Promise<T>, budgetMs: number): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => setImmediate(reject, timedOut), budgetMs);
  answer.then(resolve, reject).finally(() => clearTimeout(timer));
  return promise;
}

/** Error texts may quote keys or addresses with passwords; Redis's own errors begin with a code in capitals. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown error";
  if ("code" in error && typeof error.code === "string") return error.code;
  return isTimeout(error) ? timedOut.message : (/^[A-Z]{3,}\b/.exec(error.message)?.[0] ?? error.name);
}
