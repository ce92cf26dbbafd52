/** A topic, a store and a data folder of one test's own on the real servers, and the service started over them. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "@jest/globals";
import { openKeyRing } from "../../src/adapters/files/key-ring.ts";
import { openMongoStore } from "../../src/adapters/mongo/open-mongo-store.ts";
import { openSqliteStore } from "../../src/adapters/sqlite/open.ts";
import { OperationsService } from "../../src/gen/lastro/v1/operations_pb.ts";
import type { Store } from "../../src/ports/store.ts";
import { inspectStore, noProblems } from "./checker.ts";
import { type FaultRun, recordRun } from "./fault-report.ts";
import { call, connect } from "./grpc-client.ts";
import { readTopic } from "./kafka-admin.ts";
import { type LastroOptions, type LastroProcess, spawnLastro, until, untilReady } from "./lastro.ts";
import { combined, type Message, makeLoad, type Published, publish } from "./published.ts";
import { kafkaBrokers, mongoUrl, redisUrl } from "./servers.ts";

export type StoreKind = "sqlite" | "mongodb";

export type World = AsyncDisposable & {
  readonly topic: string;
  readonly dataDir: string;
  readonly env: Readonly<Record<string, string>>;
  start(options?: Partial<LastroOptions>): Promise<LastroProcess>;
  /** As `start`, without waiting for readiness. */
  spawn(options?: Partial<LastroOptions>): Promise<LastroProcess>;
  publish(seed: number, events: number): Promise<Published>;
  send(messages: readonly Message[]): Promise<void>;
  openStore(): Promise<Store>;
  /** Opens the store (no service may run on SQLite) and compares it with what was published. */
  check(...published: readonly Published[]): Promise<void>;
  /** The same, and reports it as a run of this fault. */
  checkAfter(
    fault: Pick<FaultRun, "fault" | "recoveryMs" | "note">,
    ...published: readonly Published[]
  ): Promise<void>;
};

/** Small batches, so that a few thousand events are many steps; quick sessions, so that a death is noticed soon. */
const quick = {
  LASTRO_BATCH_SIZE_MAX: "100",
  LASTRO_KAFKA_SESSION_TIMEOUT_MS: "6000",
  LASTRO_RETRY_MAX_MS: "1000",
  LASTRO_LOG_LEVEL: "warn",
};

export async function makeWorld(kind: StoreKind, env: Readonly<Record<string, string>> = {}): Promise<World> {
  const name = `w${randomBytes(6).toString("hex")}`;
  const dataDir = mkdtempSync(join(tmpdir(), "lastro-world-"));
  const mongo = kind === "mongodb" ? databaseUrl(env["LASTRO_STORE_URL"] ?? mongoUrl(), name) : undefined;
  const running = new Set<LastroProcess>();
  const whole = {
    LASTRO_DATA_DIR: dataDir,
    LASTRO_KAFKA_BROKERS: kafkaBrokers().join(","),
    LASTRO_KAFKA_TOPIC: name,
    LASTRO_KAFKA_DLQ_TOPIC: `${name}.dlq`,
    LASTRO_REDIS_URL: redisUrl(),
    ...quick,
    ...env,
    ...(mongo !== undefined && { LASTRO_STORE_URL: mongo }),
  };
  const openStore = (): Promise<Store> =>
    mongo === undefined
      ? openSqliteStore({ path: join(dataDir, "lastro.db") })
      : openMongoStore({ url: mongo });
  const send = (messages: readonly Message[]): Promise<void> =>
    publish(whole.LASTRO_KAFKA_BROKERS.split(","), name, messages);
  const inspect = async (published: Published) => {
    await using store = await openStore();
    const ring = await openKeyRing({
      path: join(dataDir, "keys", "keyring.json"),
      create: false,
      random: (bytes) => randomBytes(bytes),
    });
    const letters = await readTopic(whole.LASTRO_KAFKA_BROKERS, `${name}.dlq`);
    return await inspectStore(store, ring, published, letters);
  };
  const spawn: World["spawn"] = async (options) => {
    const lastro = await spawnLastro({ ...options, env: { ...whole, ...options?.env } });
    running.add(lastro);
    return lastro;
  };
  return {
    topic: name,
    dataDir,
    env: whole,
    openStore,
    async start(options) {
      const lastro = await spawn(options);
      await untilReady(lastro);
      return lastro;
    },
    spawn,
    async publish(seed, events) {
      const load = makeLoad({ seed, events, entities: 40 });
      await send(load.batch);
      return load;
    },
    send,
    async check(...published) {
      expect((await inspect(combined(published))).problems).toEqual(noProblems);
    },
    async checkAfter(fault, ...published) {
      const all = combined(published);
      const { stored, problems } = await inspect(all);
      const { lost, doubled, holes } = problems;
      recordRun({
        ...fault,
        store: kind,
        events: all.messages,
        stored,
        lost: lost.length,
        doubled: doubled.length,
        holes: holes.length,
      });
      expect(problems).toEqual(noProblems);
    },
    async [Symbol.asyncDispose]() {
      for (const lastro of running) await lastro.stop("SIGKILL");
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

function databaseUrl(server: string, name: string): string {
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

const metric = (text: string, name: string): readonly number[] =>
  text
    .split("\n")
    .filter((line) => line.startsWith(name))
    .map((line) => Number(line.slice(line.lastIndexOf(" ") + 1)));

/** Events this process gave an outcome. */
export async function outcomesSeen(lastro: LastroProcess): Promise<number> {
  const text = await (await fetch(`${lastro.httpUrl}/metrics`)).text();
  return metric(text, "lastro_events_total{").reduce((sum, value) => sum + value, 0);
}

/** Waits until every offset of the topic has an outcome in the store, as operators see it: lag 0 on each partition. */
export async function untilDrained(
  lastro: LastroProcess,
  messages: number,
  timeoutMs = 60_000,
): Promise<void> {
  using client = connect(lastro.grpcAddress);
  await until(
    `all ${messages} messages have an outcome`,
    async () => {
      const { partitions } = await call(client, OperationsService, "getIntake", {});
      const accounted = partitions.reduce((sum, { mark }) => sum + Number(mark ?? 0n), 0);
      // An incarnation that is gone has no lag.
      return accounted >= messages && partitions.every(({ lag }) => (lag ?? 0n) === 0n);
    },
    timeoutMs,
    lastro,
  );
}
