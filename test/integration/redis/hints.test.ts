/** Redis may refuse, hang, die and come back: hints are then unavailable, nothing throws, nothing waits. Each test has a Redis of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Redis } from "ioredis";
import { openRedisHints } from "../../../src/adapters/redis/hints.ts";
import { refusalCountsMs } from "../../../src/adapters/redis/patient-client.ts";
import type { StoreId } from "../../../src/core/ids.ts";
import type { DedupHints } from "../../../src/ports/dedup-hints.ts";
import { someUids } from "../../contract/dedup-hints.contract.ts";
import { openCountedLink } from "../../support/counted-link.ts";
import { freePort } from "../../support/lastro.ts";
import { type RunningServer, startRedis } from "../../support/servers.ts";

const storeId = "00112233445566778899aabbccddeeff" as StoreId;
const signal = new AbortController().signal;
const programs = new URL("../../../deploy/local/programs.mjs", import.meta.url).href;
const lines: string[] = [];
const log = {
  info: (code: string) => void lines.push(code),
  warn: (code: string, message: string) => void lines.push(`${code} ${message}`),
  error: (code: string) => void lines.push(code),
};

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error("never happened");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe("hints over a Redis in trouble", () => {
  let dir = "";
  let port = 0;
  let aheadMs = 0;
  /** While it is set, time stands still. */
  let stoppedMs: number | undefined;
  let server: RunningServer;
  let operator: Redis;
  const opened: DedupHints[] = [];
  const open = async (ttlMs = 60_000, through = port) => {
    const hints = await openRedisHints({
      url: `redis://127.0.0.1:${through}`,
      storeId,
      ttlMs,
      budgetMs: 100,
      log,
      now: () => stoppedMs ?? Date.now() + aheadMs,
    });
    opened.push(hints);
    return hints;
  };
  beforeEach(async () => {
    lines.length = 0;
    aheadMs = 0;
    stoppedMs = undefined;
    dir = await mkdtemp(join(tmpdir(), "lastro-redis-"));
    port = await freePort();
    server = await startRedis({ dir, port });
    operator = new Redis(port, { commandTimeout: 5_000 });
    operator.on("error", () => undefined);
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one[Symbol.asyncDispose]()));
    operator.disconnect();
    await server.stop();
    await rm(dir, { recursive: true, force: true });
  });

  test("a Redis that dies makes hints unavailable; when it is back they work again by themselves", async () => {
    const hints = await open();
    const uids = someUids(3);
    await hints.remember(uids, signal);
    expect(await hints.known(uids, signal)).toEqual(new Set(uids));
    expect(lines).toEqual([]);
    await server.stop();
    await until(async () => (await hints.known(uids, signal)) === "unavailable" && !hints.isConnected());
    await hints.remember(uids, signal);
    server = await startRedis({ dir, port });
    await until(async () => (await hints.known(uids, signal)) !== "unavailable");
    await hints.remember(uids, signal);
    expect(await hints.known(uids, signal)).toEqual(new Set(uids));
    expect(lines.some((line) => line.startsWith("hints_down"))).toBe(true);
    expect(lines.at(-1)).toBe("hints_up");
  });

  test("a Redis that is away at the start is looked for in the background", async () => {
    await server.stop();
    const hints = await open();
    expect(await hints.known(someUids(1), signal)).toBe("unavailable");
    server = await startRedis({ dir, port });
    await until(async () => hints.isConnected());
    expect(await hints.known(someUids(1), signal)).toEqual(new Set());
  });

  test("a Redis that hangs costs its budget twice, then nothing until it has rested", async () => {
    await using link = await openCountedLink(port);
    const hints = await open(60_000, link.port);
    stoppedMs = Date.now();
    await link.become({ holds: "replies" });
    for (let i = 0; i < 100; i += 1) expect(await hints.known(someUids(5), signal)).toBe("unavailable");
    await until(async () => link.asked("mget") === 2);
    await link.become({});
    // It has connected anew, and asked for what it always asks a new connection.
    await until(async () => link.asked("cluster") >= 2);
    for (let i = 0; i < 100; i += 1) expect(await hints.known(someUids(5), signal)).toBe("unavailable");
    expect(link.asked("mget")).toBe(2);
    stoppedMs = undefined;
    await until(async () => (await hints.known(someUids(1), signal)) !== "unavailable");
  });

  test("an answer that came while the process was busy for longer than the budget is an answer", async () => {
    const hints = await open();
    const uids = someUids(3);
    await hints.remember(uids, signal);
    const asked = hints.known(uids, signal);
    await new Promise(setImmediate);
    // Longer than the budget, by far, and than Redis takes.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_000);
    expect(await asked).toEqual(new Set(uids));
    expect(lines).toEqual([]);
  });

  test("a Redis without memory, or one that only reads, takes nothing, throws nothing, and does not count as connected although it answers reads", async () => {
    const hints = await open();
    const uids = someUids(2);
    await operator.config("SET", "maxmemory", "1");
    await hints.remember(uids, signal);
    expect(lines.at(-1)).toContain("OOM");
    expect(await hints.known(uids, signal)).toEqual(new Set());
    expect([lines.length, hints.isConnected()]).toEqual([1, false]);
    await operator.config("SET", "maxmemory", "0");
    await operator.replicaof("127.0.0.1", 1);
    await hints.remember(uids, signal);
    await operator.replicaof("NO", "ONE");
    aheadMs = refusalCountsMs;
    expect(await hints.known(uids, signal)).toEqual(new Set());
    expect([lines.at(-1), hints.isConnected()]).toEqual(["hints_up", true]);
  });

  test("a Redis Cluster is refused with a sentence", async () => {
    const clusterPort = await freePort();
    const args = [
      "--port",
      `${clusterPort}`,
      "--bind",
      "127.0.0.1",
      "--dir",
      dir,
      "--save",
      "",
      "--cluster-enabled",
      "yes",
    ];
    const { redisProgram } = await import(programs);
    const { program } = await redisProgram(() => undefined);
    const cluster = spawn(program, args, { stdio: "ignore" });
    try {
      const url = `redis://127.0.0.1:${clusterPort}`;
      await until(async () => {
        const socket = connect(clusterPort, "127.0.0.1");
        const up = await once(socket, "connect").then(
          () => true,
          () => false,
        );
        socket.destroy();
        return up;
      });
      await expect(openRedisHints({ url, storeId, ttlMs: 0, log, now: Date.now })).rejects.toMatchObject({
        code: "CONFIG_INVALID",
        message: expect.stringContaining("Redis Cluster, which is not supported"),
      });
    } finally {
      cluster.kill();
      await once(cluster, "exit");
    }
  });

  test("what lies under our key in another form is not a hint", async () => {
    const hints = await open();
    const [list, text] = someUids(2);
    if (!list || !text) throw new Error("two uids");
    await operator.rpush(`lastro:${storeId}:u:${list}`, "1");
    await operator.set(`lastro:${storeId}:u:${text}`, "pending");
    expect(await hints.known([list, text], signal)).toEqual(new Set());
  });

  test("hints expire, and without a time to live they stay", async () => {
    const [brief, lasting] = [await open(30), await open(0)];
    const [a, b] = [someUids(1), someUids(1)];
    await brief.remember(a, signal);
    await lasting.remember(b, signal);
    expect(await operator.pttl(`lastro:${storeId}:u:${b[0]}`)).toBe(-1);
    await until(async () => (await operator.exists(`lastro:${storeId}:u:${a[0]}`)) === 0);
    expect(await lasting.known([...a, ...b], signal)).toEqual(new Set(b));
  });
});
