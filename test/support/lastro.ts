/** Starts the service as a process of its own, as a user would, on free ports; may be told to die at a point of the way. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type DieAt, dieAtText, isStorePoint } from "./die-at.ts";

/** As it ships, and one that can be told to die: there the log waits at each of its points. */
const entry = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const mortalEntry = fileURLToPath(new URL("./service-main.ts", import.meta.url));
/** As the launcher gives it: the many starts share it. */
const compiledFolder = join(tmpdir(), "lastro-compile-cache");
const readyTimeoutMs = 120_000;
const pollMs = 50;

export type LastroProcess = {
  readonly grpcAddress: string;
  readonly httpUrl: string;
  /** Of /api/v1. */
  readonly restUrl: string;
  readonly process: ChildProcess;
  /** Everything printed so far. */
  output(): string;
  /** Resolves with the exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  stop(signal?: NodeJS.Signals): Promise<number | string>;
};

export type LastroOptions = {
  readonly env: Readonly<Record<string, string>>;
  /** For Node, which gives them to the threads as well. */
  readonly nodeArgs?: readonly string[];
  /** A command that becomes the process, as `prlimit`, `nsenter` and their like do. */
  readonly under?: readonly string[];
  /** Sends itself the signal (SIGKILL) the n-th time the point is reached. */
  readonly dieAt?: DieAt;
};

/**
 * Below the ports that the system gives to outgoing connections: one of those could take it before the service listens. Each process of the
 * tests has a range of its own and gives none of it twice in a row, so that no other test is given a port before the service listens.
 */
const ports = { first: 20_000, ofProcess: 1_000, processes: 12 } as const;
const firstPort =
  ports.first + (Number(process.env["JEST_WORKER_ID"] ?? 1) % ports.processes) * ports.ofProcess;
let lastPort = randomInt(ports.ofProcess);

export async function freePort(): Promise<number> {
  lastPort = (lastPort + 1) % ports.ofProcess;
  const port = firstPort + lastPort;
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
    return port;
  } catch {
    return freePort();
  } finally {
    server.close();
  }
}

/** Steps of an append are reached in the thread that writes, which takes over the flags of Node and not the environment. */
const dieInWrites = ({ dieAt }: LastroOptions): readonly string[] =>
  dieAt !== undefined && isStorePoint(dieAt.point)
    ? ["--import", `${new URL("./die-in-writes.ts", import.meta.url)}?at=${dieAtText(dieAt)}`]
    : [];

/** Resolves as soon as the process runs; see `untilReady`. */
export async function spawnLastro(options: LastroOptions): Promise<LastroProcess> {
  const [grpcPort, httpPort, restPort] = [await freePort(), await freePort(), await freePort()];
  const grpcAddress = options.env?.["LASTRO_GRPC_ADDRESS"] ?? `127.0.0.1:${grpcPort}`;
  const httpAddress = `127.0.0.1:${httpPort}`;
  const restAddress = `127.0.0.1:${restPort}`;
  const command = [
    ...(options.under ?? []),
    process.execPath,
    "--max-semi-space-size=8",
    "--disable-warning=ExperimentalWarning",
    ...(options.nodeArgs ?? []),
    ...dieInWrites(options),
    options.dieAt === undefined ? entry : mortalEntry,
  ];
  const child = spawn(command[0] ?? "", command.slice(1), {
    env: {
      PATH: process.env["PATH"] ?? "",
      NODE_COMPILE_CACHE: compiledFolder,
      LASTRO_GRPC_ADDRESS: grpcAddress,
      LASTRO_HTTP_ADDRESS: httpAddress,
      LASTRO_REST_ADDRESS: restAddress,
      ...options.env,
      ...(options.dieAt && { LASTRO_TEST_DIE_AT: dieAtText(options.dieAt) }),
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
    });
  }
  const ended = once(child, "exit").then(([code, signal]) => (code ?? signal) as number | string);
  return {
    grpcAddress,
    httpUrl: `http://${httpAddress}`,
    restUrl: `http://${restAddress}/api/v1`,
    process: child,
    output: () => printed,
    ended,
    stop(signal = "SIGTERM") {
      child.kill(signal);
      return ended;
    },
  };
}

/** Starts the service and waits until it says it is ready, asking every `everyMs`; one that does not is killed. */
export async function startLastro(options: LastroOptions, everyMs = pollMs): Promise<LastroProcess> {
  const lastro = await spawnLastro(options);
  try {
    await untilReady(lastro, everyMs);
  } catch (error) {
    await lastro.stop("SIGKILL");
    throw error;
  }
  return lastro;
}

export const untilReady = (lastro: LastroProcess, everyMs = pollMs): Promise<void> =>
  until(
    "the service is ready",
    async () => (await fetch(`${lastro.httpUrl}/readyz`)).ok,
    readyTimeoutMs,
    lastro,
    everyMs,
  );

/** Polls until the condition holds; a process that ended meanwhile is an error. */
export async function until(
  what: string,
  condition: () => Promise<boolean>,
  timeoutMs: number,
  lastro?: LastroProcess,
  everyMs = pollMs,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let failure: unknown;
    const holds = await condition().catch((error: unknown) => {
      failure = error;
      return false;
    });
    if (holds) return;
    const exited = lastro?.process.exitCode ?? lastro?.process.signalCode ?? null;
    if (exited !== null)
      throw new Error(`the service ended (${exited}) before ${what}:\n${lastro?.output()}`);
    if (performance.now() > deadline)
      throw new Error(`${what}: not within ${timeoutMs} ms\n${lastro?.output() ?? ""}`, { cause: failure });
    await new Promise((done) => setTimeout(done, everyMs));
  }
}
