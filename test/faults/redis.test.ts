/** Redis that forgets, refuses, lags or lies in the middle: a hint is never a verdict. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect } from "@jest/globals";
import { Redis } from "ioredis";
import { uidOf } from "../../src/adapters/sqlite/record-row.ts";
import { until } from "../support/lastro.ts";
import { type Link, openLink, through } from "../support/link.ts";
import { readiness } from "../support/operator.ts";
import { fewRounds, seed, sideBySide } from "../support/rounds.ts";
import { type RunningServer, startRedis } from "../support/servers.ts";
import { fillDisk, mountSmallDisk } from "../support/small-disk.ts";
import { endure } from "../support/storm.ts";
import { makeWorld, untilDrained, type World } from "../support/world.ts";

const events = 1_000;
const timeoutMs = fewRounds * 120_000;
const [loadedKeys, loadMs] = [1_000, 3_000];

type Server = {
  redis: RunningServer;
  readonly client: Redis;
  readonly link: Link;
  readonly dir: string;
  readonly open: AsyncDisposableStack;
};
type RedisFault = {
  readonly begin: (server: Server, world: World) => Promise<unknown>;
  readonly end: (server: Server) => Promise<unknown>;
  /** Whether the service can tell that Redis does not help. */
  readonly isSeen: boolean;
  /** Of a disk of its own, on which it keeps its append-only file. */
  readonly diskBytes?: number;
};

const again = async (server: Server): Promise<void> => {
  server.redis = await startRedis({ dir: server.dir, port: server.redis.port });
};

const ended = (server: RunningServer): RunningServer & AsyncDisposable => ({
  ...server,
  [Symbol.asyncDispose]: () => server.stop(),
});

const nothing = async (): Promise<void> => undefined;

/** Where the hints of what is stored are, or would be: a busy service goes on without writing them. */
async function makeLists({ client }: Server, { dataDir }: World): Promise<void> {
  const hints = await client.keys("lastro:*");
  using db = new DatabaseSync(join(dataDir, "lastro.db"), { readOnly: true });
  const identity = db.prepare("SELECT value FROM state WHERE name = 'identity'").get();
  const { storeId } = JSON.parse(String(identity?.["value"]));
  const stored = db.prepare("SELECT uid FROM records").all();
  const keys = stored.map((row) => `lastro:${storeId}:u:${uidOf(row)}`);
  expect(keys.length).toBeGreaterThan(0);
  expect(keys).toEqual(expect.arrayContaining(hints));
  for (const key of keys) await client.multi().del(key).rpush(key, "1").exec();
}

/** Until all is loaded it takes no command. */
const promote = ({ client }: Server): Promise<void> =>
  until("it is promoted", async () => (await client.replicaof("NO", "ONE")) === "OK", 30_000);

/** The client itself waits for the script. */
async function killScript({ redis }: Server): Promise<void> {
  const other = new Redis(redis.url, { enableReadyCheck: false });
  await other.script("KILL");
  other.disconnect();
}

const faults: Readonly<Record<string, RedisFault>> = {
  "is flushed": { begin: ({ client }) => client.flushall(), end: nothing, isSeen: false },
  "is killed and comes back empty": {
    async begin({ redis }) {
      redis.kill("SIGKILL");
      await redis.exited;
    },
    end: again,
    isSeen: true,
  },
  "has no memory left and evicts nothing": {
    begin: ({ client }) => client.config("SET", "maxmemory", "1"),
    end: ({ client }) => client.config("SET", "maxmemory", "0"),
    isSeen: true,
  },
  "becomes the replica of a server that is not there, and takes no write": {
    begin: ({ client }) => client.replicaof("127.0.0.1", 1),
    end: ({ client }) => client.replicaof("NO", "ONE"),
    isSeen: true,
  },
  "loads the data of another, takes no write, and is promoted": {
    async begin({ client, open, dir }) {
      const primary = open.use(ended(await startRedis({ dir: join(dir, "primary") })));
      const itsClient = open.adopt(new Redis(primary.url), (one) => one.disconnect());
      await itsClient.config("SET", "repl-diskless-sync-delay", "0");
      await itsClient.eval("for i = 1, ARGV[1] do redis.call('SET', i, i) end", 0, loadedKeys);
      await client.config("SET", "key-load-delay", String((loadMs * 1_000) / loadedKeys));
      await client.config("SET", "loading-process-events-interval-bytes", "1024");
      await client.replicaof("127.0.0.1", primary.port);
    },
    end: promote,
    isSeen: true,
  },
  "is busy with a script": {
    async begin({ client }) {
      await client.config("SET", "busy-reply-threshold", "50");
      client.eval("while true do end", 0).catch(() => undefined);
    },
    end: killScript,
    isSeen: true,
  },
  "takes a second for each answer": {
    begin: ({ link }) => link.become({ delayMs: 500 }),
    end: ({ link }) => link.become({}),
    isSeen: true,
  },
  "may not write, since the disk of its append-only file is full": {
    begin: async ({ dir }) => fillDisk(dir, 0),
    end: async ({ dir }) => rmSync(join(dir, "filler")),
    isSeen: true,
    diskBytes: 32 * 1024 * 1024,
  },
  "holds lists where hints should be": { begin: makeLists, end: nothing, isSeen: false },
  "asks for a password that the service has not": {
    async begin({ client }) {
      await client.config("SET", "requirepass", "changed");
      await client.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    },
    end: ({ client }) => client.config("SET", "requirepass", ""),
    isSeen: true,
  },
};

describe("R-05 nothing is lost or doubled, and intake goes on", () => {
  sideBySide.each(Object.entries(faults))(
    "while Redis %s",
    async (name, { begin, end, isSeen, diskBytes }) => {
      for (let round = 0; round < fewRounds; round++) {
        await using open = new AsyncDisposableStack();
        const dir = open.adopt(mkdtempSync(join(tmpdir(), "lastro-redis-")), (path) =>
          rmSync(path, { recursive: true, force: true }),
        );
        if (diskBytes !== undefined) open.use(mountSmallDisk(dir, diskBytes));
        const redis = await startRedis({ dir, appendonly: diskBytes !== undefined });
        const link = open.use(await openLink(redis.port));
        const client = open.adopt(new Redis(redis.url), (one) => one.disconnect());
        client.on("error", () => undefined);
        const server: Server = { redis, client, link, dir, open };
        open.defer(() => server.redis.stop());
        await using world = await makeWorld("sqlite", { LASTRO_REDIS_URL: through(redis.url, link) });
        const lastro = await world.start();
        let rate = 0;
        await endure(world, lastro, {
          name: `Redis ${name}`,
          events,
          seed: seed + 2 * round,
          fault: {
            begin: () => begin(server, world),
            async meanwhile() {
              const begunMs = performance.now();
              await untilDrained(lastro, 2 * events);
              rate = (1_000 * events) / (performance.now() - begunMs);
              const { status, parts } = await readiness(lastro);
              expect(status).not.toBe("unavailable");
              if (isSeen) expect(parts["redis"]?.ok).toBe(false);
            },
            end: () => end(server),
            note: () => `${Math.round(rate)} events/s meanwhile`,
          },
        });
      }
    },
    timeoutMs,
  );
});
