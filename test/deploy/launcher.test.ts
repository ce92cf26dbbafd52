/** What the launcher decides: which server is used, when to install, whose data folder it is, how everything went. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { takeDataDir } from "../../deploy/local/data-dir.mjs";
import { endLeftovers, runVariable } from "../../deploy/local/leftovers.mjs";
import { needsInstall, root } from "../../deploy/local/prepare.mjs";
import { answersAsKafka, answersAsRedis } from "../../deploy/local/probes.mjs";
import { javaMajor } from "../../deploy/local/programs.mjs";
import { resolveKafka, resolveRedis, resolveStore } from "../../deploy/local/resolve.mjs";
import type { RunningServer, StartOptions } from "../../deploy/local/servers.mjs";
import { summarise, summaryLine } from "../../deploy/local/summary.mjs";
import { withoutSecrets } from "../../src/lib/env-values.ts";

const running = (port: number): RunningServer => ({
  url: `127.0.0.1:${port}`,
  address: `127.0.0.1:${port}`,
  port,
  what: "Server 1.2.3",
  owned: true,
  pid: 1,
  exited: new Promise(() => {}),
  stop: async () => {},
  kill: () => {},
});

/** A machine where nothing runs and everything can be started; what is started is noted. */
function machine(over: { env?: NodeJS.ProcessEnv; answers?: boolean; free?: boolean; fails?: string } = {}) {
  const starts: StartOptions[] = [];
  const around = {
    env: over.env ?? {},
    dataDir: "/data",
    answers: async () => over.answers ?? false,
    isFree: async () => over.free ?? true,
    start: async (options: StartOptions) => {
      starts.push(options);
      if (over.fails) throw new Error(over.fails);
      return running(options.port ?? 40_000);
    },
    log: () => {},
    spawned: () => {},
  };
  return { starts, around };
}

describe("where a server comes from", () => {
  test("a configured address is taken as it is, and nothing is asked or started", async () => {
    const { around, starts } = machine({ env: { LASTRO_KAFKA_BROKERS: "k1:9092,k2:9092" }, answers: true });
    const { part, env } = await resolveKafka(around);
    expect(part).toMatchObject({ where: "k1:9092,k2:9092", what: "configured by LASTRO_KAFKA_BROKERS" });
    expect(env).toEqual({});
    expect(starts).toEqual([]);
  });

  test.each([
    ["redis://user:secret@r:6379", "redis://r:6379"],
    ["redis://user:se/c@ret@r:6379/1", "redis://r:6379/1"],
    ["redis://r:6379?password=secret", "redis://r:6379"],
    ["mongodb://u:sec/ret@m/x", "mongodb://m/x"],
    ["mongodb://u:se@cret@m/x?tlsCertificateKeyFilePassword=secret", "mongodb://m/x"],
    ["mongodb://u:se?cret@m/x#secret", "mongodb://m/x"],
    ["sqlite:/data/lastro.db", "sqlite:/data/lastro.db"],
  ])("nothing secret of a configured address is shown, as the service shows it: %s", async (url, shown) => {
    const { around } = machine({ env: { LASTRO_REDIS_URL: url } });
    expect((await resolveRedis(around)).part.where).toBe(shown);
    expect(resolveStore({ env: { LASTRO_STORE_URL: url }, dataDir: "/data" }).part.where).toBe(shown);
    expect(withoutSecrets(url)).toBe(shown);
  });

  test("an address of which nothing may be shown is still taken", async () => {
    const { around, starts } = machine({ env: { LASTRO_REDIS_URL: "secret@" } });
    expect((await resolveRedis(around)).part.where).toBe("(hidden)");
    expect(starts).toEqual([]);
  });

  test("an address given as a file is left to the service", async () => {
    const { around, starts } = machine({ env: { LASTRO_REDIS_URL_FILE: "/run/secrets/redis" } });
    expect((await resolveRedis(around)).env).toEqual({});
    expect(starts).toEqual([]);
  });

  test("what answers on the default port is used before anything is started", async () => {
    const { around, starts } = machine({ answers: true });
    expect((await resolveKafka(around)).env).toEqual({ LASTRO_KAFKA_BROKERS: "127.0.0.1:9092" });
    expect((await resolveRedis(around)).env).toEqual({ LASTRO_REDIS_URL: "redis://127.0.0.1:6379" });
    expect(starts).toEqual([]);
  });

  test("what is started gets the default port and keeps its data in the data folder", async () => {
    const { around, starts } = machine();
    const { part, env, server } = await resolveKafka(around);
    expect(starts).toMatchObject([{ dir: "/data/kafka", port: 9092 }]);
    expect(env).toEqual({ LASTRO_KAFKA_BROKERS: "127.0.0.1:9092" });
    expect(part.what).toBe("Server 1.2.3, started for you");
    expect(server?.owned).toBe(true);
  });

  test("a default port taken by a stranger is left alone", async () => {
    const { around, starts } = machine({ free: false });
    expect((await resolveKafka(around)).env).toEqual({ LASTRO_KAFKA_BROKERS: "127.0.0.1:40000" });
    expect(starts[0]?.port).toBeUndefined();
  });

  test("without Redis the service keeps hints in its process, and is told why and how to change it", async () => {
    const { around } = machine({ fails: "There is no redis-server on the PATH" });
    const { part, env } = await resolveRedis(around);
    expect(env).toEqual({});
    expect(part.fellBack).toContain("There is no redis-server on the PATH");
    expect(part.change).toContain("LASTRO_REDIS_URL");
  });

  test("without Kafka there is no falling back", async () => {
    const { around } = machine({ fails: "Kafka needs Java 17" });
    await expect(resolveKafka(around)).rejects.toThrow("Kafka needs Java 17");
  });

  test("the store is a file in the data folder unless another is configured", () => {
    const { env } = resolveStore({ env: {}, dataDir: "/data" });
    expect(env).toEqual({ LASTRO_STORE_URL: "sqlite:/data/lastro.db" });
  });
});

test("a port that answers in another protocol is neither Kafka nor Redis", async () => {
  const server = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  const port = await new Promise<number>((resolve) =>
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    }),
  );
  expect(await answersAsKafka("127.0.0.1", port)).toBe(false);
  expect(await answersAsRedis("127.0.0.1", port)).toBe(false);
  server.close();
});

describe("dependencies are installed", () => {
  const locked = {
    "": {},
    "node_modules/a": { version: "1.0.0" },
    "node_modules/b": { version: "2.0.0", optional: true },
  };

  test("when there are none", () => expect(needsInstall(locked, undefined)).toBe(true));
  test("when one has another version", () =>
    expect(needsInstall(locked, { "node_modules/a": { version: "1.0.1" } })).toBe(true));
  test("not when only an optional one is absent", () =>
    expect(needsInstall(locked, { "node_modules/a": { version: "1.0.0" } })).toBe(false));
});

test.each([
  ['openjdk version "17.0.15" 2025-04-15', 17],
  ['java version "1.8.0_402"', 8],
  ['openjdk version "25" 2025-09-16', 25],
  ["nothing of the kind", 0],
])("%s is Java %d", (output, major) => expect(javaMajor(output)).toBe(major));

describe("a data folder", () => {
  let dir = "";
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "lastro-launcher-"));
  });
  afterEach(() => rmSync(dir, { recursive: true }));
  const lockFile = () => join(dir, "launcher.lock");

  test("notes what runs in it and is free again afterwards", async () => {
    const lock = await takeDataDir(dir);
    lock.note(12);
    lock.note(process.pid);
    expect(JSON.parse(readFileSync(lockFile(), "utf8"))).toMatchObject({
      pid: process.pid,
      processes: [{ pid: process.pid }, { pid: 12 }],
    });
    lock.release();
    expect(() => readFileSync(lockFile())).toThrow("ENOENT");
  });

  test("of a launcher that is gone, or whose number another program has now, can be taken", async () => {
    for (const pid of [2 ** 22 + 1, process.ppid]) {
      writeFileSync(lockFile(), JSON.stringify({ pid, processes: [] }));
      (await takeDataDir(dir)).release();
    }
  });

  describe("whose launcher was killed", () => {
    type Noted = { readonly pid: number; readonly began: string };
    const gone = 2 ** 22 + 1;
    let sleeper: ChildProcess;
    let pid = 0;
    beforeEach(() => {
      sleeper = spawn("sleep", ["600"], { cwd: root, stdio: "ignore" });
      pid = sleeper.pid ?? 0;
    });
    afterEach(() => void sleeper.kill("SIGKILL"));
    const noted = async (): Promise<Noted> => {
      const lock = await takeDataDir(dir);
      lock.note(pid);
      return JSON.parse(readFileSync(lockFile(), "utf8")).processes[0];
    };
    const takeAfter = async (...processes: readonly unknown[]): Promise<void> => {
      writeFileSync(lockFile(), JSON.stringify({ pid: gone, processes }));
      (await takeDataDir(dir)).release();
    };

    test("can be taken, and what it had started is ended", async () => {
      await takeAfter(await noted());
      expect(sleeper.signalCode).toBe("SIGTERM");
    });
    test.each([
      ["by its number alone", ({ pid }: Noted) => pid],
      ["as begun at another time", ({ pid, began }: Noted) => ({ pid, began: `${began}1` })],
      ["as begun after another boot", ({ pid, began }: Noted) => ({ pid, began: began.replace(/^./, "z") })],
      ["as begun nobody knows when", ({ pid }: Noted) => ({ pid })],
    ])("can be taken, and a stranger of the checkout that is noted %s is left alone", async (_, changed) => {
      await takeAfter(changed(await noted()));
      expect([sleeper.exitCode, sleeper.signalCode]).toEqual([null, null]);
      expect(process.kill(pid, 0)).toBe(true);
    });
  });

  test("with a torn lock file can be taken, and a stranger's process in it is left alone", async () => {
    writeFileSync(lockFile(), '{"pid":');
    (await takeDataDir(dir)).release();
    writeFileSync(lockFile(), JSON.stringify({ pid: 2 ** 22 + 1, processes: [1] }));
    (await takeDataDir(dir)).release();
  });
});

describe("the closing line", () => {
  const report = (over: object) => ({
    success: true,
    numPassedTests: 3,
    numFailedTests: 0,
    numPendingTests: 0,
    numTodoTests: 0,
    numRuntimeErrorTestSuites: 0,
    ...over,
  });

  test("sums all runs", () => {
    const sum = summarise([report({}), report({ numFailedTests: 2, success: false })]);
    expect(summaryLine(sum)).toBe("6 passed, 2 failed");
  });

  test("counts a suite that could not run, a run without a report and a failure outside the tests", () => {
    expect(summarise([report({ numRuntimeErrorTestSuites: 1, success: false })]).failed).toBe(1);
    expect(summarise([report({}), undefined]).failed).toBe(1);
    expect(summarise([report({ success: false })]).failed).toBe(1);
  });

  test("is a failure when no test ran, and names skipped ones", () => {
    expect(summaryLine(summarise([report({ numPassedTests: 0 })]))).toBe("0 passed, 1 failed");
    expect(summaryLine(summarise([report({ numPendingTests: 1 })]))).toBe("3 passed, 0 failed, 1 skipped");
  });
});

test("what tests that were cut off have left behind is ended, and nothing of another run", async () => {
  const idle = (run: string): ChildProcess =>
    spawn(process.execPath, ["--eval", "console.log(); setInterval(() => {}, 1e6)"], {
      detached: true,
      env: { ...process.env, [runVariable]: run },
    });
  const [mine, other] = [idle("/runs/a"), idle("/runs/ab")];
  try {
    await Promise.all([mine, other].map(({ stdout }) => stdout && once(stdout, "data")));
    const ended = once(mine, "exit");
    expect(endLeftovers("/runs/a")).toBe(1);
    expect(await ended).toEqual([null, "SIGKILL"]);
    expect(other.kill(0)).toBe(true);
    expect(endLeftovers("/runs/a")).toBe(0);
  } finally {
    for (const child of [mine, other]) child.kill("SIGKILL");
  }
});
