/** A network namespace of its own for a service: it reaches its servers, and is reached, through an interface that loses packets when it is told to. Needs root. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import type { Server } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { forward, type Pair } from "./forward.ts";
import { temporaryFolder } from "./sqlite.ts";

export type LossyNetwork = AsyncDisposable & {
  /** What a command is put behind so that it runs in there. */
  readonly under: readonly string[];
  /** What listens on the port out there is reached on the same port in there. */
  letOut(ports: readonly number[]): Promise<void>;
  /** What listens on the port in there is reached on the same port out there. */
  letIn(ports: readonly number[]): Promise<void>;
  /** Of a hundred packets, whichever way they go. */
  lose(percent: number): void;
  /** Packets so far. */
  lost(): number;
};

const door = fileURLToPath(new URL("./forward.ts", import.meta.url));
const host = "127.0.0.1";
const how = "it takes root, unshare and nsenter of util-linux, and on Debian: apt-get install iproute2";

/** Classic BPF, run for each packet: a random word at or above the limit passes (0, TC_ACT_OK), another is dropped (2, TC_ACT_SHOT). */
const dropBelow = (limit: number): string => `4,32 0 0 4294963256,53 1 0 ${limit},6 0 0 2,6 0 0 0`;

/** Runs a forwarder behind `under` until disposed. */
async function openDoor(under: readonly string[], pairs: readonly Pair[], owner: AsyncDisposableStack) {
  const [command = "", ...args] = [...under, process.execPath, door, JSON.stringify(pairs)];
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "exit");
  owner.defer(async () => {
    child.stdin.end();
    await ended;
  });
  const told = await Promise.race([once(child.stdout, "data"), ended.then(() => undefined)]);
  if (told === undefined) throw new Error(`no network namespace of its own: ${how}`);
  return child.pid ?? 0;
}

export async function openLossyNetwork(): Promise<LossyNetwork> {
  await using opening = new AsyncDisposableStack();
  const { path: folder } = opening.use(temporaryFolder());
  const holder = await openDoor(["unshare", "--net"], [], opening);
  const under = ["nsenter", `--net=/proc/${holder}/ns/net`];
  const run = (...command: readonly string[]): string => {
    try {
      return execFileSync(under[0] ?? "", [...under.slice(1), ...command], { encoding: "utf8" });
    } catch (cause) {
      throw new Error(`${command[0]} could not set up a network namespace: ${how}`, { cause });
    }
  };
  run("ip", "link", "set", "lo", "up");
  run("tc", "qdisc", "add", "dev", "lo", "clsact");
  const owner = opening.move();
  /** From the ports on one side to the same ports on the other. */
  const pass = async (ports: readonly number[], inwards: boolean): Promise<void> => {
    const pairs = ports.map((port): readonly [Pair, Pair] => {
      const [tcp, file] = [{ host, port }, { path: join(folder, `${port}`) }] as const;
      return [
        { from: tcp, to: file },
        { from: file, to: tcp },
      ];
    });
    const [near, far] = [pairs.map(([pair]) => pair), pairs.map(([, pair]) => pair)];
    for (const pair of inwards ? near : far) owner.defer(closing(await forward(pair)));
    await openDoor(under, inwards ? far : near, owner);
  };
  return {
    under,
    letOut: (ports) => pass(ports, false),
    letIn: (ports) => pass(ports, true),
    lose: (percent) => {
      const bytecode = dropBelow(Math.round((percent / 100) * 2 ** 32));
      run(
        "tc",
        "filter",
        "replace",
        "dev",
        "lo",
        "ingress",
        "prio",
        "1",
        "bpf",
        "direct-action",
        "bytecode",
        bytecode,
      );
    },
    lost: () => Number(/dropped (\d+)/.exec(run("tc", "-s", "qdisc", "show", "dev", "lo", "ingress"))?.[1]),
    [Symbol.asyncDispose]: () => owner[Symbol.asyncDispose](),
  };
}

const closing = (server: Server) => (): void => void server.close();
