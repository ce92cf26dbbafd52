/** Redis may die, hang, refuse and come back: reads go on from the store and wait no longer than the budget. The test has a Redis of its own. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Redis } from "ioredis";
import { openRedisHotRecords } from "../../../src/adapters/redis/hot-records.ts";
import type { StoreId } from "../../../src/core/ids.ts";
import type { HotRecords } from "../../../src/ports/hot-records.ts";
import { type CountedLink, openCountedLink } from "../../support/counted-link.ts";
import { freePort } from "../../support/lastro.ts";
import { type RunningServer, startRedis } from "../../support/servers.ts";

const storeId = "00112233445566778899aabbccddeeff" as StoreId;
const signal = new AbortController().signal;
const budgetMs = 200;
const lines: string[] = [];
const log = {
  info: (code: string) => void lines.push(code),
  warn: (code: string, message: string) => void lines.push(`${code} ${message}`),
  error: (code: string) => void lines.push(code),
};
const entry = { key: "r:one", value: Uint8Array.of(1, 2, 3) };

let dir: string;
let port: number;
let server: RunningServer;
let link: CountedLink;
/** While it is set, time stands still. */
let stoppedMs: number | undefined;
let hot: HotRecords;

describe("hot records and a Redis in trouble", () => {
  beforeEach(async () => {
    lines.length = 0;
    dir = await mkdtemp(join(tmpdir(), "lastro-hot-"));
    port = await freePort();
    server = await startRedis({ dir, port });
    link = await openCountedLink(port);
    stoppedMs = undefined;
    const url = `redis://:not-asked-for@127.0.0.1:${link.port}`;
    hot = await openRedisHotRecords({
      url,
      storeId,
      ttlMs: 60_000,
      budgetMs,
      log,
      now: () => stoppedMs ?? performance.now(),
    });
  });
  afterEach(async () => {
    await hot[Symbol.asyncDispose]();
    await link[Symbol.asyncDispose]();
    await server.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const isFound = async (): Promise<boolean> => (await hot.find([entry.key], signal))[0] !== undefined;
  const keptAndFound = async (): Promise<boolean> => {
    await hot.keep([entry], signal);
    return isFound();
  };
  async function until(holds: () => Promise<boolean>): Promise<void> {
    while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  test("R-22 a Redis that dies is a miss and no error; when it is back copies are kept again by themselves", async () => {
    await until(keptAndFound);
    await server.stop();
    await until(async () => !(await isFound()));
    await hot.keep([entry], signal);
    server = await startRedis({ dir, port });
    await until(keptAndFound);
    expect(lines.filter((line) => line.startsWith("hot_records_down"))).toHaveLength(1);
    expect(lines.at(-1)).toBe("hot_records_up");
    expect(lines.join()).not.toContain("not-asked-for");
  });

  test("R-22 a Redis that hangs costs its budget and then nothing until it has rested", async () => {
    await until(keptAndFound);
    const [asked, connected] = [link.asked("mget"), link.asked("cluster")];
    stoppedMs = performance.now();
    await link.become({ holds: "replies" });
    for (let i = 0; i < 50; i += 1) expect(await isFound()).toBe(false);
    await until(async () => link.asked("mget") === asked + 2);
    await link.become({});
    // It has connected anew, and asked for what it always asks a new connection.
    await until(async () => link.asked("cluster") > connected);
    for (let i = 0; i < 50; i += 1) expect(await isFound()).toBe(false);
    expect(link.asked("mget")).toBe(asked + 2);
    stoppedMs = undefined;
    await until(keptAndFound);
  });

  test("a Redis without memory keeps nothing and is a miss", async () => {
    const operator = new Redis(port);
    await operator.config("SET", "maxmemory", "1");
    await hot.keep([entry], signal);
    expect(await isFound()).toBe(false);
    expect(lines.at(-1)).toContain("OOM");
    operator.disconnect();
  });
});
