/** Connections of those who have not said who they are: how many the listeners hold, and for how long. */
import dns from "node:dns";
import { EventEmitter, once } from "node:events";
import { Agent, get, type IncomingMessage } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { get as getTls } from "node:https";
import { connect, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { parseServerTls } from "../../src/adapters/files/server-tls.ts";
import type { Log } from "../../src/ports/log.ts";
import type { ServerTlsSource } from "../../src/ports/server-tls.ts";
import type { GrpcServerOptions } from "../../src/servers/grpc/server.ts";
import { startHttpServer } from "../../src/servers/http/server.ts";
import { type ConnectionsObserver, type ListenerLimits, refuseNewest } from "../../src/servers/listener.ts";
import { type CertificateAuthority, loopbackSan, openAuthority } from "../support/certificates.ts";
import { noOperations, quietCollect, serve } from "../support/grpc-client.ts";
import { type HistoryWorld, openHistoryWorld } from "../support/history-world.ts";
import { noTiles } from "../support/no-log.ts";
import { serveRest } from "../support/rest-client.ts";

let world: HistoryWorld;
let root: CertificateAuthority;
let tls: ServerTlsSource;
beforeAll(async () => {
  world = await openHistoryWorld();
  root = await openAuthority();
  const { cert, key } = await root.certify("lastro", { san: loopbackSan });
  const parsed = parseServerTls([cert, key], false, Date.now);
  tls = { current: () => parsed, onChange: () => undefined };
});
afterAll(async () => {
  root?.[Symbol.dispose]();
  await world?.[Symbol.asyncDispose]();
});

type Options = {
  readonly listener?: Partial<ListenerLimits>;
  readonly tls?: ServerTlsSource;
  readonly address?: { readonly host: string; readonly port: number };
};
/** `over`: the listener of each connection that was counted. */
type Noted = { readonly told: string[]; readonly over: string[] };
type Listening = AsyncDisposable & Noted & { readonly port: number };

function noting(): Noted & { readonly log: Log; readonly observer: ConnectionsObserver } {
  const told: string[] = [];
  const over: string[] = [];
  const nothing = (): void => undefined;
  const log = { info: nothing, warn: (code: string) => void told.push(code), error: nothing };
  return { told, over, log, observer: { connectionOverLimit: (listener) => void over.push(listener) } };
}
const portOf = (address: string): number => Number(address.split(":")[1]);

async function listenRest(options: Options): Promise<Listening> {
  const { log, observer, ...noted } = noting();
  const rest = await serveRest(
    { query: world.deps, collect: quietCollect(world.deps) },
    { ...options, log, observer },
  );
  return Object.assign(rest, { ...noted, port: portOf(rest.address) });
}
async function listenHttp(options: Options): Promise<Listening> {
  const { log, observer, ...noted } = noting();
  const http = await startHttpServer({
    address: { host: "127.0.0.1", port: 0 },
    ...options,
    metrics: (_request, response) => response.end(),
    readiness: async () => ({}),
    tiles: { ...noTiles, log },
    observer,
  });
  return Object.assign(http, { ...noted, port: http.address.port });
}
async function listenGrpc({
  listener,
  limits,
  tls,
}: Options & Pick<GrpcServerOptions, "limits">): Promise<Listening> {
  const { log, observer, ...noted } = noting();
  const grpc = await serve(world.deps, noOperations, {
    limits: { ...listener, ...limits },
    tls,
    log,
    observer,
  });
  return Object.assign(grpc, { ...noted, port: portOf(grpc.address) });
}

/** Says nothing until it is told to. */
async function open(port: number): Promise<Socket & Disposable> {
  const socket = connect(port, "127.0.0.1").resume();
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return Object.assign(socket, { [Symbol.dispose]: () => void socket.destroy() });
}

/** Undefined: the connection was refused. */
const statusOf = (
  port: number,
  path: string,
  agent: Agent | false = false,
  host = "127.0.0.1",
): Promise<number | undefined> =>
  new Promise((resolve) => {
    get({ host, port, path, agent }, (response) => {
      response.resume().once("end", () => resolve(response.statusCode));
    }).on("error", () => resolve(undefined));
  });

describe("over the limit of connections", () => {
  test("REST takes no more, answers on those that are there, and takes one again when one ends", async () => {
    await using rest = await listenRest({ listener: { connectionsMax: 2 } });
    const [path, agent] = ["/api/v1/openapi.json", new Agent({ keepAlive: true, maxSockets: 1 })];
    expect(await statusOf(rest.port, path, agent)).toBe(200);
    using silent = await open(rest.port);
    for (let n = 0; n < 3; n++) expect(await statusOf(rest.port, path)).toBeUndefined();
    expect(await statusOf(rest.port, path, agent)).toBe(200);
    expect(rest.told).toEqual(["connections_over_limit"]);
    expect(rest.over).toEqual(["rest", "rest", "rest"]);
    silent.destroy();
    while ((await statusOf(rest.port, path)) !== 200);
    agent.destroy();
  });

  test("gRPC takes no more, keeps those that are there, and takes one again when one ends", async () => {
    await using grpc = await listenGrpc({ listener: { connectionsMax: 2 } });
    const session = async (): Promise<ClientHttp2Session> => {
      const opened = connectHttp2(`http://127.0.0.1:${grpc.port}`);
      opened.on("error", () => undefined);
      await new Promise((resolve) => opened.once("remoteSettings", resolve).once("close", resolve));
      return opened;
    };
    const [first, second] = [await session(), await session()];
    for (let n = 0; n < 3; n++) expect((await session()).destroyed).toBe(true);
    await new Promise((resolve) => first.ping(resolve));
    expect([first.destroyed, second.destroyed]).toEqual([false, false]);
    expect(grpc.told).toEqual(["connections_over_limit"]);
    expect(grpc.over).toEqual(["grpc", "grpc", "grpc"]);
    second.destroy();
    let again = await session();
    while (again.destroyed) again = await session();
    first.destroy();
    again.destroy();
  });

  test("health is answered through any number of them: the oldest end", async () => {
    await using http = await listenHttp({ listener: { connectionsMax: 3 } });
    using all = new DisposableStack();
    const oldest = all.use(await open(http.port));
    const ended = once(oldest, "close");
    for (let n = 0; n < 10; n++) {
      all.use(await open(http.port));
      expect(await statusOf(http.port, "/livez")).toBe(200);
    }
    await ended;
    expect(http.told).toEqual(["connections_over_limit"]);
    expect(new Set(http.over)).toEqual(new Set(["http"]));
  });

  test("health is answered through those that never get on with TLS, too", async () => {
    await using http = await listenHttp({ listener: { connectionsMax: 3 }, tls });
    using all = new DisposableStack();
    for (let n = 0; n < 10; n++) all.use(await open(http.port));
    const asked = getTls({ host: "127.0.0.1", port: http.port, path: "/livez", ca: root.ca, agent: false });
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    response.resume();
    expect(response.statusCode).toBe(200);
  });
});

describe("a listener by a name that has two addresses has one socket, for which all that bounds it holds", () => {
  const addresses = [
    { address: "127.0.0.1", family: 4 },
    { address: "127.0.0.2", family: 4 },
  ] as const;
  /** As a machine answers whose hosts file has both. */
  const lookup = (name: string, _all: unknown, answer: (error: null, found: unknown) => void): void =>
    answer(null, name === "localhost" ? addresses : [{ address: name, family: 4 }]);

  test.each([
    ["REST", listenRest, "/api/v1/openapi.json"],
    ["HTTP", listenHttp, "/livez"],
  ] as const)("%s", async (_name, listen, path) => {
    const found = jest.spyOn(dns, "lookup").mockImplementation(lookup as unknown as typeof dns.lookup);
    try {
      await using server = await listen({ address: { host: "localhost", port: 0 } });
      const asked = addresses.map(({ address }) => statusOf(server.port, path, false, address));
      expect(await Promise.all(asked)).toEqual([200, undefined]);
    } finally {
      found.mockRestore();
    }
  });
});

test("a flood of connections is told at once and once a minute, each connection once", () => {
  jest.useFakeTimers();
  try {
    const server = new EventEmitter();
    const told: unknown[] = [];
    const { over, observer, log: unheard } = noting();
    const log: Log = { ...unheard, warn: (_, __, fields) => void told.push(fields) };
    refuseNewest(server as Server, { connectionsMax: 1, listener: "rest", log, observer });
    const drop = (times: number): void => {
      for (let n = 0; n < times; n++) server.emit("drop");
    };
    drop(5);
    jest.advanceTimersByTime(60_000);
    drop(2);
    jest.advanceTimersByTime(120_000);
    drop(1);
    expect(over).toHaveLength(8);
    expect(told).toEqual([1, 4, 2, 1].map((connections) => ({ listener: "rest", connections })));
  } finally {
    jest.useRealTimers();
  }
});

test("REST takes a URL with headers as long as its limit says, and no longer", async () => {
  const path = `/api/v1/openapi.json?${"x".repeat(33_000)}`;
  await using usual = await listenRest({});
  expect(await statusOf(usual.port, path)).toBe(431);
  await using wide = await listenRest({ listener: { headerBytesMax: 64 * 1024 } });
  expect(await statusOf(wide.port, path)).toBe(200);
});

describe("a connection that does not get on is cut", () => {
  const listener = { handshakeMsMax: 100, headersMsMax: 100, requestMsMax: 100 };
  const listeners = { REST: listenRest, HTTP: listenHttp, gRPC: listenGrpc };

  test.each(["REST", "HTTP"] as const)("%s: half a head, and none", async (name) => {
    await using server = await listeners[name]({ listener });
    using half = await open(server.port);
    using none = await open(server.port);
    half.write("GET /livez HTTP/1.1\r\nhost: x\r\nx: ");
    await Promise.all([once(half, "close"), once(none, "close")]);
  });

  test.each(["REST", "HTTP", "gRPC"] as const)("%s: half a handshake, and none", async (name) => {
    await using server = await listeners[name]({ listener, tls });
    using half = await open(server.port);
    using none = await open(server.port);
    // The header of a record of 512 bytes, and its first.
    half.write(Buffer.from("160301020001", "hex"));
    await Promise.all([once(half, "close"), once(none, "close")]);
  });

  test("gRPC: half a preface, and none", async () => {
    const quick = { keepaliveMs: 100, keepaliveTimeoutMs: 100 };
    await using server = await listenGrpc({ limits: quick });
    using half = await open(server.port);
    using none = await open(server.port);
    half.write("PRI * HTTP/2.0\r\n");
    await Promise.all([once(half, "close"), once(none, "close")]);
  });
});
