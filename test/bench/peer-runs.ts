/** One run of the MongoDB sink connector or of the service into a MongoDB server, watched in the same way: by the inserts the server acknowledges. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startConnect } from "../../deploy/local/connect.mjs";
import { spawnLastro } from "../support/lastro.ts";
import { type IntakeRun, type Servers, serviceEnv } from "./intake.ts";
import { cpuUsOf, peakMbOf } from "./process-usage.ts";
import type { OnInserted, WireServer } from "./wire-stub.ts";

const stallMsMax = 600_000;
const outputCharactersMax = 4_000;

export type Peer = {
  /** Where it puts what it read. */
  readonly collection: string;
  start(options: {
    readonly servers: Servers;
    readonly topic: string;
    readonly mongoUrl: string;
    readonly dir: string;
    readonly spawned: (pid: number) => void;
  }): Promise<{ readonly stop: () => Promise<unknown>; readonly output: () => string }>;
};

export const connectorOf = (tasks: number): Peer => ({
  collection: "events",
  async start({ servers, topic, mongoUrl, dir, spawned }) {
    const { stop } = await startConnect({
      dir,
      brokers: servers.brokers.join(","),
      topic,
      tasks,
      mongoUrl,
      database: new URL(mongoUrl).pathname.slice(1),
      collection: "events",
      spawned,
    });
    return { stop, output: () => readFileSync(join(dir, "connect.log"), "utf8") };
  },
});

/** Everything at its default but the store and, unless asked for, the log: the connector has none. */
export const serviceWith = (env: Readonly<Record<string, string>>): Peer => ({
  collection: "records",
  async start({ servers, topic, mongoUrl, dir, spawned }) {
    const lastro = await spawnLastro({
      env: serviceEnv(servers, topic, dir, { LASTRO_STORE_URL: mongoUrl, ...env }),
    });
    spawned(lastro.process.pid ?? 0);
    return { stop: () => lastro.stop(), output: lastro.output };
  },
});

type Moment = { readonly atMs: number; readonly cpuUs: number };

/** From the first acknowledged insert to the one with which `count` documents are in. */
function watchInserts(wanted: string, count: number) {
  const { promise, resolve, reject } = Promise.withResolvers<IntakeRun>();
  let [pid, inserted, firstInserted] = [0, 0, 0];
  let first: Moment | undefined;
  const stall = () => reject(new Error(`stalled at ${inserted} of ${count} inserts`));
  let stalled = setTimeout(stall, stallMsMax);
  const onInserted: OnInserted = (collection, documents) => {
    if (collection !== wanted || inserted >= count) return;
    clearTimeout(stalled);
    inserted += documents;
    if (first === undefined || inserted >= count) {
      const now = { atMs: performance.now(), cpuUs: cpuUsOf(pid) };
      if (first === undefined) [first, firstInserted] = [now, inserted];
      const events = inserted - firstInserted;
      const perSecond = (events * 1_000) / (now.atMs - first.atMs);
      if (inserted >= count)
        return resolve({ perSecond, cpuUs: (now.cpuUs - first.cpuUs) / events, peakMb: peakMbOf(pid) });
    }
    stalled = setTimeout(stall, stallMsMax);
  };
  return {
    onInserted,
    measured: promise,
    spawned: (started: number) => {
      pid = started;
    },
  };
}

export type PeerTask = {
  readonly servers: Servers;
  readonly topic: string;
  readonly events: number;
  readonly database: string;
  /** The server that the peer writes to. */
  readonly open: (onInserted: OnInserted) => Promise<WireServer>;
};

/** A process of which nobody would hear any more when this one ends, and its folder. */
function endingWithThis(dir: string) {
  let pid = 0;
  const end = () => {
    if (pid > 0) process.kill(pid, "SIGKILL");
    rmSync(dir, { recursive: true, force: true });
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const exit = () => process.exit(1);
  process.once("exit", end);
  for (const signal of signals) process.once(signal, exit);
  return {
    spawned: (started: number) => {
      pid = started;
    },
    [Symbol.dispose]() {
      process.off("exit", end);
      for (const signal of signals) process.off(signal, exit);
    },
  };
}

export async function runPeer(peer: Peer, task: PeerTask): Promise<IntakeRun> {
  const { servers, topic, events, database } = task;
  const dir = mkdtempSync(join(tmpdir(), "lastro-bench-peer-"));
  const { onInserted, measured, ...watch } = watchInserts(peer.collection, events);
  using child = endingWithThis(dir);
  const spawned = (pid: number) => {
    child.spawned(pid);
    watch.spawned(pid);
  };
  try {
    await using server = await task.open(onInserted);
    const mongoUrl = `mongodb://${server.address}/${database}?directConnection=true`;
    const running = await peer.start({ servers, topic, mongoUrl, dir, spawned });
    try {
      return await measured;
    } catch (error) {
      throw new Error(running.output().slice(-outputCharactersMax), { cause: error });
    } finally {
      await running.stop();
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
