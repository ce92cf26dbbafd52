/** A connection to Redis or Valkey that never keeps its user waiting: bounded by a budget, left alone after time-outs, looked for in the background. */
import type { ConnectionOptions } from "node:tls";
import { Redis, ReplyError } from "ioredis";
import { LastroError } from "../../core/errors.ts";
import { serverNameOf } from "../../lib/server-name.ts";
import type { ClientTls } from "../../ports/client-tls.ts";
import type { Clock } from "../../ports/clock.ts";

/** After this many time-outs in a row Redis is left alone for a while and the connection is made anew. */
const timeoutsInRowMax = 2;
export const restMs = 1_000;
/** So long a refusal counts, whatever else is answered: Redis without memory left answers reads, a replica too. */
export const refusalCountsMs = 5_000;
/** Of a connection, until Redis has said who it is; a start waits no longer. */
const connectBudgetMs = 2_000;
const disconnectBudgetMs = 200;
const reconnectStepMs = 100;
const reconnectMaxMs = 2_000;

export type PatientOptions = {
  /** redis:// or rediss://, may hold a password: never logged. */
  readonly url: string;
  /** For rediss://; undefined: the certificates that Node trusts. */
  readonly tls: ClientTls | undefined;
  readonly budgetMs: number;
  readonly now: Clock;
  /** Told when it begins to help and when it ceases to, with the reason; not of the first connection. */
  readonly noteHelp: (helps: boolean, why: string) => void;
  /** Told of a Redis Cluster, which is then never asked. */
  readonly noteCluster: (what: string) => void;
};

export type PatientClient = AsyncDisposable & {
  /** What `ask` answers within the budget; `unavailable` where it does not, without throwing. */
  asking<T>(ask: (client: Redis) => Promise<T>): Promise<T | "unavailable">;
  /** Whether it helps, as far as is known: it is there, and refused nothing lately. */
  helps(): boolean;
};

/** Resolves within 2 s also while Redis is away or says nothing; throws CONFIG_INVALID on a Redis Cluster that has answered by then. */
export async function openPatientClient(options: PatientOptions): Promise<PatientClient> {
  const { budgetMs, now } = options;
  const client = new Redis(options.url, {
    ...(/^rediss:/i.test(options.url) && { tls: namedTls(options) }),
    lazyConnect: true,
    // It ends at TCP's or TLS's connection: `boundConnecting` goes on until it is ready.
    connectTimeout: 0,
    // One that loads its data refuses calls like any other: the check would wait for it, with timers that outlive the connection.
    enableReadyCheck: false,
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
  const refusedNothing = (): boolean => now() >= helpsFromMs;

  function noteUp(up: boolean, why: string): void {
    if (wasUp === up) return;
    const isFirst = wasUp === undefined;
    wasUp = up;
    if (!(up && isFirst)) options.noteHelp(up, why);
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

  async function lookForCluster(): Promise<void> {
    const cluster = await inTime(client.info("cluster"), connectBudgetMs).catch(() => "");
    isCluster = cluster.includes("cluster_enabled:1");
    if (isCluster) options.noteCluster(clusterRefused);
  }

  boundConnecting(client, () => noteUp(false, timedOut.message));
  client.on("error", (error) => noteUp(false, reasonOf(error)));
  client.on("close", () => noteUp(false, "connection closed"));
  let looking = Promise.resolve();
  client.on("ready", () => {
    looking = lookForCluster();
  });
  const looked = client.connect().then(() => looking);
  await inTime(looked, connectBudgetMs).catch(() => undefined);
  if (isCluster) {
    wasUp = false;
    client.disconnect();
    throw new LastroError("CONFIG_INVALID", clusterRefused, { field: "LASTRO_REDIS_URL" });
  }

  return {
    async asking(ask) {
      if (!usable()) return "unavailable";
      try {
        const answer = await inTime(ask(client), budgetMs);
        timeoutsInRow = 0;
        if (refusedNothing()) noteUp(true, "");
        return answer;
      } catch (error) {
        failed(error);
        return "unavailable";
      }
    },
    helps: () => usable() && refusedNothing(),
    async [Symbol.asyncDispose]() {
      wasUp = false;
      client.disconnect();
    },
  };
}

function namedTls({ url, tls }: PatientOptions): ConnectionOptions {
  const servername = serverNameOf(new URL(url).hostname);
  return { ...tls, ...(servername !== undefined && { servername }) };
}

const clusterRefused =
  "LASTRO_REDIS_URL names a Redis Cluster, which is not supported: give a single Redis or Valkey (a primary with replicas is fine), or leave the variable out to keep hints in the process";

const timedOut = new Error("no answer in time");
const isTimeout = (error: unknown): boolean => error === timedOut;

/** A server may take a connection and never answer on it: then another is made, as after any that ends. */
function boundConnecting(client: Redis, noteLate: () => void): void {
  let timer: NodeJS.Timeout | undefined;
  const giveUp = (): void => {
    if (client.status !== "connecting" && client.status !== "connect") return;
    noteLate();
    client.disconnect(true);
  };
  client.on("connecting", () => {
    timer = setTimeout(() => setImmediate(giveUp), connectBudgetMs);
  });
  for (const over of ["ready", "close", "end"]) client.on(over, () => clearTimeout(timer));
}

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
