/** Little heap, few descriptors: the service lives within them, says what it lacks, and loses nothing. */
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { expect, test } from "@jest/globals";
import { peakMbOf } from "../bench/process-usage.ts";
import { committedOffsets, createTopic } from "../support/kafka-admin.ts";
import { until } from "../support/lastro.ts";
import { plainEvents, storedOnly } from "../support/published.ts";
import { kafkaBrokers } from "../support/servers.ts";
import { makeWorld, untilDrained } from "../support/world.ts";

const heapMbMax = 256;
const filesMax = 64;
const idleConnections = 100;

test("with 256 MB of heap a backlog of large events is worked off by the same process", async () => {
  await using world = await makeWorld("sqlite", { LASTRO_BATCH_SIZE_MAX: "500" });
  const large = plainEvents(1, 600).map((event) => ({
    ...event,
    value: event.value.replace('"note":"', `"note":"${"x".repeat(200_000)}`),
  }));
  await createTopic(kafkaBrokers().join(","), world.topic, 6);
  for (let at = 0; at < large.length; at += 10) await world.send(large.slice(at, at + 10));
  const lastro = await world.start({ nodeArgs: [`--max-old-space-size=${heapMbMax}`] });
  const startedMs = performance.now();
  await untilDrained(lastro, large.length, 120_000);
  const recoveryMs = performance.now() - startedMs;
  const note = `peak memory ${Math.round(peakMbOf(lastro.process.pid ?? 0))} MB`;
  expect(await lastro.stop()).toBe(0);
  await world.checkAfter({ fault: "256 MB of heap, events of 200 KB", recoveryMs, note }, storedOnly(large));
}, 240_000);

/** As many as the process takes: those beyond are cut or never answered. */
async function holdConnections(url: string): Promise<readonly Socket[]> {
  const { hostname, port } = new URL(url);
  const sockets = Array.from({ length: idleConnections }, () =>
    connect(Number(port), hostname).on("error", () => undefined),
  );
  await Promise.all(
    sockets.map((socket) =>
      Promise.race([once(socket, "connect"), once(socket, "close")]).catch(() => undefined),
    ),
  );
  return sockets;
}

const filesMaxOf = (pid: number): string =>
  /^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, "utf8"))?.[1] ?? "";
const openFilesOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

test("with 64 descriptors, all taken by idle connections, intake goes on, and the service answers again when they are gone", async () => {
  await using world = await makeWorld("sqlite");
  const lastro = await world.start({
    under: ["prlimit", `--nofile=${filesMax}`],
    env: { LASTRO_KAFKA_GROUP: world.topic },
  });
  const { pid = 0 } = lastro.process;
  expect(filesMaxOf(pid)).toBe(String(filesMax));
  const before = await world.publish(1, 1_000);
  await untilDrained(lastro, before.messages);
  const sockets: Socket[] = [];
  /** What the process gave up meanwhile, too. */
  const takeAll = async (): Promise<boolean> => {
    if (openFilesOf(pid) < filesMax) sockets.push(...(await holdConnections(lastro.httpUrl)));
    return openFilesOf(pid) === filesMax;
  };
  await until("all are taken", takeAll, 30_000, lastro);
  const during = await world.publish(2, 1_000);
  // It answers nobody now; what it commits to Kafka tells how far it is.
  const isAccounted = async (): Promise<boolean> => {
    await takeAll();
    const committed = await committedOffsets(kafkaBrokers().join(","), world.topic, world.topic);
    return committed.reduce((sum, offset) => sum + offset, 0) === before.messages + during.messages;
  };
  await until("intake goes on", isAccounted, 60_000, lastro);
  for (const socket of sockets) socket.destroy();
  const freedMs = performance.now();
  await untilDrained(lastro, before.messages + during.messages);
  const recoveryMs = performance.now() - freedMs;
  expect(await lastro.stop()).toBe(0);
  await world.checkAfter({ fault: "64 descriptors, all taken", recoveryMs }, before, during);
}, 180_000);
