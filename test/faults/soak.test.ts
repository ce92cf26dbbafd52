/** A steady load with faults drawn from a seed, for an hour in the long form: promises hold, memory stays flat, the lag returns to zero. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { Redis } from "ioredis";
import { type Draw, drawFrom } from "../support/draw.ts";
import type { LastroProcess } from "../support/lastro.ts";
import { untilLogged } from "../support/log-gauges.ts";
import { makeLoad, type Published } from "../support/published.ts";
import { seed } from "../support/rounds.ts";
import { type RunningServer, startKafka, startRedis } from "../support/servers.ts";
import { makeWorld, untilDrained, type World } from "../support/world.ts";

const minutes = Number(process.env["LASTRO_TEST_SOAK_MINUTES"] ?? 0.5);
const eventsPerSecond = Number(process.env["LASTRO_TEST_SOAK_RATE"] ?? 300);
const soakMs = minutes * 60_000;
/** Each kind of fault comes at least once. */
const faultEveryMs = Math.min(30_000, soakMs / 6);
const standsStillMs = 8_000;
/** Half of the time after the last death is for warming up. */
const deathsUntil = 1 / 3;
const rssMbMax = 512;
/** Before that the growth is the warming up. */
const growthMinutesMin = 10;
const endMsMax = 600_000;

type Fault = "service killed" | "service stands still" | "Kafka killed" | "Redis killed" | "Redis flushed";
const faults: readonly Fault[] = [
  "service killed",
  "service stands still",
  "Kafka killed",
  "Redis killed",
  "Redis flushed",
];
type Sample = { readonly atMs: number; readonly rssMb: number };
type Scene = {
  readonly world: World;
  readonly dir: string;
  kafka: RunningServer;
  redis: RunningServer;
  lastro: LastroProcess;
  samples: Sample[];
};

async function killAgain(
  start: typeof startKafka,
  server: RunningServer,
  dir: string,
): Promise<RunningServer> {
  server.kill("SIGKILL");
  await server.exited;
  return start({ dir, port: server.port });
}

async function commit(fault: Fault, scene: Scene): Promise<void> {
  switch (fault) {
    case "service killed":
      await scene.lastro.stop("SIGKILL");
      scene.lastro = await scene.world.start();
      scene.samples = [];
      return;
    case "service stands still":
      scene.lastro.process.kill("SIGSTOP");
      await sleep(standsStillMs);
      scene.lastro.process.kill("SIGCONT");
      return;
    case "Kafka killed":
      scene.kafka = await killAgain(startKafka, scene.kafka, join(scene.dir, "kafka"));
      return;
    case "Redis killed":
      scene.redis = await killAgain(startRedis, scene.redis, join(scene.dir, "redis"));
      return;
    case "Redis flushed": {
      const client = new Redis(scene.redis.url);
      await client.flushall();
      client.disconnect();
    }
  }
}

/** A death of the service first, then every kind once before any comes again; no death where memory is watched. */
function* faultsFrom(draw: Draw, mayDie: () => boolean): Generator<Fault> {
  yield "service killed";
  for (;;) {
    const deck = [...faults];
    while (deck.length > 0) {
      const [fault] = deck.splice(draw(deck.length), 1);
      if (fault !== undefined && (fault !== "service killed" || mayDie())) yield fault;
    }
  }
}

function sample({ lastro, samples }: Scene): void {
  const status = readFileSync(`/proc/${lastro.process.pid}/status`, "latin1");
  samples.push({ atMs: performance.now(), rssMb: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1_024 });
}

/** MB a minute, by least squares. */
function slopeOf(samples: readonly Sample[]): number {
  const mean = (value: (one: Sample) => number): number =>
    samples.reduce((sum, one) => sum + value(one), 0) / samples.length;
  const [atMs, rssMb] = [mean((one) => one.atMs), mean((one) => one.rssMb)];
  const covariance = mean((one) => (one.atMs - atMs) * (one.rssMb - rssMb));
  return (60_000 * covariance) / mean((one) => (one.atMs - atMs) ** 2);
}

/** Publishes second by second; what Kafka would not tell the fate of is never sent: its own deaths come between two sends. */
async function soak(scene: Scene): Promise<{ published: Published; committed: readonly Fault[] }> {
  const ids = new Set<string>();
  const bad: string[] = [];
  const sum = { messages: 0, duplicates: 0, conflicts: 0, rejected: 0 };
  const committed: Fault[] = [];
  const startedMs = performance.now();
  const elapsedMs = (): number => performance.now() - startedMs;
  const next = faultsFrom(drawFrom(seed), () => elapsedMs() < soakMs * deathsUntil);
  let isRunning = false;
  const isOver = (): boolean =>
    elapsedMs() >= soakMs && !isRunning && new Set(committed).size === faults.length;
  for (let second = 1; !isOver(); second++) {
    const load = makeLoad({ seed: second, events: eventsPerSecond, entities: 2_000 });
    await scene.world.send(load.batch);
    for (const id of load.ids) ids.add(id);
    bad.push(...(load.bad ?? []));
    for (const count of Object.keys(sum) as (keyof typeof sum)[]) sum[count] += load[count];
    if (!isRunning) sample(scene);
    if (!isRunning && elapsedMs() > committed.length * faultEveryMs) {
      const fault = next.next().value as Fault;
      committed.push(fault);
      isRunning = true;
      const running = commit(fault, scene).finally(() => {
        isRunning = false;
      });
      if (fault === "Kafka killed") await running;
    }
    await sleep(Math.max(0, second * 1_000 - elapsedMs()));
  }
  return { published: { ids, bad, ...sum }, committed };
}

test(
  "under a steady load and faults at random nothing is lost, doubled or out of order, memory stays within 512 MB and the lag returns to zero",
  async () => {
    const dir = mkdtempSync(join(tmpdir(), "lastro-soak-"));
    const [kafka, redis] = [
      await startKafka({ dir: join(dir, "kafka") }),
      await startRedis({ dir: join(dir, "redis") }),
    ];
    const ownServers = {
      LASTRO_KAFKA_BROKERS: kafka.address,
      LASTRO_REDIS_URL: redis.url,
      LASTRO_BATCH_SIZE_MAX: "1000",
    };
    let scene: Scene | undefined;
    try {
      await using world = await makeWorld("sqlite", ownServers);
      scene = { world, dir, kafka, redis, lastro: await world.start(), samples: [] };
      const { published, committed } = await soak(scene);
      const endMs = performance.now();
      await untilDrained(scene.lastro, published.messages, endMsMax);
      const recoveryMs = performance.now() - endMs;
      await untilLogged(scene.lastro, published.ids.size);
      expect(await scene.lastro.stop()).toBe(0);
      const watched = scene.samples.slice(scene.samples.length / 2);
      const rssMb = Math.max(...scene.samples.map((one) => one.rssMb));
      const growth = minutes < growthMinutesMin ? "" : `, ${slopeOf(watched).toFixed(1)} MB/min`;
      const note = `${eventsPerSecond} events/s, ${committed.length} faults, memory at most ${Math.round(rssMb)} MB${growth}`;
      await world.checkAfter({ fault: `soak of ${minutes} min`, recoveryMs, note }, published);
      expect(rssMb).toBeLessThan(rssMbMax);
    } finally {
      await Promise.all([(scene?.kafka ?? kafka).stop(), (scene?.redis ?? redis).stop()]);
      rmSync(dir, { recursive: true, force: true });
    }
  },
  soakMs + 2 * endMsMax + soakMs,
);
