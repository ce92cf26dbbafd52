/** Redis may refuse, hang, die and come back: hints are then unavailable, nothing throws, nothing waits. Each test has a Redis of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execPath } from "node:process";
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
const hintsModule = new URL("../../../src/adapters/redis/hints.ts", import.meta.url).href;
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
  const open = async ({ ttlMs = 60_000, through = port, scheme = "redis", budgetMs = 100 } = {}) => {
    const hints = await openRedisHints({
      url: `${scheme}://127.0.0.1:${through}`,
      storeId,
      ttlMs,
      budgetMs,
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

  /** Until it is told to end: it has become the replica of another, whose data it takes in slowly. */
  async function untilItLoads() {
    await using opened = new AsyncDisposableStack();
    const primary = await startRedis({ dir: join(dir, "primary") });
    opened.defer(() => primary.stop());
    const itsClient = opened.adopt(new Redis(primary.url), (one) => one.disconnect());
    await itsClient.config("SET", "repl-diskless-sync-delay", "0");
    await itsClient.eval("for i = 1, 200000 do redis.call('SET', i, i) end", 0);
    await operator.config("SET", "key-load-delay", "300");
    await operator.config("SET", "loading-process-events-interval-bytes", "1024");
    await operator.replicaof("127.0.0.1", primary.port);
    await until(async () => (await operator.info("persistence")).includes("\r\nloading:1\r\n"));
    const all = opened.move();
    return {
      end: () => operator.config("SET", "key-load-delay", "0"),
      [Symbol.asyncDispose]: () => all.disposeAsync(),
    };
  }

  async function startCluster() {
    const clusterPort = await freePort();
    const { redisProgram } = await import(programs);
    const { program } = await redisProgram(() => undefined);
    const args = `--port ${clusterPort} --bind 127.0.0.1 --dir ${dir} --cluster-enabled yes --save`.split(
      " ",
    );
    const cluster = spawn(program, [...args, ""], { stdio: "ignore" });
    const exited = once(cluster, "exit");
    await until(async () => {
      const socket = connect(clusterPort, "127.0.0.1");
      const up = await once(socket, "connect").then(
        () => true,
        () => false,
      );
      socket.destroy();
      return up;
    });
    return {
      port: clusterPort,
      async [Symbol.asyncDispose]() {
        cluster.kill();
        await exited;
      },
    };
  }

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
    const hints = await open({ through: link.port });
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

  test("a Redis that takes connections and says nothing holds up no start; its hints come by themselves when it answers new ones", async () => {
    await using link = await openCountedLink(port);
    await link.become({ holds: "both" });
    const hints = await open({ through: link.port });
    expect(hints.isConnected()).toBe(false);
    expect(await hints.known(someUids(1), signal)).toBe("unavailable");
    link.forget();
    await link.become({});
    await until(async () => (await hints.known(someUids(1), signal)) !== "unavailable");
    expect(hints.isConnected()).toBe(true);
    expect(lines.join()).not.toContain("hints_cluster");
  });

  test("a server that never shakes hands for TLS holds up no start, and is told as one that gives no answer", async () => {
    await using link = await openCountedLink(port);
    await link.become({ holds: "both" });
    await open({ through: link.port, scheme: "rediss" });
    await until(async () => lines.some((line) => /^hints_down .*no answer in time/.test(line)));
  });

  test("a connection that is made anew and never answered is given up: hints come by themselves when Redis answers another", async () => {
    await using link = await openCountedLink(port);
    const hints = await open({ through: link.port });
    const silent = link.hold(Buffer.from("hello"));
    link.reset();
    await silent;
    link.forget();
    await link.become({});
    await until(async () => (await hints.known(someUids(1), signal)) !== "unavailable");
    expect(hints.isConnected()).toBe(true);
  });

  test("a Redis that loads its data holds up no start and refuses like any other; its hints come by themselves when it has loaded, on the same connection", async () => {
    await using loading = await untilItLoads();
    await using link = await openCountedLink(port);
    const hints = await open({ through: link.port, budgetMs: 5_000 });
    await until(async () => {
      await hints.known(someUids(1), signal);
      return lines.some((line) => /^hints_down .*LOADING/.test(line));
    });
    expect(hints.isConnected()).toBe(false);
    expect(await operator.info("persistence")).toContain("\r\nloading:1\r\n");
    await loading.end();
    await until(async () => {
      aheadMs += refusalCountsMs;
      await hints.known(someUids(1), signal);
      return hints.isConnected();
    });
    expect([lines.at(-1), link.asked("hello")]).toEqual(["hints_up", 1]);
  });

  test("a process ends by itself once hints that never got an answer are disposed of", async () => {
    await using link = await openCountedLink(port);
    await link.become({ holds: "both" });
    const program = `
      import { openRedisHints } from ${JSON.stringify(hintsModule)};
      const log = { info() {}, warn() {}, error() {} };
      const url = "redis://127.0.0.1:${link.port}";
      const hints = await openRedisHints({ url, storeId: "${storeId}", ttlMs: 0, log, now: Date.now });
      await hints[Symbol.asyncDispose]();`;
    const args = ["--input-type=module", "-e", program];
    const process = spawn(execPath, args, { stdio: "inherit", timeout: 20_000 });
    expect(await once(process, "exit")).toEqual([0, null]);
  });

  test("a Redis Cluster is refused with a sentence", async () => {
    await using cluster = await startCluster();
    const url = `redis://127.0.0.1:${cluster.port}`;
    await expect(openRedisHints({ url, storeId, ttlMs: 0, log, now: Date.now })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("Redis Cluster, which is not supported"),
    });
  });

  test("a Redis Cluster that said nothing at the start is told of when it answers, and not asked", async () => {
    await using cluster = await startCluster();
    await using link = await openCountedLink(cluster.port);
    await link.become({ holds: "both" });
    const hints = await open({ through: link.port });
    link.forget();
    await link.become({});
    await until(async () => lines.includes("hints_cluster"));
    expect(await hints.known(someUids(1), signal)).toBe("unavailable");
    expect([link.asked("mget"), hints.isConnected()]).toEqual([0, false]);
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
    const [brief, lasting] = [await open({ ttlMs: 30 }), await open({ ttlMs: 0 })];
    const [a, b] = [someUids(1), someUids(1)];
    await brief.remember(a, signal);
    await lasting.remember(b, signal);
    expect(await operator.pttl(`lastro:${storeId}:u:${b[0]}`)).toBe(-1);
    await until(async () => (await operator.exists(`lastro:${storeId}:u:${a[0]}`)) === 0);
    expect(await lasting.known([...a, ...b], signal)).toEqual(new Set(b));
  });
});
